"""Items of a 422 carry their input as the existing engines do: no secret, bounded, always JSON."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI, Header
from pydantic import AfterValidator, BaseModel, Field, SecretStr

from engines.app import create_app
from engines.common.errors import MOST_PROBLEMS, install_error_handlers
from engines.common.shown_input import (
    HIDDEN,
    LARGEST_IN_ALL,
    LARGEST_INPUT,
    LONGEST_TEXT,
    MORE,
    ShownInputs,
    is_secret_name,
)
from tests.support.app import Login, MemoryKit, settings
from tests.support.routes import Mounted, mounted_routes

SECRET = "hunter2"
JSON = {"Content-Type": "application/json"}
WITH_BODY = [route for route in mounted_routes() if route.has_body]
WITH_PASSWORD = [route for route in WITH_BODY if route.path in ("/auth/login", "/auth/signup")]

SECRETS = dict.fromkeys(("password", "Secret", "api_key", "X-System-Key", "refreshToken"), SECRET)
NAMED: dict[str, Any] = {
    "named": SECRETS,
    "nested": {"a": [{"b": SECRETS}], "tokens": [SECRET], "credentials": {"login": SECRET}},
    "in a list": [SECRETS, {"a": {"password": [SECRET]}}],
    "JSON in a text": json.dumps(SECRETS),
    "a token in a text": {"url": {"a": f"https://a.example/?access_token={SECRET}"}, "surface": {}},
    "a header in a text": [f"Authorization: Bearer {SECRET}"],
}
"""Bodies of the wrong type that hold secrets under their names."""

MISPLACED: dict[str, Any] = {
    "a text": SECRET,
    "a list": ["jo@example.com", SECRET],
    "of a wrong type": {"email": "jo@example.com", "password": [SECRET]},
    "a number": {"email": "jo@example.com", "password": {"is": SECRET}},
    "beside what is missing": {"password": SECRET},
    "beside what is wrong": {"email": 7, "password": SECRET},
    "a mistyped name": {"email": "jo@example.com", "pasword": SECRET, "pw": SECRET},
    "in another field": {"email": ["jo@example.com", SECRET], "password": SECRET},
    "nested": {"user": {"email": "jo@example.com", "pw": SECRET}},
}
"""Further bodies of a route that takes a password."""


async def send(kit: MemoryKit, who: Login, route: Mounted, **how: Any) -> httpx.Response:
    headers = who.headers() | how.pop("headers", {})
    return await kit.client.request(
        route.method, route.path_of(who.tenant_id), headers=headers, params=route.query, **how
    )


def problems(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 422, answer.text
    found: list[dict[str, Any]] = answer.json()["detail"]
    assert all(problem.keys() >= {"type", "loc", "msg", "input"} for problem in found)
    return found


@pytest.mark.parametrize("route", WITH_BODY, ids=str)
async def test_no_route_answers_with_a_secret_under_its_name(
    kit: MemoryKit, acme: Login, route: Mounted
) -> None:
    for kind, body in NAMED.items():
        answer = await send(kit, acme, route, json=body)
        assert SECRET not in answer.text, kind
    form = await send(kit, acme, route, data={"email": "jo@example.com", "password": SECRET})
    text = await send(kit, acme, route, content=json.dumps(SECRETS), headers={"Content-Type": "text/plain"})
    parts = await send(kit, acme, route, files={"email": (None, "jo"), "password": (None, SECRET)})
    for answer in (form, text, parts):
        assert SECRET not in answer.text
        assert [problem["input"] for problem in problems(answer)] == [HIDDEN]


@pytest.mark.parametrize("route", WITH_PASSWORD, ids=str)
@pytest.mark.parametrize("kind", MISPLACED)
async def test_a_route_that_takes_a_password_never_answers_with_it(
    kit: MemoryKit, acme: Login, route: Mounted, kind: str
) -> None:
    answer = await send(kit, acme, route, json=MISPLACED[kind])
    assert problems(answer)
    assert SECRET not in answer.text
    shown = await send(kit, acme, route, content=json.dumps(MISPLACED[kind]), headers={"Content-Type": "a/b"})
    assert [problem["input"] for problem in problems(shown)] == [HIDDEN]


async def test_what_stands_beside_a_password_is_shown(kit: MemoryKit) -> None:
    body = {"password": SECRET, "display_name": "Jo", "tenant_name": None, "age": 7}
    [problem] = problems(await kit.client.post("/auth/signup", json=body))
    assert problem == {
        "type": "missing",
        "loc": ["body", "email"],
        "msg": "Field required",
        "input": {"password": HIDDEN, "display_name": "Jo", "tenant_name": None, "age": HIDDEN},
    }
    [problem] = problems(await kit.client.post("/auth/login", json={"email": 7, "password": "p"}))
    assert (problem["loc"], problem["input"]) == (["body", "email"], 7)
    [problem] = problems(await kit.client.post("/auth/bootstrap/tenants"))
    assert (problem["loc"], problem["input"]) == (["header", "x-system-key"], None)


@pytest.mark.parametrize(
    ("method", "path", "body", "inputs"),
    [
        ("PUT", "/kill-switches", "abc", ["abc"]),
        ("PUT", "/kill-switches", {"disable_providers": "p", "disable_autonomy": None}, ["p"]),
        ("POST", "/strategy-locks", {"scope": "x"}, ["x", {"scope": "x"}]),
        ("POST", "/budget/usage", [{"tokens_input": "many", "cost": 1.5}, 7], None),
        ("GET", "/bossman/tenant-dashboard?window_days=91", None, ["91"]),
        ("POST", "/analytics/events/pageview", {"url": {"a": [1, None, True]}}, None),
    ],
)
async def test_other_inputs_are_shown_as_they_came(
    kit: MemoryKit, acme: Login, method: str, path: str, body: Any, inputs: list[Any] | None
) -> None:
    answer = await kit.client.request(method, path, json=body, headers=acme.headers())
    found = [problem["input"] for problem in problems(answer)]
    if path == "/budget/usage":
        inputs = [*[body[0]] * 3, "many", 7]
    if "pageview" in path:
        inputs = [body, body["url"]]
    assert inputs is not None
    assert sorted(map(repr, found)) == sorted(map(repr, inputs))


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("1e999", "Infinity"),
        ("-1e999", "-Infinity"),
        ("NaN", "NaN"),
        ('["\\ud800"]', ["\\ud800"]),
        ('{"\\udfff": "x"}', {"\\udfff": "x"}),
        ("1" * 4_000, MORE),
        ("-" + "1" * 150, -int("1" * 150)),
        ('["' + "x" * 900_000 + '"]', ["x" * LONGEST_TEXT + MORE]),
        ('{"a":' * 500 + "1" + "}" * 500, None),
        ("[" * 500 + "]" * 500, None),
        (str([0] * 5_000), [*[0] * (LARGEST_INPUT // 2), MORE]),
    ],
    ids=lambda value: str(value)[:12],
)
async def test_every_input_is_json_and_bounded(kit: MemoryKit, acme: Login, given: str, shown: Any) -> None:
    content = f'{{"surface": {given}}}'.encode()
    answer = await kit.client.post(
        "/analytics/events/pageview", content=content, headers=acme.headers() | JSON
    )
    [problem] = problems(answer)
    assert shown is None or problem["input"] == shown
    assert len(answer.content) < 2 * LARGEST_INPUT
    assert "NaN" not in answer.text or problem["input"] == "NaN"


async def test_an_answer_is_bounded_however_much_is_wrong(kit: MemoryKit, acme: Login) -> None:
    items = [{f"k{number}": "x" * 150 for number in range(10)} for _ in range(500)]
    found = problems(await kit.client.post("/budget/usage", json=items, headers=acme.headers()))
    assert len(found) == MOST_PROBLEMS + 1
    assert found[-1]["msg"] == f"{500 * 3 - MOST_PROBLEMS} further problems are not shown"
    assert len(json.dumps([problem["input"] for problem in found])) < 2 * LARGEST_IN_ALL
    keys = {"k" * 10_000 + str(number): "x" for number in range(90)}
    weights = {"tenant_id": acme.tenant_id, "env": "dev", "surface": "s", "weights": keys}
    answer = await kit.client.put("/temperature/weights", json=weights, headers=acme.headers())
    assert (len(problems(answer)), len(answer.content) < LARGEST_IN_ALL) == (90, True)


def too_weak(value: SecretStr) -> SecretStr:
    raise ValueError(f"{value.get_secret_value()} is too weak")


class Inner(BaseModel):
    answer: Annotated[SecretStr, AfterValidator(too_weak)]
    codes: list[SecretStr] | None = Field(None, alias="backup")
    inner: "Inner | None" = None


class Outer(BaseModel):
    number: int
    inner: Inner | None = None


async def test_a_secret_by_its_type_is_known_where_it_is_nested() -> None:
    app = FastAPI()
    install_error_handlers(app)

    @app.post("/")
    async def _route(body: Outer, authorization: Annotated[int, Header()] = 0) -> None:
        """Never reached."""

    bodies: list[Any] = [
        {"number": "x", "inner": {"answer": [SECRET]}},
        {"inner": {"answer": SECRET}},
        {"number": {"answer": SECRET}},
        {
            "number": 1,
            "inner": {"answer": SECRET, "backup": SECRET, "inner": {"answer": SECRET, "backup": 1}},
        },
        [SECRET],
        SECRET,
    ]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        for body in bodies:
            answer = await client.post("/", json=body, headers={"Authorization": f"Bearer {SECRET}"})
            assert problems(answer)
            assert SECRET not in answer.text
        [_, problem] = problems(
            await client.post("/", json={"number": "x"}, headers={"Authorization": "7 x"})
        )
    assert problem["input"] == "x"


@pytest.mark.parametrize(
    "name",
    [
        *("password", "newPassword", "Pass", "user-pwd", "passphrase", "secret", "client_secret"),
        *("secret_value", "apiKey", "x-api-key", "X-System-Key", "private_key", "keys", "token", "tokens"),
        *("access_token", "refreshToken", "Authorization", "Set-Cookie", "session_id", "credentials", "jwt"),
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)
    assert ShownInputs().shown(("body", name), "x") == HIDDEN
    assert ShownInputs().shown(("body",), {"a": [{name: "x"}]}) == {"a": [{name: HIDDEN}]}


def test_no_other_field_of_the_engines_has_the_name_of_a_secret() -> None:
    named = set(names_in(create_app(settings()).openapi()))
    assert named > {"tokens_input", "ga4_api_secret_slot", "opt_out"}
    of_secrets = {name for name in named if is_secret_name(name)}
    assert of_secrets == {"password", "access_token", "token_type", "x-system-key", "Idempotency-Key"}


def names_in(part: Any) -> Iterator[str]:
    """Names of fields and parameters in an OpenAPI document."""
    if isinstance(part, dict):
        yield from part.get("properties", {})
        if isinstance(part.get("name"), str):
            yield part["name"]
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from names_in(inner)

"""Row 2 of what callers run into: the same Idempotency-Key stores once, on every route that creates."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.callers import Caller

Body = dict[str, Any]


@dataclass(frozen=True)
class Creation:
    """A route that creates, a body for it, another one, and how many are there afterwards."""

    method: str
    path: str
    body: Body
    other: Body
    count: Callable[[Caller], Awaitable[int]]


async def _locks(caller: Caller) -> int:
    # Corridors need an approved lock, which is no corridor.
    return len([lock for lock in await caller.get("/strategy-locks") if lock["status"] == "draft"])


async def _licences(caller: Caller) -> int:
    return len(await caller.get("/firearms/licences"))


async def _definitions(caller: Caller) -> int:
    return len(await caller.get("/kpi/definitions"))


async def _corridors(caller: Caller) -> int:
    return len(await caller.get("/kpi/corridors"))


async def _usage(caller: Caller) -> int:
    """The events of the list, which the sum must agree with."""
    items = (await caller.get("/budget/usage"))["items"]
    total = (await caller.get("/budget/usage/summary"))["total_events"]
    assert total == len(items)
    return len(items)


LOCK = {"scope": "other", "title": "a"}
LICENCE = {"subject_type": "user", "subject_id": "u_1", "level": "low"}
USAGE = {"provider": "openai", "cost": "0.25"}
CREATIONS = [
    Creation(
        "POST", "/strategy-locks", {"scope": "other", "title": "a"}, {"scope": "other", "title": "b"}, _locks
    ),
    Creation("POST", "/firearms/licences", LICENCE, LICENCE | {"level": "high"}, _licences),
    Creation("POST", "/kpi/definitions", {"name": "visits"}, {"name": "clicks"}, _definitions),
    Creation("PUT", "/kpi/corridors", {"kpi_name": "visits"}, {"kpi_name": "clicks"}, _corridors),
    Creation("POST", "/budget/usage", USAGE, USAGE | {"cost": "0.5"}, _usage),
]


@pytest.fixture(params=CREATIONS, ids=lambda creation: creation.path)
async def creation(request: pytest.FixtureRequest, owner: Caller) -> Creation:
    await owner.approved("*")
    found: Creation = request.param
    return found


def key(value: str | None = None) -> dict[str, str | None]:
    return {"Idempotency-Key": f'"{value or uuid4().hex}"'}


async def test_row_2_the_same_key_stores_once_and_answers_alike(owner: Caller, creation: Creation) -> None:
    body, headers = owner.scoped(**creation.body), key()
    first = await owner.call(creation.method, creation.path, body, headers=headers)
    again = await owner.call(creation.method, creation.path, dict(reversed(body.items())), headers=headers)
    assert again == first
    assert await creation.count(owner) == 1


async def test_row_2_at_once_too(owner: Caller, creation: Creation) -> None:
    body, headers = owner.scoped(**creation.body), key()
    sent = [owner.call(creation.method, creation.path, body, headers=headers) for _ in range(5)]
    answers = await asyncio.gather(*sent)
    assert [answer for answer in answers if answer != answers[0]] == []
    assert await creation.count(owner) == 1


async def test_row_2_without_a_key_or_with_another_each_is_stored(owner: Caller, creation: Creation) -> None:
    body = owner.scoped(**creation.body)
    for headers in (None, None, key(), key()):
        await owner.call(creation.method, creation.path, body, headers=headers)
    assert await creation.count(owner) == 4


async def test_row_2_a_key_of_another_body_is_422(owner: Caller, creation: Creation) -> None:
    headers = key()
    await owner.call(creation.method, creation.path, owner.scoped(**creation.body), headers=headers)
    said = "this Idempotency-Key was used with another body: take a new one"
    other = owner.scoped(**creation.other)
    await owner.call(creation.method, creation.path, other, 422, headers=headers, detail=said)
    assert await creation.count(owner) == 1


async def test_row_2_a_key_is_its_users_its_envs_and_its_routes(owner: Caller, creation: Creation) -> None:
    """A neighbour, a colleague and another env store their own under the same key."""
    headers, callers = (
        key("same"),
        [owner, owner.having("admin"), owner.within("staging"), await owner.neighbour()],
    )
    for caller in callers[2:]:
        await caller.approved("*")
    for caller in callers:
        await caller.call(creation.method, creation.path, caller.scoped(**creation.body), headers=headers)
    assert [await creation.count(caller) for caller in callers] == [2, 2, 1, 1]


@pytest.mark.parametrize("given", ["", '""', '"' + "x" * 256 + '"', '"a"b"', "two words", '"ä"', "a,b c"])
async def test_row_2_a_malformed_key_is_400(owner: Caller, creation: Creation, given: str) -> None:
    body = owner.scoped(**creation.body)
    answer = await owner.http.request(
        creation.method,
        creation.path,
        json=body,
        headers=[
            (b"X-Tenant-Id", owner.tenant_id.encode()),
            (b"X-Env", owner.env.encode()),
            (b"Authorization", f"Bearer {owner.token}".encode()),
            (b"Idempotency-Key", given.encode("latin-1")),
        ],
    )
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("Idempotency-Key takes a string of 1 to 255")
    assert await creation.count(owner) == 0


async def test_row_2_a_refused_request_leaves_its_key_free(owner: Caller) -> None:
    headers = key()
    await owner.post("/strategy-locks", {"title": "no scope"}, 422, headers=headers)
    await owner.post("/strategy-locks", {"scope": "other", "title": "a"}, headers=headers)


async def test_row_2_what_changed_since_is_not_put_back(owner: Caller) -> None:
    headers = key()
    licence = await owner.post("/firearms/licences", owner.scoped(**LICENCE), headers=headers)
    await owner.patch(f"/firearms/licences/{licence['id']}")
    again = await owner.post("/firearms/licences", owner.scoped(**LICENCE), headers=headers)
    assert (again["id"], again["status"]) == (licence["id"], "revoked")


def newcomer(**changed: str) -> dict[str, str]:
    name = uuid4().hex
    return {"email": f"{name}@example.com", "password": "a password", "tenant_name": name} | changed


async def test_row_2_a_sign_up_that_is_repeated_signs_in_what_it_created(http: httpx.AsyncClient) -> None:
    body, headers = newcomer(), {"Idempotency-Key": '"sign-up"'}
    answers = [await http.post("/auth/signup", json=body, headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    created = [(one["user"], one["tenant"], one["memberships"]) for one in (each.json() for each in answers)]
    assert created == [created[0]] * 3
    assert created[0][1]["name"] == body["tenant_name"]


async def test_row_2_sign_ups_at_once_under_one_key_create_one_user(http: httpx.AsyncClient) -> None:
    body, headers = newcomer(), {"Idempotency-Key": '"sign-up"'}
    sent = [http.post("/auth/signup", json=body, headers=headers) for _ in range(3)]
    answers = await asyncio.gather(*sent)
    assert [answer.status_code for answer in answers] == [200] * 3
    assert len({answer.json()["user"]["id"] for answer in answers}) == 1


@pytest.mark.parametrize(
    ("changed", "header", "status"),
    [
        ({"password": "another"}, '"sign-up"', 400),
        ({}, '"another key"', 400),
        ({}, None, 400),
        ({"tenant_name": "another"}, '"sign-up"', 422),
    ],
)
async def test_row_2_no_other_sign_up_gets_at_an_account(
    http: httpx.AsyncClient, changed: dict[str, str], header: str | None, status: int
) -> None:
    body = newcomer()
    first = await http.post("/auth/signup", json=body, headers={"Idempotency-Key": '"sign-up"'})
    assert first.status_code == 200
    headers = {"Idempotency-Key": header} if header else {}
    answer = await http.post("/auth/signup", json=body | changed, headers=headers)
    assert answer.status_code == status
    assert "access_token" not in answer.text

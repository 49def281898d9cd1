"""One id per request: in the answer, in each log line, in the stored event; and what such a line holds."""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from engines.app import create_app
from engines.common.documents import StoreTimeout
from engines.common.logs import JsonLines
from engines.common.tracing import background, begin, current, identify
from tests.support.app import Login, MemoryKit, running, send_pageview, settings, sign_up
from tests.support.faults import FaultyStore

NEW = re.compile(r"[0-9a-f]{32}\Z")
ID = {"X-Request-Id": "order 66"}


class Lines(logging.Handler):
    """What the process would print."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonLines())
        self.text: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.text.append(self.format(record))

    def of(self, request_id: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.text]
        return [line for line in found if line.get("request_id") == request_id]


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler, logger = Lines(), logging.getLogger("engines")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(before)


@pytest.fixture
async def faulty() -> AsyncIterator[tuple[MemoryKit, FaultyStore]]:
    kit = MemoryKit()
    kit.store = store = FaultyStore(kit.store)
    async with running(kit) as kit:
        yield kit, store


async def test_one_id_is_in_the_answer_the_log_and_the_stored_event(
    kit: MemoryKit, acme: Login, lines: Lines
) -> None:
    headers = acme.headers() | {"X-Request-Id": "order 66"}
    answer = await kit.client.post("/analytics/events/pageview", json={"surface": "squared"}, headers=headers)
    assert answer.headers.get_list("x-request-id") == ["order 66"]
    [stored] = [
        one async for one in kit.sink.scan(acme.tenant_id, "dev") if one.event.requestId == "order 66"
    ]
    assert stored.event.traceId == "order 66"
    event, request = lines.of("order 66")
    assert (event["logger"], event["event"]["event_id"]) == ("engines.events", stored.event_id)
    for line in (event, request):
        assert (line["trace_id"], line["tenant_id"], line["env"]) == ("order 66", acme.tenant_id, "dev")
    assert request["logger"] == "engines.access"
    shown = ("POST", "/analytics/events/pageview", 200)
    assert (request["method"], request["route"], request["status"]) == shown
    assert request["ms"] >= 0


async def test_an_audit_event_has_the_id_too(kit: MemoryKit, acme: Login) -> None:
    body = {"scope": "other", "title": "t"}
    await kit.client.post("/strategy-locks", json=body, headers=acme.headers() | {"X-Request-Id": "r-7"})
    found = [one.event async for one in kit.sink.scan(acme.tenant_id, "dev")]
    assert [(event.requestId, event.metadata["request_id"]) for event in found] == [("r-7", "r-7")]


@pytest.mark.parametrize(
    "given", [None, "", "x" * 129, "tab\there", "nul\x00", "é", "\x7f", '{"a":1}\x1b[31m'], ids=repr
)
async def test_an_id_that_cannot_be_used_is_replaced(kit: MemoryKit, acme: Login, given: str | None) -> None:
    raw = [] if given is None else [(b"x-request-id", given.encode())]
    headers = [*((name.encode(), value.encode()) for name, value in acme.headers().items()), *raw]
    answer = await kit.client.post("/analytics/events/pageview", json={"surface": "squared"}, headers=headers)
    [request_id] = answer.headers.get_list("x-request-id")
    assert NEW.match(request_id)
    [stored] = [one.event async for one in kit.sink.scan(acme.tenant_id, "dev")]
    assert stored.requestId == request_id


@pytest.mark.parametrize("given", ["x", "x" * 128, " ~!'\"\\<script>"], ids=repr)
def test_printable_ascii_is_kept(given: str) -> None:
    assert begin(given).request_id == given


@pytest.mark.parametrize(
    ("path", "status", "route"),
    [
        ("/livez", 200, "/livez"),
        ("/nowhere/secret-7351", 404, "other"),
        ("/strategy-locks/secret-7351", 400, "/strategy-locks/{lock_id}"),
        ("/bossman/", 401, "/bossman/"),
        ("/bossman/static/secret.css", 404, "/bossman/static/{name}"),
    ],
)
async def test_every_answer_has_an_id_and_a_line_that_names_the_route_alone(
    kit: MemoryKit, lines: Lines, path: str, status: int, route: str
) -> None:
    answer = await kit.client.get(f"{path}?q=secret-7351", headers={"X-Request-Id": "r"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (status, "r")
    [line] = [one for one in lines.of("r") if one["logger"] == "engines.access"]
    assert (line["status"], line["route"]) == (status, route)
    assert "secret" not in "".join(lines.text)


async def test_a_made_up_method_is_not_repeated(kit: MemoryKit, lines: Lines) -> None:
    answer = await kit.client.request("SECRET-7351", "/livez", headers={"X-Request-Id": "r"})
    assert answer.status_code == 405
    assert [line["method"] for line in lines.of("r")] == ["other"]


async def test_an_oversized_body_has_its_id(kit: MemoryKit, acme: Login) -> None:
    answer = await kit.client.post("/auth/login", content=b" " * 1_100_000, headers=ID)
    assert (answer.status_code, answer.headers["x-request-id"]) == (413, ID["X-Request-Id"])


async def test_a_store_that_fails_is_logged_with_the_id(
    faulty: tuple[MemoryKit, FaultyStore], lines: Lines
) -> None:
    kit, store = faulty
    acme = await sign_up(kit.client, "acme")
    store.faults["scan strategy_locks"] = StoreTimeout("memory: slow")
    answer = await kit.client.get("/strategy-locks", headers=acme.headers() | {"X-Request-Id": "r"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (503, "r")
    warning, request = lines.of("r")
    assert (warning["level"], warning["message"]) == ("WARNING", "document store: memory: slow")
    assert warning["tenant_id"] == request["tenant_id"] == acme.tenant_id


async def test_an_unexpected_error_has_its_id_and_keeps_its_text_out_of_the_log(lines: Lines) -> None:
    kit = MemoryKit()
    kit.store = store = FaultyStore(kit.store)
    app = create_app(settings(), kit.adapters())
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            acme = await sign_up(client, "acme")
            store.faults["scan strategy_locks"] = ValueError("hunter2")
            answer = await client.get("/strategy-locks", headers=acme.headers() | {"X-Request-Id": "r"})
    assert (answer.status_code, answer.json()) == (500, {"detail": "internal error"})
    assert answer.headers["x-request-id"] == "r"
    [request] = lines.of("r")
    assert request["status"] == 500
    assert "hunter2" not in "".join(lines.text)


async def test_a_foreign_tenant_is_never_logged_as_the_callers(
    kit: MemoryKit, acme: Login, lines: Lines
) -> None:
    for headers in (
        {"X-Tenant-Id": "t_foreign", "X-Env": "dev"},
        acme.headers() | {"X-Tenant-Id": "t_foreign"},
    ):
        await kit.client.get("/strategy-locks", headers=headers | {"X-Request-Id": "r"})
    assert [line.get("tenant_id") for line in lines.of("r")] == [None, None]


async def test_two_requests_at_once_keep_their_own(kit: MemoryKit, lines: Lines) -> None:
    one, other = await sign_up(kit.client, "one"), await sign_up(kit.client, "other")
    answers = await asyncio.gather(
        *(send_pageview(kit.client, who) for who in (one, other) for _ in range(5))
    )
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert len(set(ids)) == 10
    for request_id, who in zip(ids, [one] * 5 + [other] * 5, strict=True):
        assert {line["tenant_id"] for line in lines.of(request_id)} == {who.tenant_id}


async def test_work_in_the_background_belongs_to_no_request() -> None:
    async def seen() -> object:
        return current()

    begin("r")
    identify("t_acme", "dev")
    assert await background(seen()) is None
    assert current()


def test_an_exception_is_told_without_its_text() -> None:
    def fail() -> None:
        try:
            raise KeyError("hunter2")
        except KeyError as error:
            raise ValueError("hunter2") from error

    try:
        fail()
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("n", logging.ERROR, "p", 1, "failed\n%s", ("x",), info)
    line = JsonLines().format(record)
    assert "\n" not in line
    assert "hunter2" not in line
    told = json.loads(line)
    assert (told["message"], told["level"], told["logger"]) == ("failed\nx", "ERROR", "n")
    assert (told["exception"]["type"], told["exception"]["because_of"]) == ("ValueError", "KeyError")
    assert "test_request_trace.py" in told["exception"]["raised_at"][-1]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}\+00:00", told["time"])

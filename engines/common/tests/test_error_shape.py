"""One JSON shape for every error: ``{"detail": …}``."""

import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from engines.common.documents import (
    KeyTaken,
    StoreDenied,
    StoreError,
    StoreRefused,
    StoreTimeout,
    StoreUnavailable,
    StoreUnreadable,
)
from engines.common.errors import (
    BadRequest,
    Conflict,
    EngineError,
    Forbidden,
    NotFound,
    PayloadTooLarge,
    Unauthorized,
    Unavailable,
    Unprocessable,
    install_error_handlers,
)
from tests.support.app import Login, MemoryKit

JSON = {"Content-Type": "application/json"}


async def answer_to(error: Exception) -> httpx.Response:
    """What an app answers whose only route raises ``error``."""
    app = FastAPI()
    install_error_handlers(app)

    @app.get("/")
    async def _route() -> None:
        raise error

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        return await client.get("/")


@pytest.mark.parametrize(
    ("error", "status", "headers"),
    [
        (BadRequest("why"), 400, {}),
        (Unauthorized("why"), 401, {"www-authenticate": "Bearer"}),
        (Forbidden("why"), 403, {}),
        (NotFound("why"), 404, {}),
        (Conflict("why"), 409, {}),
        (PayloadTooLarge("why"), 413, {}),
        (Unprocessable("why"), 422, {}),
        (Unavailable("why"), 503, {"retry-after": "5"}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, EngineError) else "",
)
async def test_an_engine_error_has_its_status_shape_and_headers(
    error: EngineError, status: int, headers: dict[str, str]
) -> None:
    answer = await answer_to(error)
    assert (answer.status_code, answer.json()) == (status, {"detail": "why"})
    extra = set(answer.headers) - {"content-length", "content-type"}
    assert {name: answer.headers[name] for name in extra} == headers


async def test_a_detail_may_be_an_object() -> None:
    answer = await answer_to(Conflict({"error": "strategy_lock_required", "action": "a"}))
    assert answer.json() == {"detail": {"error": "strategy_lock_required", "action": "a"}}


UNAVAILABLE = {"error": "state_store_unavailable", "reason": "firestore: why"}


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (StoreError, 503, UNAVAILABLE),
        (StoreUnavailable, 503, UNAVAILABLE),
        (StoreTimeout, 503, UNAVAILABLE),
        (StoreDenied, 503, UNAVAILABLE),
        (StoreUnreadable, 503, UNAVAILABLE),
        (StoreRefused, 422, "the store cannot hold this record: firestore: why"),
        (KeyTaken, 409, "the id is taken by another record"),
    ],
)
async def test_a_store_error_is_mapped(error: type[StoreError], status: int, detail: Any) -> None:
    answer = await answer_to(error("firestore: why"))
    assert (answer.status_code, answer.json()) == (status, {"detail": detail})
    assert answer.headers.get("retry-after") == ("5" if status == 503 else None)


@pytest.mark.parametrize(
    ("method", "path", "status", "detail"),
    [
        ("GET", "/absent", 404, "Not Found"),
        ("DELETE", "/livez", 405, "Method Not Allowed"),
        ("GET", "/auth/me", 401, "missing bearer token"),
        ("GET", "/bossman/tenant-dashboard", 400, "tenant_id and env are required"),
    ],
)
async def test_the_framework_answers_in_the_same_shape(
    kit: MemoryKit, method: str, path: str, status: int, detail: str
) -> None:
    answer = await kit.client.request(method, path)
    assert (answer.status_code, answer.json()) == (status, {"detail": detail})


async def test_unparsable_json_is_422_and_not_echoed(kit: MemoryKit) -> None:
    answer = await kit.client.post("/auth/login", content=b'{"password": hunter2', headers=JSON)
    assert answer.status_code == 422
    assert [problem["type"] for problem in answer.json()["detail"]] == ["json_invalid"]
    assert "hunter2" not in answer.text


@pytest.mark.parametrize(
    "body",
    [b'{"surface": "\xff"}', b'{"surface": ' + b"[" * 100_000, b'{"surface": ' + b"1" * 5_000 + b"}"],
    ids=["not_utf8", "nested", "huge_number"],
)
async def test_a_body_that_the_framework_cannot_parse_is_400(
    kit: MemoryKit, acme: Login, body: bytes
) -> None:
    headers = acme.headers() | JSON
    answer = await kit.client.post("/analytics/events/pageview", content=body, headers=headers)
    assert (answer.status_code, answer.json()) == (400, {"detail": "There was an error parsing the body"})


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
async def test_numbers_outside_json_never_break_an_answer(kit: MemoryKit, number: str) -> None:
    content = f'{{"email": {number}, "password": "p"}}'
    answer = await kit.client.post("/auth/login", content=content, headers=JSON)
    assert answer.status_code == 422
    assert [problem["loc"] for problem in json.loads(answer.text)["detail"]] == [["body", "email"]]

"""The limit of request bodies: one mebibyte, declared or counted."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from engines.server.limits import ServerLimits
from tests.support.app import Login, MemoryKit

REFUSAL = {"detail": "the body is larger than 1048576 bytes"}
MAX_BODY_BYTES = ServerLimits().body_bytes
JSON = {"Content-Type": "application/json"}


def login_body(size: int) -> bytes:
    """A login whose JSON is exactly ``size`` bytes long."""
    empty = len(json.dumps({"email": "", "password": "p"}))
    return json.dumps({"email": "e" * (size - empty), "password": "p"}).encode()


async def chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 65_536):
        yield body[start : start + 65_536]


async def send(kit: MemoryKit, body: bytes, how: str) -> httpx.Response:
    content = body if how == "declared" else chunks(body)
    answer = await kit.client.post("/auth/login", content=content, headers=JSON)
    assert ("content-length" in answer.request.headers) is (how == "declared")
    return answer


@pytest.mark.parametrize("how", ["declared", "chunked"])
async def test_a_body_at_the_limit_is_read(kit: MemoryKit, how: str) -> None:
    answer = await send(kit, login_body(MAX_BODY_BYTES), how)
    assert (answer.status_code, answer.json()) == (401, {"detail": "invalid credentials"})


@pytest.mark.parametrize("how", ["declared", "chunked"])
@pytest.mark.parametrize("size", [MAX_BODY_BYTES + 1, 3 * MAX_BODY_BYTES])
async def test_a_body_over_the_limit_is_413(kit: MemoryKit, how: str, size: int) -> None:
    answer = await send(kit, login_body(size), how)
    assert (answer.status_code, answer.json()) == (413, REFUSAL)


async def test_a_large_body_is_refused_before_the_token_is_looked_at(kit: MemoryKit) -> None:
    body = b"x" * (MAX_BODY_BYTES + 1)
    answer = await kit.client.post("/analytics/events/pageview", content=body, headers=JSON)
    assert (answer.status_code, answer.json()) == (413, REFUSAL)


async def test_a_route_that_reads_the_body_only_for_its_context_is_limited_too(
    kit: MemoryKit, acme: Login
) -> None:
    content = chunks(b"x" * (MAX_BODY_BYTES + 1))
    request = kit.client.build_request(
        "GET", "/bossman/tenant-dashboard", content=content, headers=acme.headers()
    )
    answer = await kit.client.send(request)
    assert (answer.status_code, answer.json()) == (413, REFUSAL)


async def test_a_declared_length_is_refused_without_reading_the_body(kit: MemoryKit) -> None:
    read = 0

    async def counted() -> AsyncIterator[bytes]:
        nonlocal read
        read += 1
        yield b"x"

    headers = JSON | {"Content-Length": str(MAX_BODY_BYTES + 1)}
    answer = await kit.client.post("/auth/login", content=counted(), headers=headers)
    assert (answer.status_code, answer.json(), read) == (413, REFUSAL, 0)

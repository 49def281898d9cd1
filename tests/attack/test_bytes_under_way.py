"""Bodies that are being received and held: bounded in all and for each tenant, without touching others."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.support.app import Login, dashboard, send_pageview, sign_up
from tests.support.bossman import Bossman, bossman
from tests.support.sockets import Answer, Socket, connected, head

ALMOST = 1_000_000
"""Bytes sent of a body of one mebibyte."""

LARGEST = 500_000
"""Bytes of metadata that a page view can hold: they lie in its input too."""

OF_A_MEBIBYTE = ("Content-Type: application/json", "Content-Length: 1048576")


@pytest.fixture(scope="module")
def served() -> Iterator[Bossman]:
    patient = {"body_seconds": 600, "head_seconds": 600}
    with bossman({"NEXUS_BACKEND": "noop"}, patient) as process:
        yield process


@pytest.fixture
async def http(served: Bossman) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=served.url, timeout=60) as client:
        yield client


async def held(socket: Socket, *lines: str) -> None:
    """Send most of a body and no more."""
    path = "/analytics/events/pageview"
    await socket.send(head(path, *OF_A_MEBIBYTE, *lines, method="POST") + b" " * ALMOST)


def token_of(login: Login) -> str:
    return f"Authorization: Bearer {login.token}"


async def test_bodies_of_nobody_are_bounded_in_all(served: Bossman, http: httpx.AsyncClient) -> None:
    mine = await sign_up(http, "mine")
    async with connected(served.port, 240) as sockets:
        await asyncio.gather(*(held(socket) for socket in sockets))
        oldest = await _first_answer(sockets)
        assert (oldest.status, oldest.headers["retry-after"]) == (503, "5")
        assert (await send_pageview(http, mine, metadata={"text": "x" * LARGEST})).status_code == 200
        await dashboard(http, mine)
        await sign_up(http, "another")
    assert served.peak_megabytes() < 384


async def _first_answer(sockets: list[Socket]) -> Answer:
    answers = [asyncio.create_task(socket.answer()) for socket in sockets]
    done, waiting = await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    return next(iter(done)).result()


async def test_a_tenant_over_its_share_is_429_and_others_go_on(
    served: Bossman, http: httpx.AsyncClient
) -> None:
    greedy, other = await sign_up(http, "greedy"), await sign_up(http, "other")
    async with connected(served.port, 5) as sockets:
        for socket in sockets:
            await held(socket, token_of(greedy))
        answer = await _first_answer(sockets)
        assert (answer.status, answer.headers["retry-after"]) == (429, "5")
        assert answer.json() == {"detail": "this tenant has too many bodies under way; try again later"}
        assert (await send_pageview(http, other, metadata={"text": "x" * LARGEST})).status_code == 200
    # What was held is free again when the connections are gone.
    assert await _until_accepted(http, greedy)


async def _until_accepted(http: httpx.AsyncClient, login: Login) -> bool:
    for _ in range(600):
        if (await send_pageview(http, login, metadata={"text": "x" * LARGEST})).status_code == 200:
            return True
        await asyncio.sleep(0.05)
    return False


async def test_small_bodies_are_never_refused_for_the_bytes(served: Bossman, http: httpx.AsyncClient) -> None:
    busy = await sign_up(http, "busy")
    async with connected(served.port, 5) as sockets:
        for socket in sockets:
            await held(socket, token_of(busy))
        await _first_answer(sockets)
        for _ in range(10):
            assert (await send_pageview(http, busy, metadata={"text": "x" * 3_000})).status_code == 200


async def test_large_bodies_of_one_tenant_leave_memory_for_all(
    served: Bossman, http: httpx.AsyncClient
) -> None:
    large, other = await sign_up(http, "large"), await sign_up(http, "besides")
    fits, is_too_much = (
        json.dumps({"surface": "squared", "metadata": {"a": ["a word and a number 12"] * count}})
        for count in (19_000, 38_000)
    )
    headers = large.headers() | {"Content-Type": "application/json"}

    async def send(body: str) -> int:
        answer = await http.post("/analytics/events/pageview", content=body, headers=headers)
        if answer.status_code == 429:
            assert answer.headers["retry-after"] == "5"
        return answer.status_code

    bodies = [fits, is_too_much] * 10
    statuses = await asyncio.gather(*map(send, bodies), dashboard(http, other))
    assert 200 in statuses
    assert set(statuses[:-1]) <= {200, 422, 429}
    assert served.peak_megabytes() < 384

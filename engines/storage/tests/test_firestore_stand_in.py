"""Asking the stand-in: over HTTP, bounded, shared, and never an error of its own."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from engines.storage.firestore_stand_in import FirestoreStandIn
from tests.support.stand_in import KILLED, ORDERLY, Door, opened_door


@asynccontextmanager
async def asking(
    host: str, seconds: float = 10.0, ttl_seconds: float = 600.0
) -> AsyncIterator[FirestoreStandIn]:
    stand_in = FirestoreStandIn(host, seconds, ttl_seconds)
    try:
        yield stand_in
    finally:
        await stand_in.close()


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with opened_door() as opened:
        yield opened


async def test_it_reads_the_agreed_shape(door: Door) -> None:
    async with asking(door.host) as stand_in:
        status = await stand_in.status()
        assert status is not None
        assert json.loads(status.model_dump_json()).keys() == ORDERLY.keys()
        assert (status.generation, status.lost) == (ORDERLY["generation"], False)
        assert await stand_in.generation() == ORDERLY["generation"]


@pytest.mark.parametrize("more", [KILLED, {"fell_back": True}], ids=["killed", "fell_back"])
async def test_a_start_without_all_that_was_acknowledged_is_a_loss(door: Door, more: dict[str, bool]) -> None:
    door.body = json.dumps(ORDERLY | more)
    async with asking(door.host) as stand_in:
        status = await stand_in.status()
        assert status is not None
        assert status.lost


async def test_the_first_start_on_an_empty_volume_is_no_loss(door: Door) -> None:
    nothing = dict.fromkeys(("restored_from", "restored_as_of", "stopped_at", "saved_at"))
    door.body = json.dumps(ORDERLY | nothing)
    async with asking(door.host) as stand_in:
        status = await stand_in.status()
        assert status is not None
        assert (status.lost, status.newest_save_at) == (False, status.started_at)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, "Not Found"),
        (200, "Ok\n"),
        (200, "[]"),
        (200, json.dumps({"service": "another"})),
        (200, json.dumps(ORDERLY | {"started_at": "2026-01-15T11:50:00"})),
        (500, json.dumps(ORDERLY)),
    ],
    ids=["plain_emulator", "text", "list", "another_service", "time_without_zone", "error"],
)
async def test_whatever_else_answers_says_nothing(door: Door, status: int, body: str) -> None:
    door.status, door.body = status, body
    async with asking(door.host) as stand_in:
        assert await stand_in.status() is None
        assert await stand_in.generation() is None


async def test_nobody_there_and_one_who_hangs_say_nothing(door: Door) -> None:
    door.hanging = True
    async with asking(door.host, seconds=0.05) as stand_in:
        assert await stand_in.status() is None
    async with asking("127.0.0.1:1") as stand_in:
        assert await stand_in.status() is None


async def test_those_who_ask_together_share_an_answer_that_is_kept_for_a_while(door: Door) -> None:
    async with asking(door.host) as stand_in:
        first = await asyncio.gather(*(stand_in.status() for _ in range(20)))
        door.body = json.dumps(ORDERLY | {"generation": "another"})
        assert [*first, await stand_in.status()] == [first[0]] * 21
        assert door.asked == 1
    async with asking(door.host, ttl_seconds=0.0) as stand_in:
        await stand_in.status()
        door.body = json.dumps(ORDERLY)
        assert await stand_in.generation() == ORDERLY["generation"]


async def test_a_proxy_of_the_environment_is_not_asked(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with asking(door.host) as stand_in:
        assert await stand_in.generation() == ORDERLY["generation"]

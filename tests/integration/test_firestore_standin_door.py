"""The door in front of the emulator: as if it were not there, but for the status and for refusals."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest
from google.cloud import firestore
from google.cloud.firestore import AsyncClient
from google.cloud.firestore_v1.types import Write, WriteRequest

from engines.storage.firestore_client import close_client, open_client
from tests.support.docker import wait_until
from tests.support.standin import PROJECT, Standin, standin

FIELDS = {
    "service": str,
    "generation": str,
    "started_at": str,
    "restored_from": None,
    "restored_as_of": None,
    "stopped_at": None,
    "orderly": bool,
    "fell_back": bool,
    "saved_at": None,
    "save_seconds": None,
    "saved_bytes": None,
    "saving": str,
    "save_error": None,
    "save_failing_since": None,
    "writes": str,
    "refused_because": None,
    "memory_used_bytes": int,
    "memory_limit_bytes": int,
    "disk_free_bytes": int,
}
"""Of the status of a first start, which accepts writes; None: null."""
DOCUMENTS = f"projects/{PROJECT}/databases/(default)/documents"


@pytest.fixture(scope="module")
def running() -> Iterator[Standin]:
    with standin() as running:
        yield running


@pytest.fixture
async def client(running: Standin) -> AsyncIterator[AsyncClient]:
    client = open_client(PROJECT, running.host)
    yield client
    await close_client(client)


def test_the_status_of_a_first_start(running: Standin) -> None:
    answer = httpx.get(f"http://{running.host}/kit/status")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    status = answer.json()
    assert {name: type(value) if value is not None else None for name, value in status.items()} == FIELDS
    assert status["orderly"] is True
    assert datetime.fromisoformat(status["started_at"]).tzinfo
    wait_until(lambda: running.health() == (0, ""), 60, "health passes")


async def test_a_request_near_the_emulators_own_limit_passes(client: AsyncClient) -> None:
    batch = client.batch()
    for number in range(4):
        batch.set(client.document(f"large/{number}"), {"text": "x" * 1_000_000})
    await batch.commit(retry=None, timeout=30)
    assert [len(found.get("text")) async for found in client.collection("large").stream()] == [1_000_000] * 4


async def test_more_calls_at_once_than_a_proxy_takes_by_itself(client: AsyncClient) -> None:
    await client.document("one/a").set({"n": 1}, timeout=30)
    found = await asyncio.gather(*(client.document("one/a").get(timeout=60) for _ in range(300)))
    assert [snapshot.get("n") for snapshot in found] == [1] * 300


async def test_a_transaction(client: AsyncClient) -> None:
    counter: Any = client.document("counters/a")
    await counter.set({"n": 1})

    @firestore.async_transactional
    async def add(transaction: Any) -> None:
        snapshot = await counter.get(transaction=transaction)
        transaction.update(counter, {"n": snapshot.get("n") + 1})

    await add(client.transaction())
    assert (await counter.get()).get("n") == 2


def test_a_listener_hears_of_changes(running: Standin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", running.host)
    client: Any = firestore.Client(project=PROJECT)
    seen: list[int] = []
    watch = client.collection("heard").on_snapshot(lambda documents, *_: seen.append(len(documents)))
    try:
        for number in range(1, 4):
            client.collection("heard").document(str(number)).set({"n": number})
            wait_until(lambda: seen[-1:] == [number], 30, f"{number} documents: {seen}")  # noqa: B023
    finally:
        watch.unsubscribe()
        client.close()


async def test_an_open_stream_of_writes_is_saved_while_it_is_open(
    running: Standin, client: AsyncClient
) -> None:
    def saved() -> Any:
        return running.status()["saved_at"]

    database = f"projects/{PROJECT}/databases/(default)"
    asked: asyncio.Queue[WriteRequest] = asyncio.Queue()

    async def requests() -> AsyncIterator[WriteRequest]:
        while True:
            yield await asked.get()

    await asked.put(WriteRequest(database=database))
    stream = await client._firestore_api.write(requests(), timeout=60)
    answers = aiter(stream)
    opened = await anext(answers)
    for number in range(2):
        before = saved()
        document = {"name": f"{DOCUMENTS}/streamed/{number}", "fields": {"n": {"integer_value": number}}}
        write = Write(update=document)
        await asked.put(WriteRequest(database=database, writes=[write], stream_token=opened.stream_token))
        opened = await anext(answers)
        wait_until(lambda: saved() != before, 30, "a save")  # noqa: B023
    stream.cancel()

"""The outbox on the real stand-in: durable, shared, in order, and nothing accepted is lost with a process."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from google.cloud.firestore import AsyncClient

from engines.common.clock import utc_now
from engines.common.documents import SYSTEM, Address, Document, Scope
from engines.nexus.backends.sink import Envelope
from engines.nexus.delivery import Delivered, Delivery, Limits
from engines.nexus.delivery.dead_letters import DEAD_LETTERS, DeadLetters
from engines.nexus.delivery.lease import KEY, LEASES
from engines.nexus.delivery.outbox import PIECE, Outbox
from engines.nexus.delivery.outbox_records import OUTBOX, QUEUES
from engines.nexus.delivery.queue import Waiting
from engines.nexus.delivery.text import to_text
from engines.storage.firestore import FirestoreDocumentStore
from tests.support.delivery import AWAY, WatchedSink
from tests.support.docker import ROOT, Firestore
from tests.support.records import dataset_event, stored_events

SOON = replace(Limits(), caller_seconds=20, sink_seconds=0.3, floor_seconds=0.2)
"""A sink that is given up soon, and an outbox that may take its time on a busy machine."""


@pytest.fixture
async def store(client: AsyncClient) -> FirestoreDocumentStore:
    """The stand-in's store without outbox, letters and lease of other tests."""
    store = FirestoreDocumentStore(client)
    for address in (OUTBOX, QUEUES, DEAD_LETTERS):
        for document in await store.scan(address, SYSTEM):
            await store.delete(address, SYSTEM, document.fields["key"])
    await store.delete(LEASES, SYSTEM, KEY)
    return store


@pytest.fixture
def sink() -> WatchedSink:
    return WatchedSink()


def envelope(event_id: str, **event: Any) -> Envelope:
    return Envelope(event_id=event_id, ingested_at=utc_now(), event=dataset_event(**event))


async def put_aside(process: Delivery, sink: WatchedSink, count: int) -> list[str]:
    """Events in the outbox; the sink is up again."""
    sink.faults["write"] = AWAY
    ids = [f"e-{number:03}" for number in range(count)]
    for event_id in ids:
        assert await process.deliver(envelope(event_id)) == Delivered(event_id, "outbox")
    sink.faults.clear()
    sink.batches.clear()
    return ids


async def test_what_waits_comes_out_in_order_and_once(
    store: FirestoreDocumentStore, sink: WatchedSink
) -> None:
    one, two = Delivery(sink, outbox=store, limits=SOON), Delivery(sink, outbox=store, limits=SOON)
    ids = await put_aside(one, sink, 30)
    shown = await two.undelivered(Scope("t_acme", "dev"))
    assert (shown.depth, shown.oldest_at is not None) == (30, True)
    assert sum(await asyncio.gather(one.drain(), two.drain(), one.drain())) == 30
    assert [event_id for batch in sink.batches for event_id in batch] == ids
    assert (await one.undelivered(Scope("t_acme", "dev"))).depth == 0


async def test_a_large_batch_and_any_value_survive_the_outbox(
    store: FirestoreDocumentStore, sink: WatchedSink
) -> None:
    process = Delivery(sink, outbox=store, letters=store, limits=SOON)
    sink.faults["write"] = AWAY
    odd = [
        envelope("odd-0", input={"x": "\ud800"}),
        envelope("odd-1", env="\ud800"),
        envelope("odd-2", input={"": {"__a__": [[1, 2**70]]}}),
        envelope("large", input={"text": "x" * 990_000}),
        *(envelope(f"e-{number}") for number in range(495)),
    ]
    answers = await asyncio.gather(*(process.deliver(item) for item in odd))
    assert {answer.durable_in for answer in answers} == {"outbox"}
    sink.faults.clear()
    sink.batches.clear()
    assert await process.drain() == 499
    sent = [event_id for batch in sink.batches for event_id in batch]
    plain = [item.event_id for item in odd if item.event_id != "odd-1"]
    assert [event_id for event_id in sent if event_id != "odd-1"] == plain
    refused = [letter.event_id for letter in await DeadLetters(store).page(10)]
    assert sorted(refused) == ["odd-0", "odd-1", "odd-2"]
    assert len(await stored_events(sink)) == 496


async def test_a_killed_process_loses_nothing_that_it_accepted(
    store: FirestoreDocumentStore, sink: WatchedSink, emulator: Firestore
) -> None:
    command = (sys.executable, "-m", "tests.support.accepting", emulator.host)
    pipe = asyncio.subprocess.PIPE
    victim = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=pipe)
    assert victim.stdout
    accepted = [(await asyncio.wait_for(victim.stdout.readline(), 30)).decode().strip() for _ in range(40)]
    victim.kill()
    rest = (await victim.stdout.read()).decode().split()
    await victim.wait()
    await store.delete(LEASES, SYSTEM, KEY)
    heir = Delivery(sink, outbox=store, letters=store)
    while await heir.drain():
        pass
    stored = {item.event_id for item in await stored_events(sink)}
    # The last line may have been cut by the kill.
    assert set(accepted + rest[:-1]) <= stored
    assert await store.count(OUTBOX, SYSTEM) == 0


class CountingStore(FirestoreDocumentStore):
    """Counts what is read of the outbox, and what is asked of the whole of it."""

    read = 0
    largest = 0
    scans = 0

    async def get_all(self, address: Address, scope: Scope, keys: Sequence[str]) -> list[Document | None]:
        self.read += len(keys) if address == OUTBOX else 0
        self.largest = max(self.largest, len(keys))
        return await super().get_all(address, scope, keys)

    async def scan(self, address: Address, *asked: Any, **how: Any) -> list[Document]:
        self.scans += address == OUTBOX
        return await super().scan(address, *asked, **how)

    async def count(self, address: Address, *asked: Any) -> int:
        self.scans += address == OUTBOX
        return await super().count(address, *asked)


async def fill(store: FirestoreDocumentStore, tenant_id: str, count: int) -> list[str]:
    """As many waiting events of the tenant, as a process puts them there while the sink is down."""
    outbox, loop, ids = Outbox(store), asyncio.get_running_loop(), []
    for first in range(0, count, 500):
        batch = []
        for number in range(first, min(count, first + 500)):
            item = envelope(f"{tenant_id}-{number:05}", tenantId=tenant_id)
            answer: asyncio.Future[Delivered] = loop.create_future()
            batch.append(Waiting(item, to_text(item), loop.time(), utc_now(), answer))
            ids.append(item.event_id)
        await outbox.add(batch, tried=False)
    return ids


async def test_thousands_that_wait_cost_a_look_nothing_and_leave_fairly_through_restarts_and_processes(
    store: FirestoreDocumentStore, client: AsyncClient, sink: WatchedSink
) -> None:
    large = await fill(store, "t_large", 3_000)
    small = await fill(store, "t_small", 1)
    counting = CountingStore(client)
    one, two = (Delivery(sink, outbox=counting, limits=SOON) for _ in range(2))
    shown = await one.undelivered(Scope("t_large", "dev"))
    assert (shown.depth, (await one.totals()).outbox) == (3_000, 3_001)
    assert shown.oldest_at is not None
    assert (counting.read, counting.scans) == (2, 0)

    # The first process ends in the middle of a batch: its lease outlives it.
    sink.gate.clear()
    ended = asyncio.create_task(Delivery(sink, outbox=store, limits=SOON).drain())
    await asyncio.wait_for(sink.asked.wait(), 30)
    ended.cancel()
    await asyncio.gather(ended, return_exceptions=True)
    sink.gate.set()
    await store.delete(LEASES, SYSTEM, KEY)
    [cut] = sink.batches

    async def drain_all(process: Delivery) -> None:
        while (await process.totals()).outbox:
            await process.drain()
            await asyncio.sleep(0.05)

    await asyncio.wait_for(asyncio.gather(drain_all(one), drain_all(two)), 100)
    assert {event_id for event_id in sink.batches[1] if event_id in set(cut)} == set(cut)
    sent = [event_id for batch in sink.batches[1:] for event_id in batch]
    assert [event_id for event_id in sent if event_id in set(large)] == large
    assert small[0] in sink.batches[1] + sink.batches[2]
    assert counting.largest <= PIECE
    # Each entry once, and a look through the first ones by each process.
    assert (counting.read <= 3_001 + 2 + 500, counting.scans <= 2) == (True, True)
    assert await store.count(OUTBOX, SYSTEM) == await store.count(QUEUES, SYSTEM) == 0

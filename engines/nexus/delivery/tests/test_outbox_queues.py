"""The queues of the outbox: depth and oldest are exact whatever happens, and cost the same at any depth."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from engines.common.documents import (
    SYSTEM,
    Address,
    Document,
    Fields,
    Scalar,
    Scope,
    Span,
    StoreTimeout,
    StoreUnavailable,
    Write,
)
from engines.nexus.delivery import Delivered, Overloaded, Undelivered
from engines.nexus.delivery.lease import KEY, LEASE_SECONDS, LEASES
from engines.nexus.delivery.outbox import PIECE
from engines.nexus.delivery.outbox_records import OUTBOX, QUEUES
from engines.nexus.delivery.text import to_text
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import QUICK
from tests.support.delivery import AWAY, Processes
from tests.support.faults import FaultyStore

ACME = Scope("t_acme", "dev")


@pytest.fixture
def shared() -> Processes:
    return Processes()


def ids(count: int, start: int = 0) -> list[str]:
    return [f"e-{number:04}" for number in range(start, start + count)]


async def depth(shared: Processes, scope: Scope = ACME) -> int:
    return (await shared.process().undelivered(scope)).depth


async def test_an_add_whose_outcome_is_unknown_counts_if_and_only_if_it_is_there(
    shared: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared.sink_down()
    process = shared.process()
    await process.deliver(shared.envelope("first"))
    mutate = shared.store.inner.mutate

    async def stored_but_late(*args: Any) -> Fields:
        await mutate(*args)
        raise StoreTimeout("memory: no answer in time")

    monkeypatch.setattr(shared.store.inner, "mutate", stored_but_late)
    [answer] = await shared.deliver(process, "unknown")
    assert isinstance(answer, Exception)
    monkeypatch.undo()
    assert (await depth(shared), len(await shared.waiting())) == (2, 2)


async def test_two_processes_that_add_at_once_lose_and_double_nothing(shared: Processes) -> None:
    shared.sink_down()
    processes = [shared.process() for _ in range(3)]
    calls = [
        processes[number % 3].deliver(shared.envelope(event_id)) for number, event_id in enumerate(ids(60))
    ]
    await asyncio.gather(*calls)
    assert (await depth(shared), len(await shared.waiting())) == (60, 60)


async def test_a_scope_over_its_bound_is_refused_alone_with_a_clear_message(shared: Processes) -> None:
    process = shared.process(replace(QUICK, outbox_events=3))
    shared.sink_down()
    for event_id in ids(3):
        await process.deliver(shared.envelope(event_id))
    [answer] = await shared.deliver(process, "more")
    assert isinstance(answer, Overloaded)
    words = "memory/events: away; 3 events of this tenant wait for the sink already, try again later"
    assert str(answer) == words
    other = await process.deliver(shared.envelope("other", tenantId="t_other"))
    assert other == Delivered("other", "outbox")
    shared.sink_up()
    assert await process.drain() == 4
    assert await shared.deliver(process, "more") == [Delivered("more", "sink")]


async def test_a_queue_that_is_empty_leaves_no_document(shared: Processes) -> None:
    await shared.put_aside(*ids(3))
    assert len(await shared.store.scan(QUEUES, SYSTEM)) == 1
    await shared.process().drain()
    assert await shared.store.scan(QUEUES, SYSTEM) == []


async def test_an_erased_tenant_leaves_a_gap_that_closes(shared: Processes) -> None:
    await shared.put_aside(*ids(70))
    for entry in (await shared.waiting())[:60]:
        await shared.store.delete(OUTBOX, SYSTEM, entry["key"])
    assert (await shared.process().undelivered(ACME)).oldest_at is not None
    assert await shared.process().drain() == 10
    assert (await depth(shared), await shared.waiting()) == (0, [])
    await shared.put_aside(*ids(2))
    await shared.store.inner.erase(OUTBOX, ACME)
    await shared.store.inner.erase(QUEUES, ACME)
    await shared.put_aside("new")
    assert (await depth(shared), await shared.process().drain()) == (1, 1)


async def test_a_gap_before_a_tried_batch_closes_and_the_batch_stays_whole(shared: Processes) -> None:
    await shared.put_aside("gone")
    await shared.put_aside(*ids(3), tried=True)
    [gone] = [entry["key"] for entry in await shared.waiting() if "gone" in entry["envelope"]]
    await shared.store.delete(OUTBOX, SYSTEM, gone)
    await shared.process().drain()
    assert (shared.sink.batches, await depth(shared)) == ([ids(3)], 0)


async def test_a_queue_that_cannot_be_read_stops_no_other(shared: Processes) -> None:
    await shared.put_aside("bad", tenant_id="t_bad")
    await shared.put_aside("good", tenant_id="t_good")
    [bad] = [item for item in await shared.store.scan(QUEUES, SYSTEM) if item.fields["tenant_id"] == "t_bad"]
    broken = bad.fields | {"head": "x"}
    await shared.store.put(Write(QUEUES, Scope("t_bad", "dev"), bad.fields["key"], broken))
    await shared.store.put(old_entry(shared, 1, "20260115T120000000000-00000000-aaaa", 0, tenantId="t_bad"))
    await shared.store.put(old_entry(shared, 2, "20260115T120000000000-00000000-aaaa", 1))
    assert await shared.process().drain() == 2
    await shared.store.put(Write(QUEUES, Scope("t_bad", "dev"), bad.fields["key"], bad.fields))
    assert await shared.process().drain() == 2


@pytest.mark.parametrize("lost", ["queue", "queue is older", "queue begins anew"])
async def test_a_store_that_was_set_back_loses_no_entry(shared: Processes, lost: str) -> None:
    await shared.put_aside(*ids(2))
    older = deepcopy(shared.store.inner._collections["nexus_outbox_queues"])
    await shared.put_aside(*ids(2, start=2))
    if lost == "queue is older":
        shared.store.inner._collections["nexus_outbox_queues"] = older
    else:
        shared.store.inner._collections["nexus_outbox_queues"].clear()
    if lost != "queue":
        await shared.put_aside("later")
    process = shared.process()
    while await process.drain():
        pass
    expected = ids(4) if lost == "queue" else [*ids(4), "later"]
    assert (await shared.stored(), await shared.waiting(), await depth(shared)) == (expected, [], 0)


def old_entry(shared: Processes, number: int, batch: str, place: int, **event: Any) -> Write:
    """An entry as the earlier layout has it."""
    envelope = shared.envelope(f"old-{number:03}", **event)
    key = f"{batch}-{place:04}"
    fields = {
        "key": key,
        "batch": batch,
        "tried": batch.endswith("tried"),
        "waiting_since": shared.clock.now,
        "envelope": to_text(envelope),
    }
    return Write(OUTBOX, Scope(envelope.event.tenantId, "dev"), key, fields, create=True)


async def test_entries_of_the_earlier_layout_leave_in_order_and_in_their_batches(shared: Processes) -> None:
    for number in range(12):
        batch = f"20260115T12000000000{number // 4}-0000000{number // 4}-{'tried' if number < 4 else 'aaaa'}"
        tenant_id = "t_acme" if number % 4 < 3 else "t_other"
        await shared.store.put(old_entry(shared, number, batch, number % 4, tenantId=tenant_id))
    await shared.put_aside("new")
    shared.clock.advance(seconds=5)
    assert await shared.process().drain() == 13
    sent = [e for batch in shared.sink.batches for e in batch]
    own = [number for number in range(12) if number % 4 < 3]
    assert [e for e in sent if e in {f"old-{n:03}" for n in own}] == [f"old-{n:03}" for n in own]
    assert {"old-000", "old-001", "old-002"} <= set(shared.sink.batches[0] + shared.sink.batches[1])
    assert (await shared.waiting(), await depth(shared)) == ([], 0)


async def test_a_store_too_slow_to_be_looked_through_still_drains(shared: Processes) -> None:
    await shared.put_aside(*ids(3))
    shared.store.faults[f"scan {OUTBOX.name}"] = StoreTimeout("memory: too slow")
    assert await shared.process().drain() == 3


async def test_what_an_earlier_version_was_sending_stays_together(shared: Processes) -> None:
    writes = [old_entry(shared, n, "20260115T120000000000-00000000-aaaa", n) for n in range(6)]
    await shared.store.put_all(writes)
    lease = {"holder": "x", "until": shared.clock.now, "sending": [write.key for write in writes[:4]]}
    await shared.store.put(Write(LEASES, SYSTEM, KEY, lease))
    assert await shared.process().drain() == 6
    assert [len(batch) for batch in shared.sink.batches] == [4, 2]


class CountingStore(MemoryDocumentStore):
    """Counts the documents of the outbox that are read."""

    read = 0
    most = 0

    async def get_all(self, address: Address, scope: Scope, keys: Sequence[str]) -> list[Document | None]:
        if address == OUTBOX:
            self.read += len(keys)
            self.most = max(self.most, len(keys))
        return await super().get_all(address, scope, keys)

    async def scan(
        self,
        address: Address,
        scope: Scope,
        where: Mapping[str, Scalar] | None = None,
        order_by: str | None = None,
        descending: bool = False,
        limit: int | None = None,
        span: Span | None = None,
    ) -> list[Document]:
        found = await super().scan(address, scope, where, order_by, descending, limit, span)
        if address == OUTBOX:
            self.read += len(found)
        return found


async def test_a_look_reads_the_same_few_documents_at_any_depth_and_a_drain_each_entry_once() -> None:
    shared = Processes()
    store = CountingStore(shared.clock)
    shared.store = FaultyStore(store)
    looks = []
    for number in range(10):
        await shared.put_aside(*(f"e-{number}-{place}" for place in range(500)))
        store.read = 0
        shown = await shared.process().undelivered(ACME)
        assert shown == Undelivered(500 * (number + 1), shared.clock.now, 0)
        assert (await shared.process().totals()).outbox == 500 * (number + 1)
        looks.append(store.read)
    assert set(looks) == {2}
    store.read = 0
    assert await shared.process().drain() == 5_000
    assert store.most <= PIECE
    # Once each, and what one look at the start finds.
    assert store.read <= 5_000 + 500


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("deliver"), st.sampled_from(["t_acme", "t_b"]), st.integers(1, 3)),
        st.tuples(st.sampled_from(["drain", "kill", "down", "up", "later"]), st.just(""), st.just(0)),
        st.tuples(st.just("break"), st.sampled_from(["mutate", "get_all", "scan", "delete_if"]), st.just(0)),
        st.tuples(st.just("mend"), st.just(""), st.just(0)),
    ),
    max_size=25,
)


@given(STEPS)
@hypothesis_settings(max_examples=40, deadline=None)
def test_depth_and_oldest_are_those_of_the_entries_whatever_happens(
    steps: list[tuple[str, str, int]],
) -> None:
    asyncio.run(live_through(steps))


async def live_through(steps: Sequence[tuple[str, str, int]]) -> None:
    shared = Processes()
    processes = [shared.process(INSTANT), shared.process(INSTANT)]
    number = 0
    for step, what, count in steps:
        process = processes[number % 2]
        if step == "deliver":
            events = [shared.envelope(f"e-{number + n}", tenantId=what) for n in range(count)]
            await asyncio.gather(*map(process.deliver, events), return_exceptions=True)
            number += count
        elif step == "drain":
            await process.drain()
        elif step == "kill":
            await kill_in_a_drain(shared)
        else:
            happen(shared, step, what)
        await check(shared)


def happen(shared: Processes, step: str, what: str) -> None:
    match step:
        case "break":
            shared.store.faults[what] = StoreUnavailable("memory: away")
        case "mend":
            shared.store.faults.clear()
        case "down":
            shared.sink_down(AWAY)
        case "up":
            shared.sink_up()
        case "later":
            shared.clock.advance(seconds=LEASE_SECONDS + 1)


INSTANT = replace(QUICK, sink_seconds=0.01, floor_seconds=0.01, drain_seconds=0.01)


async def kill_in_a_drain(shared: Processes) -> None:
    victim = asyncio.create_task(shared.process(INSTANT).drain())
    for _ in range(3):
        await asyncio.sleep(0)
    victim.cancel()
    await asyncio.gather(victim, return_exceptions=True)


async def check(shared: Processes) -> None:
    """What is shown is what the entries are."""
    faults, shared.store.faults = shared.store.faults, {}
    waiting = await shared.waiting()
    for scope in (ACME, Scope("t_b", "dev")):
        own = [entry["waiting_since"] for entry in waiting if entry["tenant_id"] == scope.tenant_id]
        shown = await shared.process().undelivered(scope)
        assert (shown.depth, shown.oldest_at) == (len(own), min(own, default=None))
    assert (await shared.process().totals()).outbox == len(waiting)
    shared.store.faults = faults


async def test_the_oldest_is_known_while_much_waits(shared: Processes) -> None:
    first_at = shared.clock.now
    for number in range(5):
        await shared.put_aside(f"e-{number}")
        shared.clock.advance(seconds=1)
    assert (await shared.process().undelivered(ACME)).oldest_at == first_at
    [first] = [
        entry for entry in await shared.waiting() if json.loads(entry["envelope"])["event_id"] == "e-0"
    ]
    assert first["waiting_since"] == first_at
    shared.sink.faults["write"] = AWAY
    await shared.process().drain()
    assert (await shared.process().undelivered(ACME)).oldest_at == first_at
    assert shared.clock.now - first_at == timedelta(seconds=5)


async def test_large_entries_of_the_earlier_layout_are_moved_in_portions(
    shared: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engines.nexus.delivery.uncounted.PORTION_BYTES", 1)
    batch = "20260115T120000000000-00000000-tried"
    await shared.store.put_all([old_entry(shared, number, batch, number) for number in range(5)])
    assert await shared.process().drain() == 5
    assert shared.sink.batches == [[f"old-{number:03}" for number in range(5)]]

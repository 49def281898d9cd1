"""Counts of accepted events: folded, written seldom, read cheaply, apart per tenant and env."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from engines.common.documents import Scope, StoreTimeout, StoreUnavailable, Write
from engines.logging import arrival_tally
from engines.logging.arrival_days import DAYS, Recent
from engines.logging.arrivals import HOURS, Arrivals, Counts
from engines.logging.events import EventPipeline
from engines.nexus.backends.memory import MemorySink
from engines.nexus.backends.sink import Envelope, SinkRetryable, WriteReceipt
from engines.nexus.delivery import Delivery
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import Login, MemoryKit, MovableClock, running, send_pageview, sign_up
from tests.support.faults import FaultyStore
from tests.support.records import dataset_event, stored_fields

ACME = Scope("t_acme", "dev")


class CountingStore(MemoryDocumentStore):
    """Remembers the batches written."""

    def __init__(self, clock: MovableClock) -> None:
        super().__init__(clock)
        self.batches: list[Sequence[Write]] = []

    async def put_all(self, writes: Sequence[Write]) -> None:
        self.batches.append(writes)
        await super().put_all(writes)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def store(clock: MovableClock) -> CountingStore:
    return CountingStore(clock)


@pytest.fixture
def counter(store: CountingStore, clock: MovableClock) -> Arrivals:
    return Arrivals(store, clock)


def accepted(at: datetime, **values: Any) -> Envelope:
    return Envelope(event_id="e1", ingested_at=at, event=dataset_event(**values))


FLAGGED = {"train_ok": False, "pii_flags": {"flags": ["email"]}}


async def test_many_events_are_one_write_per_tenant_env_and_hour(
    counter: Arrivals, store: CountingStore, clock: MovableClock
) -> None:
    now, before = clock.now, clock.now - timedelta(minutes=1)
    many = [accepted(now)] * 3 + [accepted(now, **FLAGGED), accepted(before), accepted(now, env="prod")]
    await counter.record([*many, accepted(now, tenantId="t_globex", train_ok=False)])
    [batch] = store.batches
    assert len(batch) == 8  # each hour and its day
    [hour] = [f for f in await stored_fields(store, HOURS) if f["start"] == now]
    del hour["start"], hour["tenant_id"], hour["env"]
    counted = {name.partition("~")[0]: count for name, count in hour.items()}
    assert counted == {"m00_total": 4, "m00_trainable": 3, "m00_flagged": 1}
    assert {name.partition("~")[1] for name in hour} == {"~"}


async def test_the_last_hour_by_minutes_and_the_last_day_by_hours(
    counter: Arrivals, clock: MovableClock
) -> None:
    clock.advance(minutes=30, seconds=20)
    back = (0, 1, 59, 60, 23 * 60, 24 * 60)
    await counter.record(accepted(clock.now - timedelta(minutes=minutes)) for minutes in back)
    day = await counter.reads.last_day(ACME)
    assert (len(day.minutes), len(day.hours)) == (60, 24)
    assert list(day.minutes) == sorted(day.minutes)
    assert [(at.hour, at.minute) for at, counts in day.minutes.items() if counts.total] == [
        (11, 31),
        (12, 29),
        (12, 30),
    ]
    assert [(at.hour, counts.total) for at, counts in day.hours.items() if counts.total] == [
        (13, 1),
        (11, 2),
        (12, 2),
    ]


async def test_totals_are_those_of_24_hours_to_the_minute(counter: Arrivals, clock: MovableClock) -> None:
    clock.advance(minutes=30)
    ages = (timedelta(), timedelta(hours=23, minutes=59), timedelta(hours=24), timedelta(hours=25))
    await counter.record([accepted(clock.now - age) for age in ages] + [accepted(clock.now, **FLAGGED)])
    assert await counter.reads.totals(ACME) == Counts(total=3, trainable=2, flagged=1)


async def test_tenants_and_envs_are_apart(counter: Arrivals, clock: MovableClock) -> None:
    await counter.record([accepted(clock.now)])
    for other in (Scope("t_acme", "prod"), Scope("t_globex", "dev")):
        assert await counter.reads.totals(other) == Counts()


async def test_an_env_that_nobody_can_look_at_is_not_counted(
    counter: Arrivals, store: CountingStore, clock: MovableClock
) -> None:
    await counter.record([accepted(clock.now, env="a/b"), accepted(clock.now, env="")])
    assert store.batches == []


async def test_a_burst_is_one_write(store: CountingStore, clock: MovableClock) -> None:
    counter = Arrivals(store, clock, flush_seconds=0.05)
    for number in range(500):
        counter.add(accepted(clock.now))
        if number % 100 == 0:
            await asyncio.sleep(0)
    assert store.batches == []
    await asyncio.sleep(0.2)
    assert [len(batch) for batch in store.batches] == [2]
    assert (await counter.reads.totals(ACME)).total == 500
    counter.add(accepted(clock.now))
    await counter.close()
    assert (await counter.reads.totals(ACME)).total == 501


async def test_what_waits_is_written_at_shutdown_without_delay(
    counter: Arrivals, clock: MovableClock
) -> None:
    counter.add(accepted(clock.now))
    async with asyncio.timeout(0.5):
        await counter.close()
    assert (await counter.reads.totals(ACME)).total == 1


class LateStore(CountingStore):
    """Stores every batch, and then says that it did not come in time as long as ``is_late``."""

    is_late = False

    async def put_all(self, writes: Sequence[Write]) -> None:
        await super().put_all(writes)
        if self.is_late:
            raise StoreTimeout("memory: slow")


@pytest.mark.parametrize("fault", [StoreUnavailable("memory: away"), StoreTimeout("memory: slow")], ids=str)
async def test_counts_wait_for_a_store_that_is_away(clock: MovableClock, fault: Exception) -> None:
    store = FaultyStore(MemoryDocumentStore(clock))
    counter = Arrivals(store, clock)
    store.faults["put_all"] = fault
    counter.add(accepted(clock.now))
    await counter.flush()
    store.faults.clear()
    counter.add(accepted(clock.now))
    await counter.close()
    assert (await counter.reads.totals(ACME)).total == 2


async def test_a_write_that_came_too_late_is_repeated_and_counts_once(clock: MovableClock) -> None:
    store = LateStore(clock)
    counter = Arrivals(store, clock)
    store.is_late = True
    counter.add(accepted(clock.now))
    await counter.flush()
    await counter.flush()
    store.is_late = False
    counter.add(accepted(clock.now))
    await counter.close()
    assert (await counter.reads.totals(ACME)).total == 2
    assert (await counter.recent.recent(ACME)).total == 2


async def test_counts_of_two_processes_add_up_and_old_ones_with_them(
    store: CountingStore, clock: MovableClock
) -> None:
    hour, day = clock.now.replace(minute=0), f"{clock.now:%Y-%m-%d}"
    old = {"start": hour, "m00_total": 3, "m00_trainable": 2}
    await store.put(Write(HOURS, ACME, hour.isoformat(), old))
    await store.put(Write(DAYS, ACME, day, {"newest": hour, "h12_total": 3, "h12_trainable": 2}))
    for _ in range(2):
        process = Arrivals(store, clock)
        await process.record([accepted(clock.now), accepted(clock.now, **FLAGGED)])
    assert await process.reads.totals(ACME) == Counts(total=7, trainable=4, flagged=2)
    assert await process.recent.recent(ACME) == Recent(hour, total=7, trainable=4)


async def test_a_store_that_came_back_older_gets_its_counts_again(
    store: CountingStore, clock: MovableClock
) -> None:
    counter = Arrivals(store, clock)
    for _ in range(3):
        await counter.record([accepted(clock.now)])
        clock.advance(hours=1)
    await counter.flush()
    for address in (HOURS, DAYS):
        await store.erase(address, ACME)
    counter.rewrite()
    await counter.close()
    assert (await counter.reads.totals(ACME)).total == 2, "two hours are remembered"
    assert counter.scopes() == {ACME}


async def test_an_hour_that_was_forgotten_goes_on_where_it_was(
    store: CountingStore, clock: MovableClock
) -> None:
    counter = Arrivals(store, clock)
    long_ago = clock.now - timedelta(hours=9)
    await counter.record([accepted(long_ago)] * 3)
    assert counter.scopes() == set()
    await counter.record([accepted(long_ago)])
    assert (await counter.reads.totals(ACME)).total == 4


async def test_what_is_remembered_is_bounded(
    store: CountingStore, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrival_tally, "MAX_REMEMBERED", 10)
    counter = Arrivals(store, clock)
    await counter.record(accepted(clock.now, tenantId=f"t_{number}") for number in range(30))
    assert len(counter.scopes()) == 10, "nothing was written, so nothing could be forgotten"
    await counter.record(accepted(clock.now, tenantId=f"t_{number}") for number in range(50, 51))
    assert Scope("t_50", "dev") in counter.scopes()
    assert len(counter.scopes()) == 10


async def test_an_event_that_is_sent_again_is_counted_once(kit: MemoryKit, acme: Login) -> None:
    event = dataset_event(tenantId=acme.tenant_id)
    pipeline = EventPipeline(kit.services.privacy, Delivery(kit.sink), kit.clock, kit.services.arrivals)
    for event_id in ("e1", "e1", "e2"):
        assert (await pipeline.log(event, event_id)).status == "accepted"
    assert (await send_pageview(kit.client, acme)).status_code == 200
    counter = kit.services.arrivals
    await counter.flush()
    assert (await counter.reads.totals(Scope(acme.tenant_id, "dev"))).total == 3


class ForgetfulSink(MemorySink):
    """Stores every batch, and loses the answer to the first."""

    def __init__(self) -> None:
        super().__init__()
        self.lost = 0

    async def write(self, batch: Sequence[Envelope]) -> list[WriteReceipt]:
        receipts = await super().write(batch)
        if not self.lost:
            self.lost += 1
            raise SinkRetryable("memory", "no answer in time", "timeout")
        return receipts


async def test_a_new_event_that_the_sink_has_by_our_own_first_attempt_is_counted() -> None:
    async with running(MemoryKit(sink=ForgetfulSink())) as kit:
        acme = await sign_up(kit.client, "acme")
        assert (await send_pageview(kit.client, acme)).status_code == 200
        await kit.services.arrivals.flush()
        assert kit.sink.lost == 1
        assert (await kit.services.arrivals.reads.totals(Scope(acme.tenant_id, "dev"))).total == 1


async def test_only_events_whose_id_is_surely_their_own_are_distinct(kit: MemoryKit, acme: Login) -> None:
    pipeline = EventPipeline(kit.services.privacy, Delivery(kit.sink), kit.clock, kit.services.arrivals)
    await pipeline.log(dataset_event(tenantId=acme.tenant_id), "given")
    await pipeline.log(dataset_event(tenantId=acme.tenant_id), "made", is_new=True)
    await pipeline.log(dataset_event(tenantId=acme.tenant_id))
    await kit.services.arrivals.flush()
    [hour] = await kit.services.arrivals.hours.find(Scope(acme.tenant_id, "dev"))
    assert dict(hour.record.distinct(kit.sink.describe().tag)) == {kit.clock.now.minute: 2}
    assert (await kit.services.arrivals.reads.totals(Scope(acme.tenant_id, "dev"))).total == 3


async def test_shutdown_writes_what_waits() -> None:
    async with running(MemoryKit()) as kit:
        acme = await sign_up(kit.client, "acme")
        await send_pageview(kit.client, acme)
    assert (await kit.services.arrivals.reads.totals(Scope(acme.tenant_id, "dev"))).total == 1


async def test_the_last_day_of_a_row_crosses_midnight_and_forgets_the_hour_before(
    store: CountingStore, clock: MovableClock
) -> None:
    counter = Arrivals(store, clock)
    noon = clock.now
    for hours, trainable in ((-25, True), (-23, True), (-13, False), (0, True)):
        at = noon + timedelta(hours=hours, minutes=7)
        await counter.record([accepted(at, train_ok=trainable)])
    clock.advance(minutes=10)
    assert await counter.recent.recent(ACME) == Recent(noon + timedelta(minutes=7), total=3, trainable=2)
    assert await counter.recent.recent(Scope("t_other", "dev")) == Recent()
    clock.advance(days=1)
    assert await counter.recent.recent(ACME) == Recent(noon + timedelta(minutes=7))
    clock.advance(days=1)
    assert await counter.recent.recent(ACME) == Recent()

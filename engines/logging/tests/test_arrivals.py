"""Counts of accepted events: folded, written seldom, read cheaply, apart per tenant and env."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from engines.common.documents import Scope, StoreTimeout, StoreUnavailable, Write
from engines.logging.arrival_days import Recent
from engines.logging.arrivals import HOURS, Arrivals, Counts
from engines.logging.events import EventPipeline
from engines.nexus.backends.sink import Envelope
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
    assert hour == {"m00_total": 4, "m00_trainable": 3, "m00_flagged": 1}


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


@pytest.mark.parametrize(
    ("fault", "kept"), [(StoreUnavailable("memory: away"), 2), (StoreTimeout("memory: slow"), 1)], ids=str
)
async def test_counts_wait_for_a_store_that_is_away_and_are_never_doubled(
    clock: MovableClock, fault: Exception, kept: int
) -> None:
    store = FaultyStore(MemoryDocumentStore(clock))
    counter = Arrivals(store, clock)
    store.faults["put_all"] = fault
    counter.add(accepted(clock.now))
    await counter.flush()
    store.faults.clear()
    counter.add(accepted(clock.now))
    await counter.close()
    assert (await counter.reads.totals(ACME)).total == kept


async def test_an_event_that_is_sent_again_is_counted_once(kit: MemoryKit, acme: Login) -> None:
    event = dataset_event(tenantId=acme.tenant_id)
    pipeline = EventPipeline(kit.services.privacy, Delivery(kit.sink), kit.clock, kit.services.arrivals)
    for event_id in ("e1", "e1", "e2"):
        assert (await pipeline.log(event, event_id)).status == "accepted"
    assert (await send_pageview(kit.client, acme)).status_code == 200
    counter = kit.services.arrivals
    await counter.flush()
    assert (await counter.reads.totals(Scope(acme.tenant_id, "dev"))).total == 3


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

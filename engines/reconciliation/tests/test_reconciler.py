"""Reconciliation over in-memory parts: what shows, what does not, what heals and what is acknowledged."""

from datetime import timedelta

import pytest

from engines.common.collection import Collection
from engines.common.documents import Scope, StoreUnavailable, Write
from engines.logging.arrivals import Arrivals
from engines.logging.progress import PROGRESS, Progress
from engines.nexus.backends.noop import NoopSink
from engines.nexus.backends.sink import SinkPermanent, SinkRetryable
from engines.reconciliation.acknowledging import acknowledge, acknowledged
from engines.reconciliation.comparison import Comparison
from engines.reconciliation.models import RESULTS, MissingTotal
from engines.reconciliation.service import AT_ONCE
from tests.support.reconciliation import ACME, World, loss


@pytest.fixture
def world() -> World:
    return World()


async def missing(world: World) -> int:
    found = await loss(world)
    return found.events if found else 0


async def test_what_is_all_there_is_not_missing(world: World) -> None:
    await world.accept(5)
    await world.settle()
    found = await world.compare(3)
    assert (found.missing, found.failure, found.compared_at) == (0, None, world.clock.now)
    assert found.hours[-1].accepted == found.hours[-1].stored == 5


async def test_what_was_deleted_shows_after_two_comparisons_and_goes_when_it_is_healed(world: World) -> None:
    made = await world.accept(81)
    await world.settle()
    await world.compare(2)
    ids = [one.event_id for one in made[1:]]
    world.lose(*ids)
    assert (await world.compare()).missing == 0
    assert (await world.compare()).missing == 80
    found = await loss(world)
    assert str(found) == "acknowledged but missing: 80, between 2026-01-15 12:00 and 13:00 UTC"
    assert world.healed == [(ACME, found)]
    assert await world.reconciler.missing() == MissingTotal(None, "nothing was compared yet")
    await world.reconciler.round()
    assert await world.reconciler.missing() == MissingTotal(80)
    await world.heal(*ids)
    await world.compare()
    assert await loss(world) is None
    assert (await world.reconciler.missing()).events == 0


async def test_what_was_accepted_just_now_is_not_compared_yet(world: World) -> None:
    made = await world.accept(5)
    world.lose(made[0].event_id)
    assert (await world.compare(2)).missing == 0
    await world.settle()
    assert (await world.compare(2)).missing == 1


async def test_what_waits_is_not_missing_and_the_loss_beside_it_is(world: World) -> None:
    made = await world.accept(5)
    for _ in range(7):
        await world.put_aside(world.envelope())
    await world.settle()
    assert (await world.compare(2)).missing == 0
    world.lose(made[0].event_id)
    assert (await world.compare(2)).missing == 1
    assert await world.delivery.drain() == 7
    assert (await world.compare(2)).missing == 1


async def test_what_was_refused_after_all_is_a_dead_letter_and_not_missing(world: World) -> None:
    await world.put_aside(world.envelope())
    await world.settle()
    refusal = SinkPermanent("memory/events", "too large", "refused")
    world.sink.faults["write"] = refusal
    assert await world.delivery.drain() == 1
    assert await world.delivery.refused_later(ACME, world.clock.now) == 1
    assert (await world.compare(3)).missing == 0
    await world.accept(3)
    await world.settle()
    world.lose("e2")
    assert (await world.compare(2)).missing == 1


async def test_an_event_that_is_accepted_twice_under_one_id_is_not_missing(world: World) -> None:
    first = world.envelope("audit")
    await world.put_aside(first)
    await world.put_aside(first, again=True)
    await world.settle()
    await world.delivery.drain()
    assert await world.sink.inner.count("t_acme", "dev", first.ingested_at, world.clock.now) == 1
    assert (await world.compare(3)).missing == 0


async def test_what_two_processes_accepted_adds_up_and_a_crash_alarms_nobody(world: World) -> None:
    other = world.counter()
    await world.accept(3)
    made = await world.accept(4, other)
    await other.flush()
    await world.accept(2, world.counter())  # it crashes before it wrote its counts
    await world.settle()
    assert (await world.compare(2)).missing == 0
    world.lose(*(one.event_id for one in made))
    assert (await world.compare(2)).missing == 2, "two that nobody counted hide as many"


async def test_another_process_and_the_next_start_go_on_where_one_left(world: World) -> None:
    made = await world.accept(3)
    await world.settle()
    world.lose(made[0].event_id)
    await world.compare()
    assert (await world.compare(reconciler=world.process())).missing == 1


async def test_a_sink_that_cannot_be_counted_is_said_and_what_was_known_stays(world: World) -> None:
    made = await world.accept(3)
    await world.settle()
    world.lose(made[0].event_id)
    await world.compare(2)
    at = world.clock.now
    world.sink.faults["count"] = SinkRetryable("memory/events", "not reachable", "unreachable")
    found = await world.compare()
    assert (found.failure, found.compared_at, found.missing) == ("memory/events: not reachable", at, 1)
    await world.reconciler.round()
    world.clock.advance(minutes=10)
    await world.reconciler.round()
    assert await world.reconciler.missing() == MissingTotal(None, "memory/events: not reachable")
    world.sink.faults.clear()
    world.clock.advance(minutes=10)
    await world.reconciler.round()
    assert (await world.compare()).failure is None
    assert (await world.reconciler.missing()).events == 1


async def test_an_outbox_that_cannot_be_read_makes_no_alarm(world: World) -> None:
    await world.put_aside(world.envelope())
    await world.settle()
    world.store.faults["get nexus_outbox_queues"] = StoreUnavailable("memory: away")
    found = await world.compare(2)
    assert (found.missing, found.failure) == (0, "memory: away")


async def test_what_is_acknowledged_is_missing_no_more_and_a_further_loss_shows(world: World) -> None:
    made = await world.accept(10)
    await world.settle()
    world.lose(*(one.event_id for one in made[:4]))
    hours = {hour.start: hour.missing for hour in (await world.compare(2)).hours if hour.missing}
    kept = acknowledged(world.store)
    await acknowledge(kept, ACME, hours, "jo", world.clock.now)
    assert (await world.compare()).missing == 0
    world.lose(made[5].event_id)
    assert (await world.compare(2)).missing == 1
    await acknowledge(kept, ACME, hours, "max", world.clock.now)
    [hour] = await kept.find(ACME, order_by="start")
    assert hour.record.events == 8
    assert [(entry.by, entry.events) for entry in hour.record.entries] == [("jo", 4), ("max", 4)]


async def test_a_loss_stays_known_after_a_day_until_it_is_acknowledged(world: World) -> None:
    made = await world.accept(3)
    await world.settle()
    world.lose(made[0].event_id)
    hours = {hour.start: hour.missing for hour in (await world.compare(2)).hours if hour.missing}
    world.clock.advance(days=3)
    assert (await world.compare(2)).missing == 1
    await acknowledge(acknowledged(world.store), ACME, hours, "jo", world.clock.now)
    found = await world.compare()
    assert (found.missing, min(hour.start for hour in found.hours) > made[0].ingested_at) == (0, True)


async def test_a_closed_hour_is_looked_at_again_within_ten_minutes(world: World) -> None:
    made = await world.accept(3)
    world.clock.advance(hours=3)
    await world.compare(2)
    world.lose(made[0].event_id)
    started = world.clock.now
    while await missing(world) == 0:
        world.clock.advance(seconds=3)
        await world.reconciler.round()
        assert world.clock.now - started < timedelta(minutes=10)


async def test_a_new_loss_shows_within_two_minutes_while_somebody_looks(world: World) -> None:
    await world.accept(3)
    await world.settle()
    started = world.clock.now
    made = await world.accept(3)
    await world.arrivals.flush()
    world.lose(made[0].event_id)
    while await missing(world) == 0:
        world.clock.advance(seconds=3)
        await world.reconciler.round()
        assert world.clock.now - started < timedelta(minutes=2)


async def test_one_that_was_idle_is_compared_soon_after_its_next_event(world: World) -> None:
    await world.accept()
    world.clock.advance(minutes=2)
    for _ in range(2):
        await world.reconciler.round()
        world.clock.advance(minutes=1)
    before = world.clock.now
    await world.accept()
    await world.reconciler.round()
    world.clock.advance(seconds=21)
    await world.reconciler.round()
    found = await world.reconciler.result(ACME)
    assert found is not None
    assert found.compared_at is not None
    assert found.compared_at > before


async def test_a_failure_is_written_once(world: World) -> None:
    await world.accept()
    await world.settle()
    world.sink.faults["count"] = SinkRetryable("memory/events", "not reachable", "unreachable")
    await world.compare()
    before = world.reconciler.changes(ACME)
    assert (await world.compare(3)).failure == "memory/events: not reachable"
    assert world.reconciler.changes(ACME) == before


async def test_a_round_takes_a_few_and_everybody_gets_a_turn(world: World) -> None:
    scopes = [Scope(f"t_{number}", "dev") for number in range(3 * AT_ONCE)]
    for scope in scopes:
        await world.reconciler.result(scope)
    for _ in range(3):
        before = len(await compared(world, scopes))
        await world.reconciler.round()
        assert len(await compared(world, scopes)) == before + AT_ONCE


async def compared(world: World, scopes: list[Scope]) -> list[Scope]:
    return [scope for scope in scopes if await world.store.get(RESULTS, scope, "")]


async def test_a_result_that_cannot_be_read_keeps_no_other_waiting(world: World) -> None:
    broken, others = Scope("t_broken", "dev"), [Scope(f"t_{number}", "dev") for number in range(AT_ONCE)]
    for scope in (broken, *others):
        await world.reconciler.result(scope)
    await world.store.put(Write(RESULTS, broken, "", {"hours": "none"}))
    for _ in range(2):
        await world.reconciler.round()
    assert len(await compared(world, others)) == len(others)


async def test_after_a_start_those_with_events_before_it_are_compared(world: World) -> None:
    now = world.clock.now
    for name, at in (("recent", now - timedelta(hours=20)), ("older", now - timedelta(hours=60))):
        scope = Scope(f"t_{name}", "dev")
        progress = Progress.of(scope, name, {"first_event": at}, at)
        await Collection(world.store, PROGRESS, Progress).put(scope, "", progress)
    await world.reconciler.round()
    found = [await world.store.get(RESULTS, Scope(f"t_{name}", "dev"), "") for name in ("recent", "older")]
    assert [document is not None for document in found] == [True, False]


async def test_a_tenant_that_was_removed_took_its_events_along(world: World) -> None:
    await world.accept(3)
    await world.settle()
    await world.sink.inner.erase("t_acme")
    world.tenants.clear()
    assert (await world.compare(3)).missing == 0
    assert await world.store.get(RESULTS, ACME, "") is None
    assert (await world.reconciler.missing()).events in (None, 0)


async def test_events_that_went_to_another_sink_are_not_sought_in_this_one(world: World) -> None:
    before = Arrivals(world.store, world.clock, sink="0123abcd")
    before.add(world.envelope())
    await before.flush()
    await world.settle()
    assert (await world.compare(3)).missing == 0


async def test_a_sink_that_discards_is_not_compared(world: World) -> None:
    comparison = Comparison(world.arrivals.hours, acknowledged(world.store), NoopSink(), world.delivery)
    assert comparison.can_compare is False

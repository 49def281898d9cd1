"""What was accepted and is nowhere: named by hour, and acknowledged."""

from datetime import timedelta

import pytest

from engines.common.documents import Scope
from engines.verification.asked import Asked
from engines.verification.losses import Losses
from engines.verification.preferences import PreferencesInForce
from engines.verification.report import as_text
from engines.verification.run import Verification
from tests.support.reconciliation import ACME, World, loss

DEV = Asked("t_acme")


@pytest.fixture
def world() -> World:
    return World()


def losses_of(world: World) -> Losses:
    return Losses(world.store, world.sink, world.clock, apart=0)


async def report_of(world: World) -> tuple[str, str]:
    in_force = PreferencesInForce(None, world.clock)
    verification = Verification(world.sink, in_force, world.clock, losses=losses_of(world))
    report = await verification.report(DEV)
    return report.verdict, as_text(report)


async def test_what_is_all_there_is_clean(world: World) -> None:
    await world.accept(3)
    await world.settle()
    verdict, text = await report_of(world)
    assert verdict == "clean"
    assert "missing" not in text


async def test_missing_events_are_a_fault_with_their_hours(world: World) -> None:
    made = await world.accept(81)
    await world.settle()
    world.lose(*(one.event_id for one in made[1:]))
    verdict, text = await report_of(world)
    assert verdict == "faults"
    assert "events.missing             80" in text
    assert "dev, hour 2026-01-15 12:00 UTC: 81 accepted, 1 stored, 80 missing" in text


async def test_without_the_counts_nothing_is_said_to_be_there(world: World) -> None:
    verification = Verification(world.sink, PreferencesInForce(None, world.clock), world.clock)
    text = as_text(await verification.report(DEV))
    assert "accepted events not compared" in text


async def test_acknowledged_the_indicator_is_up_and_a_further_loss_shows(world: World) -> None:
    made = await world.accept(5)
    await world.settle()
    world.lose(made[0].event_id)
    assert (await world.compare(2)).missing == 1
    [hour] = await losses_of(world).acknowledge(DEV, "jo")
    assert (hour.env, hour.missing) == ("dev", 1)
    assert await loss(world) is None
    assert (await report_of(world))[0] == "clean"
    assert await losses_of(world).acknowledge(DEV, "jo") == []
    world.lose(made[1].event_id)
    assert (await world.compare(2)).missing == 1
    assert (await losses_of(world).find(Asked("t_acme", "prod"))).hours == []


async def test_hours_before_the_oldest_event_that_is_held_may_be_expired(world: World) -> None:
    made = []
    for _ in range(4):
        made += await world.accept(2)
        world.clock.advance(hours=20)
    await world.arrivals.flush()
    world.lose(*(one.event_id for one in (*made[:2], made[4])))
    found = await losses_of(world).find(DEV)
    assert (found.compared, found.expired, [hour.missing for hour in found.hours]) == (4, 1, [1])
    recent = Asked("t_acme", since=made[6].ingested_at + timedelta(minutes=7))
    assert (await losses_of(world).find(recent)).compared == 1


async def test_a_sink_that_was_emptied_shows_for_the_last_day_and_for_what_was_known(world: World) -> None:
    made = await world.accept(2)
    await world.settle()
    world.lose(made[0].event_id)
    await world.compare(2)
    world.clock.advance(hours=40)
    await world.accept(3)
    await world.settle()
    await world.sink.inner.erase("t_acme")
    found = await losses_of(world).find(DEV)
    assert ([hour.missing for hour in found.hours], found.expired) == ([2, 3], 0)


async def test_events_that_wait_are_not_missing(world: World) -> None:
    await world.put_aside(world.envelope())
    await world.settle()
    assert (await losses_of(world).find(DEV)).hours == []
    assert Scope("t_acme", "dev") == ACME

"""A sink killed under load loses nothing accepted: with one process, with two, and with one killed too."""

import asyncio
from contextlib import ExitStack

import pytest

from tests.support.bossman import bossman
from tests.support.far_ends import KINDS, FarEnd
from tests.support.survival import Outcome, outage, tell
from tests.survival.conftest import FarEnds

OUTAGE_SECONDS = 30.0
SHORT_OUTAGE_SECONDS = 5.0
"""The outage of the other sinks: it is over the time after which the outbox takes events."""
HANGING_SECONDS = 8.0
"""Firestore hangs instead of being killed: that long, so that a dashboard says so before the end."""

pytestmark = pytest.mark.timeout(240)


def check(outcome: Outcome, far_end: FarEnd) -> None:
    """Every accepted event is there once, and the fault showed."""
    tally, watch = outcome.tally, outcome.watch
    assert not tally.others
    assert tally.durable_in("sink") > 100
    assert outcome.lost == set()
    assert outcome.seen_twice == set()
    assert set(outcome.raw) == set(outcome.read)
    assert watch.most_missing == 0, "an alarm without a loss"
    if far_end.kind != "bigquery":  # it forgets insertIds with its process, and its readers know
        assert outcome.stored_twice == set()
    if far_end.has_outbox:
        assert watch.statuses["down"] > 0
        assert tally.durable_in("outbox") > 100
        assert watch.highest_backlog > 100
    else:
        assert watch.statuses["503"] > 0
        assert tally.refused > 0
        assert tally.durable_in("outbox") == 0


def seconds_for(kind: str, longest: str) -> float:
    if kind == longest:
        return OUTAGE_SECONDS
    return HANGING_SECONDS if kind == "firestore" else SHORT_OUTAGE_SECONDS


@pytest.mark.parametrize("kind", KINDS)
async def test_the_sink_is_killed(far_ends: FarEnds, kind: str) -> None:
    far_end = far_ends(kind)
    with bossman(far_end.variables) as process:
        outcome = await outage(far_end, [process], seconds_for(kind, "bigquery"))
    tell(f"{kind} killed", outcome)
    check(outcome, far_end)


@pytest.mark.parametrize("kind", KINDS)
async def test_bossman_is_killed_while_the_sink_is_down(far_ends: FarEnds, kind: str) -> None:
    far_end = far_ends(kind)
    with bossman(far_end.variables) as process:

        async def restart() -> None:
            process.kill()
            await asyncio.to_thread(process.start)

        outcome = await outage(far_end, [process], seconds_for(kind, "gs"), restart)
    tell(f"{kind} and Bossman killed", outcome)
    check(outcome, far_end)
    assert outcome.tally.unanswered > 0


@pytest.mark.parametrize("kind", ["bigquery", "gs", "s3"])
async def test_two_processes_share_the_outbox(far_ends: FarEnds, kind: str) -> None:
    far_end = far_ends(kind)
    with ExitStack() as stack:
        processes = [stack.enter_context(bossman(far_end.variables)) for _ in range(2)]
        outcome = await outage(far_end, processes, seconds_for(kind, "s3"))
    tell(f"{kind} killed under two processes", outcome)
    check(outcome, far_end)

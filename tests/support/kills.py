"""A sink killed under load: how long, and what must hold afterwards."""

from tests.support.far_ends import FarEnd
from tests.support.survival import Outcome

OUTAGE_SECONDS = 12.0
"""`./scripts/bench survival --seconds` has longer ones."""
SHORT_OUTAGE_SECONDS = 5.0
"""The outage of the other sinks: it is over the time after which the outbox takes events."""
HANGING_SECONDS = 8.0
"""Firestore hangs instead of being killed: that long, so that a dashboard says so before the end."""


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

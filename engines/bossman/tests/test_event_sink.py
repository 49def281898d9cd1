"""The sink indicator: its status from description, probe, delivery and read."""

from datetime import UTC, datetime, timedelta

import pytest

from engines.bossman.event_sink import indicator
from engines.bossman.health import ProbeResult
from engines.nexus.backends.sink import FailureReason, SinkDescription
from engines.nexus.delivery import DeliveryState, LastError, Undelivered

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
SINK = SinkDescription("firestore", "FirestoreSink", "project/nexus_events_{tenant}", stand_in=True)
OFF = SinkDescription("noop", "NoopSink", "nowhere", stand_in=False, discards=True)

PASSED = ProbeResult(True, NOW, 1.5)
FAILED = ProbeResult(False, NOW, 2.0, "project: connection refused")
UNANSWERED = ProbeResult(False, NOW, 2.0, "the probe itself failed: KeyError", answered=False)

HEALTHY = DeliveryState()
LATER, EARLIER = NOW + timedelta(seconds=1), NOW - timedelta(seconds=1)


def failing(at: datetime, kind: FailureReason = "error", failures: int = 1) -> DeliveryState:
    return DeliveryState(LastError(at, kind, "why"), failures)


NONE_WAIT = Undelivered(0, None, 0)


def status(
    description: SinkDescription,
    probe: ProbeResult,
    state: DeliveryState,
    read_failure: str | None = None,
    undelivered: Undelivered | None = NONE_WAIT,
) -> tuple[str, str | None]:
    shown = indicator(description, "t_acme", probe, state, None, undelivered, read_failure)
    return shown.status, shown.reason


WRITE_FAILED = ("degraded", "the last write failed")
DISK_FULL = ("degraded", "the last write failed: the sink's disk is full")


@pytest.mark.parametrize(
    ("description", "probe", "state", "read_failure", "expected"),
    [
        (SINK, PASSED, HEALTHY, None, ("up", None)),
        (SINK, PASSED, failing(EARLIER, failures=0), None, ("up", None)),
        (SINK, PASSED, failing(EARLIER), None, WRITE_FAILED),
        (SINK, PASSED, failing(EARLIER, "full"), None, DISK_FULL),
        (SINK, PASSED, HEALTHY, "away", ("degraded", "away")),
        (SINK, PASSED, failing(LATER), "away", ("degraded", "away")),
        (SINK, FAILED, HEALTHY, None, ("down", "project: connection refused")),
        (SINK, FAILED, failing(LATER), "away", ("down", "project: connection refused")),
        (SINK, UNANSWERED, HEALTHY, None, ("unknown", "the probe itself failed: KeyError")),
        (SINK, UNANSWERED, failing(LATER), "away", ("unknown", "the probe itself failed: KeyError")),
        (OFF, PASSED, HEALTHY, None, ("off", "events are discarded")),
        (OFF, FAILED, failing(LATER), "away", ("off", "events are discarded")),
    ],
    ids=[
        "up",
        "up_after_recovery",
        "write_failed",
        "disk_full",
        "read_failed",
        "both_failed",
        "down",
        "down_first",
        "unknown",
        "unknown_first",
        "off",
        "off_first",
    ],
)
def test_the_status_and_its_reason(
    description: SinkDescription,
    probe: ProbeResult,
    state: DeliveryState,
    read_failure: str | None,
    expected: tuple[str, str | None],
) -> None:
    assert status(description, probe, state, read_failure) == expected


@pytest.mark.parametrize("kind", ["timeout", "unreachable"])
@pytest.mark.parametrize(
    ("at", "expected"),
    [(EARLIER, ("up", None)), (NOW, WRITE_FAILED), (LATER, WRITE_FAILED)],
    ids=["probe_later", "same_time", "probe_earlier"],
)
def test_a_later_probe_disproves_that_the_sink_is_unreachable(
    kind: FailureReason, at: datetime, expected: tuple[str, str | None]
) -> None:
    assert status(SINK, PASSED, failing(at, kind, failures=7)) == expected


@pytest.mark.parametrize("kind", ["denied", "missing", "refused", "error"])
def test_a_probe_cannot_disprove_a_failure_that_may_hit_writes_alone(kind: FailureReason) -> None:
    assert status(SINK, PASSED, failing(NOW - timedelta(days=1), kind)) == WRITE_FAILED


@pytest.mark.parametrize(
    ("undelivered", "expected"),
    [
        (Undelivered(1, NOW - timedelta(seconds=2), 0), ("degraded", "events wait for the sink")),
        (Undelivered(1, None, 0), ("degraded", "events wait for the sink")),
        (Undelivered(1, NOW - timedelta(seconds=1), 0), ("up", None)),
        (Undelivered(0, None, 7), ("up", None)),
    ],
    ids=["waits", "age_unknown", "on_its_way", "dead_letters_alone"],
)
def test_events_that_wait_longer_than_a_write_takes_degrade(
    undelivered: Undelivered, expected: tuple[str, str | None]
) -> None:
    assert status(SINK, PASSED, HEALTHY, undelivered=undelivered) == expected


def test_what_could_not_be_read_is_null_and_never_zero() -> None:
    shown = indicator(SINK, "t_acme", PASSED, HEALTHY, None, None, "the outbox could not be read: away")
    assert (shown.status, shown.backlog.depth, shown.backlog.oldest_at) == ("degraded", None, None)
    assert shown.dead_letters is None


def test_the_indicator_shows_exactly_this_and_the_existing_keys_first() -> None:
    waiting = Undelivered(4, EARLIER, 2)
    shown = indicator(SINK, "t_acme", PASSED, failing(EARLIER, "denied", 3), EARLIER, waiting, None)
    expected = {
        "backend": "firestore",
        "last_write_at": EARLIER,
        "backend_class": "FirestoreSink",
        "target": "project/nexus_events_t_acme",
        "stand_in": True,
        "status": "degraded",
        "reason": "the last write failed",
        "latency_ms": 1.5,
        "observed_at": NOW,
        "last_error": {"at": EARLIER, "kind": "denied", "message": "why"},
        "consecutive_failures": 3,
        "backlog": {"depth": 4, "oldest_at": EARLIER},
        "dead_letters": 2,
        "missing": None,
        "compared_at": None,
        "not_compared": "not compared yet",
    }
    assert shown.model_dump() == expected
    assert list(shown.model_dump())[:3] == ["backend", "last_write_at", "backend_class"]


def test_without_an_error_there_is_none() -> None:
    shown = indicator(SINK, "t_acme", PASSED, HEALTHY, None, NONE_WAIT, None)
    assert (shown.last_error, shown.consecutive_failures, shown.last_write_at) == (None, 0, None)


def test_what_a_sink_says_of_its_target_names_the_tenant() -> None:
    away = ProbeResult(False, NOW, 2.0, "project/nexus_events_{tenant}: not reachable")
    state = DeliveryState(LastError(NOW, "unreachable", "project/nexus_events_{tenant}: not reachable"), 1)
    shown = indicator(SINK, "t_acme", away, state, None, NONE_WAIT, None)
    assert shown.target == "project/nexus_events_t_acme"
    assert shown.reason == "project/nexus_events_t_acme: not reachable"
    assert shown.last_error is not None
    assert shown.last_error.message == "project/nexus_events_t_acme: not reachable"

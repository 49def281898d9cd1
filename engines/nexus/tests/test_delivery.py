"""Delivery: what it counts, what clears it, and how long it waits."""

import pytest

from engines.nexus.backends import delivery
from engines.nexus.backends.delivery import Delivery, DeliveryState, LastError
from engines.nexus.backends.sink import Envelope, FailureKind, FailureReason, SinkError
from tests.support.records import PipelineKit, dataset_event, stored_events


@pytest.fixture
def parts() -> PipelineKit:
    return PipelineKit()


def envelope(parts: PipelineKit, event_id: str = "e-1", **event: object) -> Envelope:
    return Envelope(event_id=event_id, ingested_at=parts.clock.now, event=dataset_event(**event))


async def fail(parts: PipelineKit, kind: FailureKind, reason: FailureReason = "error") -> None:
    """One delivery that fails so."""
    parts.sink.faults["write"] = parts.fault(kind, reason)
    with pytest.raises(SinkError, match=f"^memory/events: {kind} failure$"):
        await parts.delivery.deliver(envelope(parts))
    parts.sink.faults.clear()


def test_at_first_nothing_has_failed(parts: PipelineKit) -> None:
    assert parts.delivery.state == DeliveryState(last_error=None, consecutive_failures=0)


async def test_a_stored_event_has_its_receipt(parts: PipelineKit) -> None:
    receipt = await parts.delivery.deliver(envelope(parts))
    assert (receipt.event_id, receipt.outcome, receipt.error) == ("e-1", "stored", None)
    assert [stored.event_id for stored in await stored_events(parts.sink)] == ["e-1"]


async def test_a_duplicate_is_a_success(parts: PipelineKit) -> None:
    await parts.delivery.deliver(envelope(parts))
    receipt = await parts.delivery.deliver(envelope(parts))
    assert (receipt.outcome, receipt.error) == ("duplicate", None)
    assert parts.delivery.state == DeliveryState()


@pytest.mark.parametrize("kind", ["retryable", "misconfigured"])
@pytest.mark.parametrize("reason", ["timeout", "unreachable", "denied", "missing", "error"])
async def test_failures_are_counted_and_the_newest_is_kept(
    parts: PipelineKit, kind: FailureKind, reason: FailureReason
) -> None:
    for count in (1, 2, 3):
        parts.clock.advance(seconds=1)
        await fail(parts, kind, reason)
        newest = LastError(parts.clock.now, reason, f"memory/events: {kind} failure")
        assert parts.delivery.state == DeliveryState(newest, count)


async def test_a_success_clears_the_count_and_keeps_the_last_error(parts: PipelineKit) -> None:
    await fail(parts, "retryable", "unreachable")
    failed_at = parts.clock.now
    parts.clock.advance(seconds=1)
    await parts.delivery.deliver(envelope(parts))
    kept = LastError(failed_at, "unreachable", "memory/events: retryable failure")
    assert parts.delivery.state == DeliveryState(kept, 0)


@pytest.mark.parametrize("failures", [0, 1, 3])
async def test_a_refused_event_says_nothing_about_the_sink(parts: PipelineKit, failures: int) -> None:
    for _ in range(failures):
        await fail(parts, "retryable", "unreachable")
    before = parts.delivery.state
    parts.clock.advance(seconds=1)
    await fail(parts, "permanent", "refused")
    assert parts.delivery.state == before
    assert before.consecutive_failures == failures


async def test_a_refused_receipt_is_raised_and_says_nothing_about_the_sink(parts: PipelineKit) -> None:
    message = "process memory: input holds a list directly inside a list"
    with pytest.raises(SinkError) as caught:
        await parts.delivery.deliver(envelope(parts, input={"x": [[1]]}))
    assert (str(caught.value), caught.value.kind) == (message, "permanent")
    assert parts.delivery.state == DeliveryState()


async def test_a_hanging_sink_is_bounded(parts: PipelineKit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "WRITE_SECONDS", 0.01)
    parts.sink.hanging.add("write")
    with pytest.raises(SinkError) as caught:
        await parts.delivery.deliver(envelope(parts))
    assert str(caught.value) == "memory/events_{tenant}: no answer in time"
    assert (caught.value.kind, caught.value.reason) == ("retryable", "timeout")
    expected = LastError(parts.clock.now, "timeout", "memory/events_{tenant}: no answer in time")
    assert parts.delivery.state == DeliveryState(expected, 1)


def test_the_bound_leaves_room_for_the_sinks_own() -> None:
    assert delivery.WRITE_SECONDS == 4.5


async def test_each_delivery_keeps_its_own_score(parts: PipelineKit) -> None:
    other = Delivery(parts.sink, parts.clock)
    await fail(parts, "retryable")
    assert (parts.delivery.state.consecutive_failures, other.state) == (1, DeliveryState())

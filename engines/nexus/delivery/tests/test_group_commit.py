"""Group commit: events that come together share a write, and each caller gets the answer for its own."""

import asyncio
import time
from dataclasses import replace

import pytest

from engines.nexus.backends.sink import FailureKind, FailureReason, SinkError, SinkRetryable, WriteReceipt
from engines.nexus.delivery import Delivered, DeliveryState, LastError, Limits, Overloaded, Refused
from tests.support.app import QUICK
from tests.support.delivery import Processes
from tests.support.records import PipelineKit, stored_events


@pytest.fixture
def shared() -> Processes:
    return Processes()


def ids(count: int, start: int = 0) -> list[str]:
    return [f"e-{number:04}" for number in range(start, start + count)]


async def test_one_event_is_one_write(shared: Processes) -> None:
    [answer] = await shared.deliver(shared.alone(), "e-1")
    assert answer == Delivered("e-1", "sink", duplicate=False)
    assert (await shared.stored(), shared.sink.batches) == (["e-1"], [["e-1"]])


async def test_events_that_come_together_share_a_write(shared: Processes) -> None:
    answers = await shared.deliver(shared.alone(), *ids(200))
    assert answers == [Delivered(event_id, "sink") for event_id in ids(200)]
    assert shared.sink.batches == [ids(200)]


async def test_what_comes_while_the_writers_are_busy_shares_the_next_write(shared: Processes) -> None:
    process = shared.alone(replace(QUICK, writers=1, caller_seconds=5))
    shared.sink.gate.clear()
    first = asyncio.create_task(shared.deliver(process, "first"))
    await shared.sink.asked.wait()
    rest = asyncio.create_task(shared.deliver(process, *ids(50)))
    await asyncio.sleep(0.01)
    shared.sink.gate.set()
    await asyncio.gather(first, rest)
    assert shared.sink.batches == [["first"], ids(50)]


@pytest.mark.parametrize("writers", [1, 2, 3])
async def test_who_comes_back_at_once_is_not_forgotten(shared: Processes, writers: int) -> None:
    process = shared.alone(replace(QUICK, writers=writers))

    async def caller(name: str) -> None:
        for number in range(20):
            await process.deliver(shared.envelope(f"{name}-{number}"))

    await asyncio.gather(*(caller(f"caller{number}") for number in range(4)))
    assert len(await shared.stored()) == 80


async def test_a_batch_is_bounded_in_events_and_bytes(shared: Processes) -> None:
    await shared.deliver(shared.alone(replace(QUICK, batch_events=3)), *ids(8))
    assert [len(batch) for batch in shared.sink.batches] == [3, 3, 2]
    shared.sink.batches.clear()
    await shared.deliver(shared.alone(replace(QUICK, batch_bytes=1)), *ids(3, start=10))
    assert shared.sink.batches == [["e-0010"], ["e-0011"], ["e-0012"]]


async def test_each_caller_gets_the_answer_for_its_own_event(shared: Processes) -> None:
    process = shared.alone()
    await shared.deliver(process, "known")
    good, known, bad = await asyncio.gather(
        process.deliver(shared.envelope("good")),
        process.deliver(shared.envelope("known")),
        process.deliver(shared.envelope("bad", input={"x": [[1]]})),
        return_exceptions=True,
    )
    assert (good, known) == (Delivered("good", "sink"), Delivered("known", "sink", duplicate=True))
    assert isinstance(bad, Refused)
    assert str(bad) == "process memory: input holds a list directly inside a list"
    assert await shared.stored() == ["good", "known"]
    assert process.state == DeliveryState()


async def test_a_retry_sends_the_identical_batch(shared: Processes) -> None:
    process = shared.alone(replace(QUICK, caller_seconds=5))
    shared.sink_down()
    asyncio.get_running_loop().call_later(0.05, shared.sink_up)
    answers = await shared.deliver(process, *ids(4))
    assert answers == [Delivered(event_id, "sink") for event_id in ids(4)]
    assert len(shared.sink.batches) >= 2
    assert all(batch == ids(4) for batch in shared.sink.batches)
    assert process.state == DeliveryState()


async def test_a_misconfigured_sink_is_not_tried_again(shared: Processes) -> None:
    shared.sink_down(PipelineKit.fault("misconfigured", "denied"))
    [error] = await shared.deliver(shared.alone(), "e-1")
    assert isinstance(error, SinkError)
    assert (error.kind, len(shared.sink.batches)) == ("misconfigured", 1)


@pytest.mark.parametrize("kind", ["retryable", "misconfigured"])
async def test_failures_are_counted_by_batch_and_the_newest_is_kept(
    shared: Processes, kind: FailureKind
) -> None:
    process = shared.alone()
    reason: FailureReason = "denied"
    shared.sink_down(PipelineKit.fault(kind, reason))
    for count in (1, 2):
        shared.clock.advance(seconds=1)
        await shared.deliver(process, *ids(3))
        newest = LastError(shared.clock.now, reason, f"memory/events: {kind} failure")
        assert process.state == DeliveryState(newest, count)
    shared.sink_up()
    await shared.deliver(process, "good")
    assert process.state == DeliveryState(newest, 0)


async def test_a_hanging_sink_is_bounded_and_said(shared: Processes) -> None:
    process = shared.alone()
    shared.sink.hanging.add("write")
    started = time.monotonic()
    [error] = await shared.deliver(process, "e-1")
    assert time.monotonic() - started < QUICK.caller_seconds + 0.1
    assert isinstance(error, SinkRetryable)
    assert (str(error), error.reason) == ("memory/events_{tenant}: no answer in time", "timeout")
    assert process.state.consecutive_failures == 1


async def test_what_the_sink_said_first_is_told_when_it_hangs_then(shared: Processes) -> None:
    # The margin is what a busy machine may take before the caller gives up by itself.
    process = shared.alone(replace(QUICK, caller_seconds=6, margin_seconds=5))
    shared.sink_down()
    call = asyncio.create_task(shared.deliver(process, "e-1"))
    await shared.sink.asked.wait()
    await asyncio.sleep(0)
    shared.sink.hanging.add("write")
    [error] = await call
    assert str(error) == "memory/events: away"


async def test_a_batch_is_given_up_in_time_for_who_waited_longest(shared: Processes) -> None:
    process = shared.process(replace(QUICK, writers=1, caller_seconds=1, sink_seconds=0.5, floor_seconds=0.1))
    shared.sink.gate.clear()
    first = asyncio.create_task(shared.deliver(process, "first"))
    await shared.sink.asked.wait()
    early = asyncio.create_task(shared.deliver(process, "early"))
    await asyncio.sleep(0.3)
    late = asyncio.create_task(shared.deliver(process, "late"))
    await asyncio.sleep(0.01)
    shared.sink.hanging.add("write")
    shared.sink.batches.clear()
    shared.sink.gate.set()
    started = time.monotonic()
    await asyncio.gather(first, early, late)
    assert time.monotonic() - started < 0.4


async def test_who_waits_behind_a_hanging_write_is_answered_in_time_too(shared: Processes) -> None:
    process = shared.alone(replace(QUICK, writers=1))
    shared.sink.hanging.add("write")
    first = asyncio.create_task(shared.deliver(process, "first"))
    await shared.sink.asked.wait()
    started = time.monotonic()
    [error] = await shared.deliver(process, "second")
    assert time.monotonic() - started < QUICK.caller_seconds + 0.1
    assert isinstance(error, SinkRetryable)
    await first


def test_the_product_answers_within_four_and_a_half_seconds() -> None:
    limits = Limits()
    assert limits.caller_seconds == 4.5
    assert limits.sink_seconds + limits.floor_seconds < limits.caller_seconds


async def test_a_full_queue_refuses_with_an_error_that_a_retry_cures(shared: Processes) -> None:
    process = shared.alone(replace(QUICK, queue_events=5, caller_seconds=5))
    shared.sink.gate.clear()
    taken = asyncio.create_task(shared.deliver(process, *ids(5)))
    await shared.sink.asked.wait()
    [error] = await shared.deliver(process, "more")
    assert isinstance(error, Overloaded)
    assert (error.kind, "more" in await shared.stored()) == ("retryable", False)
    shared.sink.gate.set()
    assert await taken == [Delivered(event_id, "sink") for event_id in ids(5)]
    assert await shared.deliver(process, "more") == [Delivered("more", "sink")]


async def test_the_queue_is_bounded_in_bytes_but_takes_any_single_event(shared: Processes) -> None:
    process = shared.alone(replace(QUICK, queue_bytes=10))
    first, second = await shared.deliver(process, "one", "two")
    assert first == Delivered("one", "sink")
    assert isinstance(second, Overloaded)
    assert await shared.deliver(process, "two") == [Delivered("two", "sink")]


async def test_who_leaves_before_the_write_is_not_sent_and_leaves_no_trace(shared: Processes) -> None:
    process = shared.alone(replace(QUICK, writers=1, queue_events=2, caller_seconds=5))
    shared.sink.gate.clear()
    first = asyncio.create_task(shared.deliver(process, "first"))
    await shared.sink.asked.wait()
    leaves = asyncio.create_task(process.deliver(shared.envelope("leaves")))
    await asyncio.sleep(0.01)
    leaves.cancel()
    shared.sink.gate.set()
    await first
    assert await shared.deliver(process, *ids(2)) == [Delivered(event_id, "sink") for event_id in ids(2)]
    assert "leaves" not in await shared.stored()


async def test_a_fault_of_the_adapter_answers_every_caller_and_tells_no_payload(shared: Processes) -> None:
    shared.sink.faults["write"] = KeyError("a secret payload")
    answers = await shared.deliver(shared.alone(), *ids(3))
    assert [str(answer) for answer in answers] == ["memory/events_{tenant}: unforeseen KeyError"] * 3


async def test_a_receipt_that_is_missing_is_never_taken_for_stored(
    shared: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def too_few(batch: object) -> list[WriteReceipt]:
        return [WriteReceipt("e-0000", "stored")]

    monkeypatch.setattr(shared.sink, "write", too_few)
    answers = await shared.deliver(shared.alone(), *ids(2))
    assert all(isinstance(answer, SinkError) for answer in answers)


async def test_one_event_of_each_tenant_in_one_batch_stays_with_its_tenant(shared: Processes) -> None:
    process = shared.alone()
    tenants = [f"t_{number}" for number in range(5)]
    await asyncio.gather(*(process.deliver(shared.envelope("e-1", tenantId=tenant)) for tenant in tenants))
    assert len(shared.sink.batches) == 1
    for tenant in tenants:
        assert [item.event.tenantId for item in await stored_events(shared.sink, tenant)] == [tenant]

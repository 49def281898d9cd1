"""The outbox: what is accepted while the sink is down is durable, complete, and comes out in order."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

from engines.common.documents import Address, Document, Scope, StoreTimeout, StoreUnavailable
from engines.nexus.backends.sink import SinkError, WriteReceipt
from engines.nexus.delivery import Delivered, DeliveryState
from engines.nexus.delivery.outbox_records import QUEUES
from engines.nexus.delivery.text import MAX_BYTES, from_text, to_text
from tests.support.app import QUICK
from tests.support.delivery import Processes
from tests.support.records import PipelineKit, stored_events


@pytest.fixture
def shared() -> Processes:
    return Processes()


def ids(count: int, start: int = 0) -> list[str]:
    return [f"e-{number:04}" for number in range(start, start + count)]


@pytest.mark.parametrize("kind", ["retryable", "misconfigured"])
async def test_what_a_dead_sink_does_not_take_is_accepted_into_the_outbox(
    shared: Processes, kind: Any
) -> None:
    process = shared.process()
    shared.sink_down(PipelineKit.fault(kind))
    answers = await shared.deliver(process, *ids(3))
    assert answers == [Delivered(event_id, "outbox") for event_id in ids(3)]
    assert [from_text(entry["envelope"]).event_id for entry in await shared.waiting()] == ids(3)
    assert process.state.consecutive_failures == 1


async def test_a_hanging_sink_leaves_time_for_the_outbox(shared: Processes) -> None:
    shared.sink.hanging.add("write")
    started = time.monotonic()
    assert await shared.deliver(shared.process(), "e-1") == [Delivered("e-1", "outbox")]
    assert time.monotonic() - started < QUICK.caller_seconds


async def test_after_a_failure_the_sink_is_left_alone_until_it_took_something(shared: Processes) -> None:
    process = shared.process()
    shared.sink_down()
    await shared.deliver(process, "first")
    tries = len(shared.sink.batches)
    assert await shared.deliver(process, "second") == [Delivered("second", "outbox")]
    assert len(shared.sink.batches) == tries
    shared.sink_up()
    assert await process.drain() == 2
    assert await shared.deliver(process, "third") == [Delivered("third", "sink")]
    assert await shared.waiting() == []
    assert process.state.consecutive_failures == 0


async def test_with_nothing_to_drain_a_probe_lets_the_sink_be_tried(shared: Processes) -> None:
    process, other = shared.process(), shared.process()
    shared.sink_down()
    await shared.deliver(process, "e-1")
    shared.sink.faults["probe"] = PipelineKit.fault("retryable")
    shared.sink_up()
    assert await other.drain() == 1
    shared.sink.faults["probe"] = PipelineKit.fault("retryable")
    await process.drain()
    assert await shared.deliver(process, "e-2") == [Delivered("e-2", "outbox")]
    shared.sink_up()
    assert await other.drain() == 1
    await process.drain()
    assert await shared.deliver(process, "e-3") == [Delivered("e-3", "sink")]


async def test_what_waits_comes_out_oldest_first(shared: Processes) -> None:
    process = shared.process()
    shared.sink_down()
    for event_id in ids(6):
        await shared.deliver(process, event_id)
        shared.clock.advance(seconds=1)
    shared.sink_up()
    shared.sink.batches.clear()
    assert await process.drain() == 6
    assert [event_id for batch in shared.sink.batches for event_id in batch] == ids(6)
    assert await shared.stored() == ids(6)


async def test_a_tried_batch_comes_out_as_it_was_and_the_rest_in_company(shared: Processes) -> None:
    process = shared.process()
    shared.sink_down()
    await shared.deliver(process, *ids(3))
    tried = shared.sink.batches[-1]
    for event_id in ids(4, start=10):
        await shared.deliver(process, event_id)
    shared.sink_up()
    shared.sink.batches.clear()
    assert await process.drain() == 7
    assert shared.sink.batches == [tried, ids(4, start=10)]


async def test_a_tried_batch_is_whole_also_when_it_is_larger_than_a_turn(
    shared: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = shared.process()
    shared.sink_down()
    await shared.deliver(process, *ids(9))
    shared.sink_up()
    shared.sink.batches.clear()
    monkeypatch.setattr("engines.nexus.delivery.turn.PIECE", 4)
    monkeypatch.setattr("engines.nexus.delivery.turn.TURN_EVENTS", 4)
    assert await process.drain() == 9
    assert shared.sink.batches == [ids(9)]


async def test_entries_too_large_to_be_read_at_once_are_read_in_smaller_pages(
    shared: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = shared.process()
    shared.sink_down()
    for event_id in ids(30):
        await shared.deliver(process, event_id)
    shared.sink_up()
    get_all = shared.store.inner.get_all

    async def slow_when_many(address: Address, scope: Scope, keys: Sequence[str]) -> list[Document | None]:
        if len(keys) > 5:
            raise StoreTimeout("memory: too slow")
        return await get_all(address, scope, keys)

    monkeypatch.setattr(shared.store.inner, "get_all", slow_when_many)
    for _ in range(30):
        await process.drain()
    monkeypatch.undo()
    assert await shared.stored() == ids(30)


async def test_what_was_never_tried_goes_out_in_batches_of_bounded_size(
    shared: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = shared.process()
    shared.sink_down()
    for event_id in ids(4):
        await shared.deliver(process, event_id)
    shared.sink_up()
    shared.sink.batches.clear()
    monkeypatch.setattr("engines.nexus.delivery.turn.TURN_BYTES", 1)
    assert await process.drain() == 4
    assert shared.sink.batches == [[event_id] for event_id in ids(4)]


async def test_an_event_that_the_sink_only_delays_stays_in_the_outbox(
    shared: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def delayed(batch: Any) -> list[WriteReceipt]:
        return [WriteReceipt("e-0000", "refused", PipelineKit.fault("retryable"))]

    process = shared.process()
    shared.sink_down()
    await shared.deliver(process, "e-0000")
    shared.sink_up()
    monkeypatch.setattr(shared.sink, "write", delayed)
    assert await process.drain() == 0
    assert (len(await shared.waiting()), await shared.letters()) == (1, [])


async def test_a_failing_drain_keeps_everything_and_counts(shared: Processes) -> None:
    process = shared.process()
    shared.sink_down()
    await shared.deliver(process, *ids(2))
    assert await process.drain() == 0
    assert len(await shared.waiting()) == 2
    assert process.state.consecutive_failures == 2


async def test_when_the_outbox_fails_too_the_caller_gets_the_error_and_both_causes(
    shared: Processes,
) -> None:
    shared.sink_down()
    shared.store.faults[f"mutate {QUEUES.name}"] = StoreUnavailable("memory: away")
    [error] = await shared.deliver(shared.process(), "e-1")
    assert isinstance(error, SinkError)
    expected = "memory/events: away; nor does the outbox take it: memory: away"
    assert (str(error), error.kind, error.reason) == (expected, "retryable", "unreachable")


async def test_without_an_outbox_the_caller_gets_the_error(shared: Processes) -> None:
    shared.sink_down()
    [error] = await shared.deliver(shared.alone(), "e-1")
    assert (str(error), await shared.waiting()) == ("memory/events: away", [])
    assert await shared.alone().drain() == 0


async def test_an_event_over_the_limit_of_a_document_fails_alone(shared: Processes) -> None:
    process = shared.process()
    shared.sink_down()
    large = shared.envelope("large", input={"text": "x" * MAX_BYTES})
    answers = await asyncio.gather(
        process.deliver(large), process.deliver(shared.envelope("small")), return_exceptions=True
    )
    assert str(answers[0]) == "memory/events: away; too large for the outbox"
    assert answers[1] == Delivered("small", "outbox")


@pytest.mark.parametrize(
    "event",
    [
        {"input": {"x": "\ud800"}},
        {"input": {"x": {"\udfff": [{"\ud800": 1}]}}},
        {"input": {"": {"__a__": [[1]]}}},
        {"env": "\ud800"},
        {"env": ""},
        {"env": "a/b" * 200},
        {"metadata": {"n": 2**70, "deep": {"a": {"b": [1.5, None, True, "grüße 🚀"]}}}},
    ],
    ids=["surrogate", "surrogate_key", "keys", "surrogate_env", "no_env", "long_env", "values"],
)
async def test_whatever_an_event_carries_the_outbox_holds_it_unchanged(
    shared: Processes, event: dict[str, Any]
) -> None:
    process = shared.process()
    shared.sink_down()
    sent = shared.envelope("e-1", **event)
    assert (await process.deliver(sent)).durable_in == "outbox"
    [entry] = await shared.waiting()
    assert from_text(entry["envelope"]) == sent
    assert from_text(to_text(sent)) == sent


async def test_an_event_that_the_sink_refuses_later_becomes_a_dead_letter(shared: Processes) -> None:
    process = shared.process()
    shared.sink_down()
    bad = shared.envelope("bad", input={"x": [[1]]})
    await asyncio.gather(process.deliver(bad), process.deliver(shared.envelope("good")))
    shared.sink_up()
    assert await process.drain() == 2
    assert (await shared.stored(), await shared.waiting()) == (["good"], [])
    [letter] = await shared.letters()
    assert from_text(letter["envelope"]) == bad


async def test_a_refused_event_stays_until_its_dead_letter_is_stored(shared: Processes) -> None:
    process = shared.process()
    shared.sink_down()
    await process.deliver(shared.envelope("bad", input={"x": [[1]]}))
    shared.sink_up()
    shared.store.faults["put nexus_dead_letters"] = StoreUnavailable("memory: away")
    assert await process.drain() == 0
    assert len(await shared.waiting()) == 1
    shared.store.faults.clear()
    assert await process.drain() == 1
    assert len(await shared.letters()) == 1


async def test_a_receipt_that_is_only_delayed_goes_to_the_outbox(
    shared: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def one_delayed(batch: Any) -> list[WriteReceipt]:
        delayed = WriteReceipt("e-0001", "refused", PipelineKit.fault("retryable"))
        return [WriteReceipt("e-0000", "stored"), delayed]

    monkeypatch.setattr(shared.sink, "write", one_delayed)
    process = shared.process()
    answers = await shared.deliver(process, *ids(2))
    assert answers == [Delivered("e-0000", "sink"), Delivered("e-0001", "outbox")]
    assert process.state == DeliveryState()
    assert await stored_events(shared.sink) == []


async def test_a_number_that_is_not_finite_waits_as_it_is_and_becomes_a_dead_letter(
    shared: Processes,
) -> None:
    process = shared.process()
    shared.sink_down()
    sent = shared.envelope("bad", input={"x": [float("-inf")]})
    assert (await process.deliver(sent)).durable_in == "outbox"
    shared.sink_up()
    assert await process.drain() == 1
    [letter] = await shared.letters()
    assert (from_text(letter["envelope"]), letter["reason"]) == (sent, "input[0] is not a finite number")

"""A batch that the sink refuses as a whole is divided: the event at fault stands alone, the others go on."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from engines.nexus.backends.sink import Envelope, SinkError, SinkPermanent, SinkRetryable, WriteReceipt
from engines.nexus.dead_letters import replay
from engines.nexus.delivery import Delivered, DeliveryState, Refused
from engines.nexus.delivery.attempt import send
from engines.nexus.delivery.dead_letters import DeadLetters
from engines.nexus.delivery.division import UNPROVEN_WRITES
from engines.nexus.delivery.text import from_text
from tests.support.app import QUICK
from tests.support.delivery import AWAY, Processes, WatchedSink
from tests.support.records import PipelineKit

PATIENT = replace(QUICK, caller_seconds=30.0, sink_seconds=20.0, drain_seconds=20.0)
SECONDS = 20.0

Fault = Callable[[], Exception]
FAULTS: dict[str, Fault] = {
    "refusal": lambda: SinkPermanent("memory/events", "refuses the request (invalid)", "refused"),
    "encoding": lambda: UnicodeEncodeError("utf-8", "a secret", 0, 1, "surrogates not allowed"),
    "adapter": lambda: KeyError("a secret"),
}
each_fault = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())


class WholeSink(WatchedSink):
    """Refuses a batch as a whole while one of ``poison`` is in it."""

    def __init__(self, fault: Fault, *poison: str) -> None:
        super().__init__()
        self.fault = fault
        self.poison = set(poison)

    async def write(self, batch: Sequence[Envelope]) -> list[WriteReceipt]:
        receipts = await super().write(batch)  # as a far end that stores a part before it fails
        if self.poison & {envelope.event_id for envelope in batch}:
            raise self.fault()
        return receipts


class StrictSink(WholeSink):
    """The same, and stores nothing of a batch that it refuses."""

    async def write(self, batch: Sequence[Envelope]) -> list[WriteReceipt]:
        if self.poison & {envelope.event_id for envelope in batch}:
            self.batches.append([envelope.event_id for envelope in batch])
            raise self.fault()
        return await super().write(batch)


def ids(count: int) -> list[str]:
    return [f"e-{number:03}" for number in range(count)]


def shared_over(sink: WatchedSink) -> Processes:
    return Processes(sink=sink)


def outcomes(receipts: Sequence[WriteReceipt]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for receipt in receipts:
        found.setdefault(receipt.outcome, []).append(receipt.event_id)
    return found


async def sent(shared: Processes, count: int, seconds: float = SECONDS) -> list[WriteReceipt]:
    return await send(shared.sink, [shared.envelope(event_id) for event_id in ids(count)], seconds)


@each_fault
@pytest.mark.parametrize("poison", [["e-000"], ["e-499"], ["e-007", "e-008", "e-300"]], ids=str)
async def test_the_guilty_stand_alone_and_every_other_event_is_stored(
    fault: Fault, poison: list[str]
) -> None:
    shared = shared_over(StrictSink(fault, *poison))
    receipts = await sent(shared, 500)
    assert [receipt.event_id for receipt in receipts] == ids(500)
    assert outcomes(receipts)["refused"] == poison
    assert len(outcomes(receipts)["stored"]) == 500 - len(poison)
    for receipt in receipts:
        assert receipt.error is None or type(receipt.error) is SinkPermanent
        assert "secret" not in str(receipt.error)
    # Two writes for each halving, and twice alone for a fault that the port does not know.
    assert len(shared.sink.batches) <= 1 + len(poison) * (2 * 9 + 1)


@each_fault
async def test_what_was_stored_before_the_division_is_stored_once(fault: Fault) -> None:
    shared = shared_over(WholeSink(fault, "e-003"))
    receipts = await sent(shared, 8)
    assert outcomes(receipts) == {
        "duplicate": [event_id for event_id in ids(8) if event_id != "e-003"],
        "refused": ["e-003"],
    }
    assert await shared.stored() == ids(8)


async def test_a_refusal_of_every_event_is_one_of_each() -> None:
    shared = shared_over(StrictSink(FAULTS["refusal"], *ids(8)))
    assert outcomes(await sent(shared, 8)) == {"refused": ids(8)}


@pytest.mark.parametrize("count", [1, 2, 500])
@pytest.mark.parametrize("kind", ["encoding", "adapter"])
async def test_an_unforeseen_fault_of_every_event_is_the_sinks_and_is_soon_given_up(
    kind: str, count: int
) -> None:
    shared = shared_over(StrictSink(FAULTS[kind], *ids(count)))
    with pytest.raises(SinkError, match=r"unforeseen (KeyError|UnicodeEncodeError)") as caught:
        await sent(shared, count)
    assert type(caught.value) is SinkError
    assert len(shared.sink.batches) <= UNPROVEN_WRITES


@pytest.mark.parametrize("kind", ["retryable", "misconfigured"])
async def test_a_fault_that_names_no_event_divides_nothing(kind: Any) -> None:
    shared = shared_over(WatchedSink())
    shared.sink_down(PipelineKit.fault(kind))
    with pytest.raises(SinkError, match=kind):
        await sent(shared, 8, 0.3)
    assert all(batch == ids(8) for batch in shared.sink.batches)


async def test_an_unforeseen_fault_that_passes_refuses_nobody() -> None:
    class Flickering(WatchedSink):
        async def write(self, batch: Sequence[Envelope]) -> list[WriteReceipt]:
            self.batches.append([envelope.event_id for envelope in batch])
            if self.batches[-1][0] == "e-000" and len(self.batches) < 5:
                raise ConnectionError("a session that is closed")
            return await self.inner.write(batch)

    shared = shared_over(Flickering())
    assert outcomes(await sent(shared, 4)) == {"stored": ids(4)}


async def test_what_is_not_judged_in_time_is_to_be_sent_again_and_the_rest_is_settled() -> None:
    class Hanging(StrictSink):
        async def write(self, batch: Sequence[Envelope]) -> list[WriteReceipt]:
            if [envelope.event_id for envelope in batch] == ["e-002"]:
                self.hanging.add("write")
            return await super().write(batch)

    shared = shared_over(Hanging(FAULTS["refusal"], "e-003"))
    receipts = await sent(shared, 4, 0.4)
    assert outcomes(receipts) == {"stored": ["e-000", "e-001"], "refused": ["e-002", "e-003"]}
    assert [type(receipt.error) for receipt in receipts[2:]] == [SinkRetryable, SinkRetryable]


async def test_a_part_that_fails_for_a_moment_is_sent_again_after_the_others() -> None:
    class Busy(StrictSink):
        async def write(self, batch: Sequence[Envelope]) -> list[WriteReceipt]:
            if [envelope.event_id for envelope in batch] == ["e-000", "e-001"] and not await shared.stored():
                self.batches.append(["busy"])
                raise AWAY
            return await super().write(batch)

    shared = shared_over(Busy(FAULTS["refusal"], "e-003"))
    assert outcomes(await sent(shared, 4)) == {"stored": ["e-000", "e-001", "e-002"], "refused": ["e-003"]}


@each_fault
async def test_each_caller_gets_its_answer_and_the_guilty_is_a_dead_letter(fault: Fault) -> None:
    shared = shared_over(StrictSink(fault, "e-002"))
    process = shared.process(PATIENT)
    answers = await shared.deliver(process, *ids(5))
    refused = answers.pop(2)
    assert answers == [Delivered(event_id, "sink") for event_id in ids(5) if event_id != "e-002"]
    assert isinstance(refused, Refused)
    assert refused.kept
    assert [letter["event_id"] for letter in await shared.letters()] == ["e-002"]
    assert (await shared.waiting(), process.state) == ([], DeliveryState())


@each_fault
async def test_poison_that_waits_leaves_as_a_dead_letter_and_the_others_arrive(fault: Fault) -> None:
    shared = shared_over(StrictSink(fault, "e-001"))
    process = shared.process(PATIENT)
    shared.sink_down(PipelineKit.fault("misconfigured"))
    shared.sink.poison.clear()  # type: ignore[attr-defined]
    assert {type(answer) for answer in await shared.deliver(process, *ids(6))} == {Delivered}
    shared.sink_up()
    shared.sink.poison.add("e-001")  # type: ignore[attr-defined]
    while await process.drain():
        pass
    assert await shared.waiting() == []
    assert await shared.stored() == [event_id for event_id in ids(6) if event_id != "e-001"]
    assert [letter["event_id"] for letter in await shared.letters()] == ["e-001"]


async def test_what_was_not_judged_in_time_waits_as_one_batch_and_its_caller_is_accepted() -> None:
    class Hanging(StrictSink):
        async def write(self, batch: Sequence[Envelope]) -> list[WriteReceipt]:
            if [envelope.event_id for envelope in batch] == ["e-002"]:
                self.hanging.add("write")
            return await super().write(batch)

    shared = shared_over(Hanging(FAULTS["refusal"], "e-000", "e-003"))
    answers = await shared.deliver(shared.process(), *ids(4))
    assert isinstance(answers[0], Refused)
    assert answers[1:] == [
        Delivered("e-001", "sink"),
        Delivered("e-002", "outbox"),
        Delivered("e-003", "outbox"),
    ]
    waiting = await shared.waiting()
    assert [from_text(entry["envelope"]).event_id for entry in waiting] == ["e-002", "e-003"]
    assert len({entry["batch"] for entry in waiting}) == 1


@each_fault
async def test_a_replay_with_a_poison_letter_stores_the_others(fault: Fault) -> None:
    shared = shared_over(StrictSink(FAULTS["refusal"], *ids(6)))
    await shared.deliver(shared.process(PATIENT), *ids(6))
    letters = DeadLetters(shared.store, shared.clock)
    sink = StrictSink(fault, "e-004")
    assert await replay(letters, sink, await letters.page(10)) == (5, 1)
    assert [letter["event_id"] for letter in await shared.letters()] == ["e-004"]


async def test_a_replay_that_is_cut_short_removes_what_was_taken_and_says_so() -> None:
    class Stopping(StrictSink):
        async def write(self, batch: Sequence[Envelope]) -> list[WriteReceipt]:
            if [envelope.event_id for envelope in batch] == ["e-003"]:
                raise PipelineKit.fault("misconfigured")
            return await super().write(batch)

    shared = shared_over(StrictSink(FAULTS["refusal"], *ids(4)))
    await shared.deliver(shared.process(PATIENT), *ids(4))
    letters = DeadLetters(shared.store, shared.clock)
    chosen = sorted(await letters.page(10), key=lambda letter: letter.event_id)
    with pytest.raises(SinkError, match="misconfigured"):
        await replay(letters, Stopping(FAULTS["refusal"], "e-002"), chosen)
    assert [letter["event_id"] for letter in await shared.letters()] == ["e-002", "e-003"]

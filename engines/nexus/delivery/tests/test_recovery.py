"""A sink that came back with less than it had acknowledged is given it again, under the same ids."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from engines.common.documents import Scope
from engines.nexus.backends.noop import NoopSink
from engines.nexus.backends.sink import Envelope, WriteReceipt
from engines.nexus.delivery import Delivery
from engines.nexus.delivery.observer import Unobserved
from engines.nexus.delivery.recent import KEEP, RecentEvents
from engines.nexus.delivery.recovery import Recovery
from engines.nexus.delivery.text import to_text
from engines.storage.memory import MemoryDocumentStore
from tests.support.delivery import AWAY, Processes


class Counting(Unobserved):
    """Counts what was sent again."""

    def __init__(self) -> None:
        self.events = 0

    def resent(self, events: int) -> None:
        self.events += events


class Start:
    """The present start of the store behind."""

    def __init__(self) -> None:
        self.generation: str | None = "first"

    async def __call__(self) -> str | None:
        return self.generation


class Kit:
    """A process with its recovery, over a sink that can lose things."""

    def __init__(self, shared: Processes, process: Delivery) -> None:
        self.shared = shared
        self.process = process
        self.start = Start()
        self.observer = Counting()
        self.restored: list[list[str]] = []
        self.recovery = Recovery(
            shared.sink, process.recent, process, self.observer, self.start, [self._restore]
        )

    async def _restore(self, envelopes: Sequence[Envelope]) -> None:
        self.restored.append([envelope.event_id for envelope in envelopes])

    async def lose(self) -> None:
        await self.shared.sink.inner.erase("t_acme")


@pytest.fixture
def shared() -> Processes:
    return Processes()


@pytest.fixture
async def kit(shared: Processes) -> Kit:
    kit = Kit(shared, shared.alone())
    assert await kit.recovery.look()
    return kit


async def test_after_another_start_what_is_missing_is_sent_again(kit: Kit) -> None:
    await kit.shared.deliver(kit.process, "a", "b", "c")
    await kit.lose()
    await kit.shared.deliver(kit.process, "d")
    kit.start.generation = "second"
    assert await kit.recovery.look()
    assert await kit.shared.stored() == ["a", "b", "c", "d"]
    assert kit.observer.events == 3
    assert [sorted(ids) for ids in kit.restored] == [["a", "b", "c", "d"]]


async def test_after_a_failed_batch_what_is_missing_is_sent_again(kit: Kit) -> None:
    await kit.shared.deliver(kit.process, "a", "b")
    kit.shared.sink_down()
    await kit.shared.deliver(kit.process, "refused")
    await kit.lose()
    kit.shared.sink_up()
    assert await kit.recovery.look()
    assert await kit.shared.stored() == ["a", "b"]
    assert kit.restored == []  # the store never started anew


async def test_a_sink_that_lost_nothing_gets_nothing(kit: Kit) -> None:
    await kit.shared.deliver(kit.process, "a")
    written = len(kit.shared.sink.batches)
    kit.start.generation = "second"
    assert await kit.recovery.look()
    assert len(kit.shared.sink.batches) == written
    assert kit.observer.events == 0


async def test_without_a_break_nothing_is_read(kit: Kit) -> None:
    await kit.shared.deliver(kit.process, "a")
    await kit.lose()
    assert await kit.recovery.look()
    assert await kit.shared.stored() == []
    kit.recovery.found_missing(Scope("t_other", "dev"))
    assert await kit.recovery.look()
    assert await kit.shared.stored() == []
    kit.recovery.found_missing(Scope("t_acme", "dev"))
    assert await kit.recovery.look()
    assert await kit.shared.stored() == ["a"]


async def test_a_sink_that_does_not_answer_is_tried_again(kit: Kit) -> None:
    await kit.shared.deliver(kit.process, "a")
    await kit.lose()
    kit.start.generation = "second"
    kit.shared.sink.hanging.add("probe")
    assert not await kit.recovery.look()
    kit.shared.sink.hanging.clear()
    kit.shared.sink_down()
    kit.shared.sink_up()
    assert await kit.recovery.look()
    assert await kit.shared.stored() == ["a"]


async def test_an_unknown_start_is_no_break(kit: Kit) -> None:
    kit.start.generation = None
    assert await kit.recovery.look()
    kit.start.generation = "first"
    assert await kit.recovery.look()
    assert kit.restored == []


async def test_what_waits_in_the_outbox_is_not_missing(shared: Processes) -> None:
    kit = Kit(shared, shared.process())
    await kit.recovery.look()
    shared.sink_down()
    await shared.deliver(kit.process, "waits")
    shared.sink_up()
    assert not await kit.recovery.look()  # compared when it has left the outbox
    assert await shared.stored() == []
    assert await kit.process.drain() == 1
    await kit.lose()
    assert await kit.recovery.look()
    assert await shared.stored() == ["waits"]


async def test_an_outbox_that_lost_an_event_is_no_loss(shared: Processes) -> None:
    kit = Kit(shared, shared.process())
    await kit.recovery.look()
    shared.sink_down()
    await shared.deliver(kit.process, "lost")
    shared.store.inner = MemoryDocumentStore(shared.clock)
    shared.sink_up()
    kit.start.generation = "second"
    assert await kit.recovery.look()
    assert await shared.stored() == ["lost"]


async def test_events_are_kept_for_a_while_and_up_to_a_size(shared: Processes) -> None:
    recent = RecentEvents(shared.clock, keep_bytes=1_000)
    text = to_text(shared.envelope("x"))
    for number in range(10):
        recent.add(shared.envelope(f"e-{number}"), text)
    kept = [event.event_id for event in recent.all()]
    assert kept == [f"e-{number}" for number in range(10 - 1_000 // len(text), 10)]
    shared.clock.now += KEEP + timedelta(seconds=1)
    assert recent.all() == []


async def test_an_event_of_which_nothing_is_known_yet_is_looked_at_again(kit: Kit) -> None:
    await kit.shared.deliver(kit.process, "a", "b")
    await kit.lose()
    kit.start.generation = "second"
    whole, late = kit.shared.sink.write, [True]

    async def write(batch: Sequence[Envelope]) -> list[WriteReceipt]:
        """The first answer settles one event and leaves the other open, as a divided batch may."""
        if not late:
            return await whole(batch)
        late.clear()
        [first, second] = batch
        return [*await whole([first]), WriteReceipt(second.event_id, "refused", AWAY)]

    kit.shared.sink.write = write  # type: ignore[method-assign]
    assert not await kit.recovery.look()
    assert await kit.recovery.look()
    assert await kit.shared.stored() == ["a", "b"]


async def test_a_loss_that_is_found_while_it_mends_is_looked_at_next(shared: Processes) -> None:
    process, start = shared.alone(), Start()

    async def lose_meanwhile(_: Sequence[Envelope]) -> None:
        await shared.sink.inner.erase("t_acme")
        recovery.found_missing(Scope("t_acme", "dev"))

    recovery = Recovery(shared.sink, process.recent, process, Counting(), start, [lose_meanwhile])
    await recovery.look()
    await shared.deliver(process, "a")
    start.generation = "second"
    await recovery.look()
    assert await shared.stored() == []
    await recovery.look()
    assert await shared.stored() == ["a"]


async def test_a_sink_that_discards_is_sent_nothing_again(shared: Processes) -> None:
    sink, start, observer = NoopSink(), Start(), Counting()
    process = Delivery(sink, shared.clock)
    recovery = Recovery(sink, process.recent, process, observer, start)
    await recovery.look()
    await process.deliver(shared.envelope("a"))
    start.generation = "second"
    assert await recovery.look()
    assert observer.events == 0

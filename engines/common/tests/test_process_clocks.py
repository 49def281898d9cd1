"""The skew of processes against their store, with clocks that tests move."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from engines.common.documents import SYSTEM, StoreError, StoreUnavailable, Write
from engines.common.process_clocks import (
    FORGOTTEN,
    HEARTBEATS,
    LIVE,
    Clocks,
    ProcessClocks,
    Skew,
    beyond,
)
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import MovableClock
from tests.support.faults import FaultyStore


class SlowStore(MemoryDocumentStore):
    """Stamps in the middle of a write that takes a while."""

    def __init__(self, clock: MovableClock, process: MovableClock, seconds: float) -> None:
        super().__init__(clock)
        self._clocks, self._seconds = (clock, process), seconds

    async def put_all(self, writes: Sequence[Write]) -> None:
        self._pass()
        await super().put_all(writes)
        self._pass()

    def _pass(self) -> None:
        for clock in self._clocks:
            clock.advance(seconds=self._seconds / 2)


def clock_at(seconds: float) -> MovableClock:
    clock = MovableClock()
    clock.advance(seconds=seconds)
    return clock


async def clocks_of(store: MemoryDocumentStore | FaultyStore, seconds: float) -> ProcessClocks:
    made = ProcessClocks(store, clock_at(seconds))
    await made.beat()
    return made


async def documents(store: MemoryDocumentStore) -> int:
    return await store.count(HEARTBEATS, SYSTEM)


@pytest.mark.parametrize("seconds", [0, 0.25, -0.25, 600, -600])
async def test_the_skew_is_that_of_the_middle_of_the_write_and_half_its_time_is_open(seconds: float) -> None:
    process = clock_at(seconds)
    clocks = ProcessClocks(SlowStore(MovableClock(), process, 0.5), process)
    await clocks.beat()
    assert clocks.state is not None
    assert clocks.state.own == Skew(seconds=seconds, uncertainty_seconds=0.25)


@pytest.mark.parametrize(
    ("seconds", "uncertainty", "expected"),
    [(0, 0, False), (1, 0, False), (-1, 0, False), (1.001, 0, True), (-1.001, 0, True), (1.4, 0.5, False)],
)
def test_a_second_beyond_what_is_open_is_tolerated(
    seconds: float, uncertainty: float, expected: bool
) -> None:
    assert beyond(Skew(seconds=seconds, uncertainty_seconds=uncertainty)) is expected


@pytest.mark.parametrize(
    ("own", "others", "spread"),
    [(0.0, [], 0.0), (0.6, [], 0.6), (0.6, [-0.6], 1.2), (0.0, [600, -600], 1200.0), (5.0, [5], 5.0)],
)
def test_the_spread_is_between_any_two_clocks_and_the_store_is_one(
    own: float, others: list[float], spread: float
) -> None:
    peers = tuple(Skew(seconds=seconds) for seconds in others)
    assert Clocks(Skew(seconds=own), peers, MovableClock().now).spread.seconds == spread


async def test_processes_see_each_other_through_the_store() -> None:
    store = MemoryDocumentStore(MovableClock())
    one, other = await clocks_of(store, 0), await clocks_of(store, 600)
    await one.look()
    assert one.state is not None
    assert other.state is not None
    assert [skew.seconds for skew in one.state.others] == [600]
    assert [skew.seconds for skew in other.state.others] == [0]
    assert (one.state.apart, other.state.apart) == (True, True)


async def test_who_is_silent_is_not_counted_and_later_removed() -> None:
    true = MovableClock()
    store = MemoryDocumentStore(true)
    await clocks_of(store, 600)
    true.now += LIVE
    one = await clocks_of(store, LIVE.total_seconds())
    assert one.state is not None
    assert (one.state.others, await documents(store)) == ((), 2)
    true.now += FORGOTTEN
    last = await clocks_of(store, (LIVE + FORGOTTEN).total_seconds())
    assert last.state is not None
    assert await documents(store) == 2  # the one before is only just silent for so long
    true.now += timedelta(seconds=1)
    await last.beat()
    assert await documents(store) == 1


async def test_a_store_that_fails_leaves_what_is_known() -> None:
    store = FaultyStore(MemoryDocumentStore(MovableClock()))
    clocks = await clocks_of(store, 600)
    store.faults["put"] = store.faults["put_all"] = StoreUnavailable("memory: away")
    with pytest.raises(StoreError):
        await clocks.beat()
    assert clocks.state is not None
    assert clocks.state.own.seconds == 600
    store.faults["get"] = store.faults["delete"] = StoreUnavailable("memory: away")
    await clocks.close()


async def test_an_orderly_stop_takes_the_document_back() -> None:
    store = MemoryDocumentStore(MovableClock())
    clocks = await clocks_of(store, 0)
    assert await documents(store) == 1
    await clocks.close()
    assert await documents(store) == 0

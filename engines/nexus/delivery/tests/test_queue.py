"""The queue's bounds: what is taken, what is freed, and who is too much."""

import asyncio

import pytest

from engines.nexus.delivery import Limits, Overloaded
from engines.nexus.delivery.queue import Queue, Waiting
from tests.support.app import MovableClock
from tests.support.delivery import Processes

LIMITS = Limits(queue_events=4, queue_bytes=100, batch_events=3, batch_bytes=60)


def waiting(name: str, size: int = 10) -> Waiting:
    envelope = Processes().envelope(name)
    answer = asyncio.get_running_loop().create_future()
    return Waiting(envelope, "x" * size, 0.0, MovableClock().now, answer)


def filled(*items: Waiting) -> Queue:
    queue = Queue(LIMITS)
    for item in items:
        queue.add(item, "memory/events")
    return queue


def names(batch: list[Waiting]) -> list[str]:
    return [item.envelope.event_id for item in batch]


async def test_a_batch_is_taken_in_order_within_its_bounds() -> None:
    queue = filled(waiting("a"), waiting("b"), waiting("c"), waiting("d"))
    assert [names(queue.take()), names(queue.take()), queue.take()] == [["a", "b", "c"], ["d"], []]
    queue = filled(waiting("a", 40), waiting("b", 20), waiting("c", 1))
    assert [names(queue.take()), names(queue.take())] == [["a", "b"], ["c"]]


async def test_the_bound_of_events_counts_those_under_way() -> None:
    queue = filled(*(waiting(name) for name in "abcd"))
    taken = queue.take()
    with pytest.raises(Overloaded, match="too many events"):
        queue.add(waiting("e"), "memory/events")
    queue.done(taken)
    queue.add(waiting("e"), "memory/events")
    assert len(queue) == 2


async def test_the_bound_of_bytes_is_freed_when_a_batch_is_done() -> None:
    queue = filled(waiting("a", 50), waiting("b", 50))
    taken = queue.take()
    with pytest.raises(Overloaded):
        queue.add(waiting("c", 1), "memory/events")
    queue.done(taken)
    queue.add(waiting("c", 50), "memory/events")
    with pytest.raises(Overloaded):
        queue.add(waiting("d", 1), "memory/events")


async def test_who_leaves_the_queue_frees_its_bytes() -> None:
    leaves = waiting("leaves", 60)
    queue = filled(waiting("a"), leaves, waiting("b"))
    leaves.answer.cancel()
    taken = queue.take()
    assert names(taken) == ["a", "b"]
    queue.done(taken)
    queue.add(waiting("c", 50), "memory/events")
    queue.add(waiting("d", 50), "memory/events")


async def test_everyone_in_the_queue_is_seen_wherever_they_are() -> None:
    queue = filled(*(waiting(name) for name in "abcd"))
    queue.take()
    assert sorted(names(list(queue))) == ["a", "b", "c", "d"]

"""The queue between callers and the sink: bounded, first come first served."""

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from engines.common.documents import Scope
from engines.nexus.backends.sink import Envelope, SinkRetryable
from engines.nexus.delivery.text import plain


class Overloaded(SinkRetryable):
    """There is no room for the event now: nothing of it is kept."""


@dataclass(frozen=True)
class Limits:
    """Bounds of delivery. Times in seconds; sizes in bytes of JSON."""

    caller_seconds: float = 4.5
    """Longest time a caller waits for its event to become durable."""
    sink_seconds: float = 3.0
    """Of these, how long the sink is tried when there is an outbox; the outbox gets the rest."""
    margin_seconds: float = 0.1
    """What is left of them to answer."""
    floor_seconds: float = 1.0
    """What sink and outbox get at least, also when the oldest event of a batch has waited long."""
    drain_seconds: float = 5.0
    """How long the sink may take for a batch of the outbox; half the lease, the rest is for settling it."""
    flush_seconds: float = 8.0
    """How long a stop waits for what is queued."""
    writers: int = 2
    batch_events: int = 500
    batch_bytes: int = 4_000_000
    queue_events: int = 5_000
    queue_bytes: int = 32_000_000


@dataclass(frozen=True)
class Delivered:
    """The answer for one event: where it is durable, and whether the sink had its id already."""

    event_id: str
    durable_in: Literal["sink", "outbox"]
    duplicate: bool = False


@dataclass(eq=False)
class Waiting:
    """An event whose caller waits. ``since`` is the loop's time, ``arrived_at`` the clock's."""

    envelope: Envelope
    text: str
    since: float
    arrived_at: datetime
    answer: asyncio.Future[Delivered]

    @property
    def scope(self) -> Scope:
        """Owner of the event."""
        return Scope(self.envelope.event.tenantId, plain(self.envelope.event.env))

    def accept(self, answer: Delivered) -> None:
        """Answer the caller, if it still waits."""
        if not self.answer.done():
            self.answer.set_result(answer)

    def fail(self, error: Exception) -> None:
        """Fail the caller, if it still waits."""
        if not self.answer.done():
            self.answer.set_exception(error)


class Queue:
    """Events that wait or are on their way. The bounds hold for both together."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waiting: deque[Waiting] = deque()
        self._under_way: set[Waiting] = set()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._under_way)

    def __iter__(self) -> Iterator[Waiting]:
        yield from self._under_way
        yield from self._waiting

    def add(self, waiting: Waiting, target: str) -> None:
        """Queue the event. Raises Overloaded when there is no room; a queue without events takes any one."""
        events, size = len(self) + 1, self._bytes + len(waiting.text)
        if len(self) and (events > self._limits.queue_events or size > self._limits.queue_bytes):
            raise Overloaded(target, "too many events wait for the sink, try again later")
        self._waiting.append(waiting)
        self._bytes = size

    def take(self) -> list[Waiting]:
        """The next batch: what waits, within the bounds of a batch. Whoever left is not sent."""
        batch: list[Waiting] = []
        size = 0
        while self._waiting and len(batch) < self._limits.batch_events:
            following = self._waiting[0]
            length = len(following.text)
            if following.answer.done():
                self._bytes -= length
            elif batch and size + length > self._limits.batch_bytes:
                break
            else:
                batch.append(following)
                size += length
            self._waiting.popleft()
        self._under_way.update(batch)
        return batch

    def done(self, batch: list[Waiting]) -> None:
        """Forget a batch that was taken."""
        self._under_way.difference_update(batch)
        self._bytes -= sum(len(waiting.text) for waiting in batch)

"""Delivery wraps the sink once for all: concurrent events share a write, and what is accepted is durable.

A few writers take what is queued, so that batches grow by themselves while the sink is busy. A batch that
the sink does not take in time goes to the outbox, if there is one; the following ones go there at once
until the sink took something again. Without an outbox the callers get the error.
"""

import asyncio
import logging
from collections.abc import Hashable
from datetime import datetime

from engines.common.clock import Clock, utc_now
from engines.common.documents import SYSTEM, DocumentStore, Scope, StoreError
from engines.nexus.backends.sink import Envelope, EventSink, SinkError, SinkRetryable
from engines.nexus.delivery.dead_letters import DeadLetters
from engines.nexus.delivery.drain import PROBE_SECONDS, Drain
from engines.nexus.delivery.lease import Lease
from engines.nexus.delivery.observer import Observer, Result, Unobserved
from engines.nexus.delivery.outbox import Outbox
from engines.nexus.delivery.queue import Delivered, Limits, Overloaded, Waiting
from engines.nexus.delivery.recent import RecentEvents
from engines.nexus.delivery.state import DeliveryState, Score, Totals, Undelivered
from engines.nexus.delivery.text import to_text
from engines.nexus.delivery.writers import Refused, Writers

log = logging.getLogger(__name__)

IDLE_SECONDS = 5.0
"""How often the outbox is looked at when the sink takes events."""
BUSY_SECONDS = 2.0
"""How often a sink that does not take events is tried again."""
RELEASE_SECONDS = 1.0

_STORED: dict[str, Result] = {"sink": "stored", "outbox": "outbox"}


class Delivery:
    """Hands events to one sink. Sink and stores are the caller's: nothing is closed here.

    ``outbox`` and ``letters`` are durable stores; ``outbox`` must be able to outlive the sink's failure.
    """

    def __init__(
        self,
        sink: EventSink,
        clock: Clock = utc_now,
        *,
        outbox: DocumentStore | None = None,
        letters: DocumentStore | None = None,
        limits: Limits | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._sink = sink
        self._clock = clock
        self._limits = limits or Limits()
        self._observer = observer or Unobserved()
        self._score = Score(clock)
        self.recent = RecentEvents(clock)
        self._letters = DeadLetters(letters, clock) if letters else None
        self._outbox = Outbox(outbox, clock, self._limits.outbox_events) if outbox else None
        self._writers = Writers(sink, self._outbox, self._letters, self._score, self._limits, self._observer)
        self._drain: Drain | None = None
        if self._outbox:
            lease, seconds = Lease(self._outbox.store, clock), self._limits.drain_seconds
            self._drain = Drain(
                sink, self._outbox, self._letters, lease, seconds, self._observer, self.recent, clock
            )
        self._draining: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def state(self) -> DeliveryState:
        """See DeliveryReads.state."""
        return self._score.state

    async def deliver(self, envelope: Envelope) -> Delivered:
        """Store one event durably, in the sink or in the outbox.

        Raises Refused when the sink can never store it, Overloaded when there is no room for it, and any
        other SinkError when it is not known to be stored.
        """
        text = to_text(envelope)
        try:
            delivered = await self._deliver(envelope, text)
        except SinkError as error:
            self._observer.delivered(_result_of(error))
            raise
        self.recent.add(envelope, text)
        self._observer.delivered("duplicate" if delivered.duplicate else _STORED[delivered.durable_in])
        return delivered

    async def _deliver(self, envelope: Envelope, text: str) -> Delivered:
        target = self._sink.describe().target
        if self._stopping:
            raise Overloaded(target, "this process is stopping, try again")
        loop = asyncio.get_running_loop()
        waiting = Waiting(envelope, text, loop.time(), self._clock(), loop.create_future())
        self._writers.queue.add(waiting, target)
        self._writers.wake()
        try:
            async with asyncio.timeout(self._limits.caller_seconds):
                return await waiting.answer
        except TimeoutError as error:
            raise SinkRetryable(target, "no answer in time", "timeout") from error

    @property
    def failed_batches(self) -> int:
        """See Breaks.failed_batches."""
        return self._score.failed_batches

    async def waiting(self, scope: Scope) -> int:
        """See Breaks.waiting."""
        return (await self._outbox.backlog(scope)).depth if self._outbox else 0

    def changes(self, scope: Scope) -> Hashable:
        """See DeliveryReads.changes."""
        kept = [kind.changes(scope) for kind in (self._outbox, self._letters) if kind]
        return (*kept, len(self._writers.queue), self._score.stored[scope])

    async def undelivered(self, scope: Scope) -> Undelivered:
        """See DeliveryReads.undelivered."""
        outbox, letters = self._outbox, self._letters
        backlog, refused = await asyncio.gather(
            outbox.backlog(scope) if outbox else _none(), letters.count(scope) if letters else _none()
        )
        here = [waiting.arrived_at for waiting in self._writers.queue if waiting.scope == scope]
        depth, oldest_at = (backlog.depth, backlog.oldest_at) if backlog else (0, None)
        times = [*here, oldest_at] if oldest_at else here
        return Undelivered(depth + len(here), min(times, default=None), refused)

    async def refused_later(self, scope: Scope, hour: datetime) -> int:
        """How many accepted events of the hour the sink refused after all and are kept. Raises StoreError."""
        return await self._letters.accepted(scope, hour) if self._letters else 0

    async def totals(self) -> Totals:
        """What lies in the stores, of all scopes, and in this process. Raises StoreError."""
        outbox, letters = self._outbox, self._letters
        depth, refused = await asyncio.gather(
            outbox.depth() if outbox else _none(), letters.count(SYSTEM) if letters else _none()
        )
        return Totals(depth, refused)

    @property
    def queued(self) -> int:
        """How many events of callers this process holds."""
        return len(self._writers.queue)

    def start(self) -> None:
        """Drain the outbox from now on, if there is one."""
        if self._drain:
            self._draining = asyncio.create_task(self._drain_for_good(self._drain))

    async def stop(self) -> None:
        """Take no more, finish what is queued within the bound, and let another process drain."""
        self._stopping = True
        left_over = SinkRetryable(self._sink.describe().target, "this process stopped before it was stored")
        await self._writers.finish(self._limits.flush_seconds, left_over)
        if self._draining and self._drain:
            self._draining.cancel()
            await asyncio.wait([self._draining])
            await self._release(self._drain)

    async def drain(self) -> int:
        """Send what waits in the outbox, as far as the sink takes it; returns how many events left."""
        return await self._drain_now(self._drain) if self._drain else 0

    async def _drain_for_good(self, drain: Drain) -> None:
        while True:
            try:
                await self._drain_now(drain)
            except Exception as error:
                # Whatever it was, the next round must come.
                log.error("draining failed in an unforeseen way: %s", type(error).__name__)
            await asyncio.sleep(BUSY_SECONDS if self._score.down else IDLE_SECONDS)

    async def _drain_now(self, drain: Drain) -> int:
        sent = 0
        try:
            while left := await drain.send_next():
                sent += left
                self._score.succeeded()
        except SinkError as error:
            self._score.failed(error)
            return sent
        except StoreError as error:
            log.warning("the outbox cannot be drained: %s", error)
        if self._score.down:
            await self._probe()
        return sent

    async def _probe(self) -> None:
        """Nothing is here to try the sink with: a probe that passes lets the next batch try it."""
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self._sink.probe()
        except (SinkError, TimeoutError):
            return
        self._score.down = None

    async def _release(self, drain: Drain) -> None:
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await drain.release()
        except (StoreError, TimeoutError) as error:
            log.warning("the outbox's lease runs out by itself: %s", error)


def _result_of(error: SinkError) -> Result:
    if isinstance(error, Overloaded):
        return "overloaded"
    return "refused" if isinstance(error, Refused) else "failed"


async def _none() -> None:
    """In the place of what is not there."""

"""Arrivals: how many events of a tenant and env were accepted, per minute and hour.

For charts, and to be compared with what the sink holds. One document per tenant, env and hour. To keep a
busy tenant from one more write per event, counts are gathered in the process and written at most once per
second and at shutdown: a crash may lose up to a second of COUNTS, and while the store fails they wait in the
process. A process remembers what it counted in the last two hours at least, so that a store that came back
older gets its counts again. Events themselves are never touched.
"""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import Protocol

from engines.common.clock import Clock, utc_now
from engines.common.collection import Collection, Reads
from engines.common.documents import DocumentStore, Scope, StoreError, StoreTimeout
from engines.common.identity import ENVS
from engines.common.tracing import background
from engines.logging.arrival_days import DAYS, DayCounts, RecentReads
from engines.logging.arrival_hours import HOUR, HOURS, ArrivalReads, Counts, Day, HourCounts, hour_of
from engines.logging.arrival_tally import Place, Tallies
from engines.nexus.backends.sink import Envelope

__all__ = ["HOURS", "ArrivalReads", "Arrivals", "Counts", "Day", "HourCounts"]

log = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0
SETTLE_SECONDS = 10.0
"""How long after a timeout all of an hour is written once more: the write that timed out may come last."""

PLACES_AT_ONCE = 250
REMEMBERED = 2 * HOUR
"""How far back hours are remembered when they are written; two hours are, before the present one."""


class EventMilestones(Protocol):
    """Milestones, as far as arrivals tell them."""

    def event(self, scope: Scope, at: datetime) -> None:
        """An event was accepted at the time. Never raises, never waits."""
        ...


class Arrivals:
    """Counts accepted events."""

    def __init__(
        self,
        store: DocumentStore,
        clock: Clock = utc_now,
        flush_seconds: float = FLUSH_SECONDS,
        milestones: EventMilestones | None = None,
        sink: str = "",
    ) -> None:
        """``sink`` is the tag of the sink that the events go to."""
        self._store = store
        self._clock = clock
        self._milestones = milestones
        self._flush_seconds = flush_seconds
        self.hours: Reads[HourCounts] = Collection(store, HOURS, HourCounts)
        self.reads = ArrivalReads(self.hours, clock)
        self.recent = RecentReads(Collection(store, DAYS, DayCounts), clock)
        self._tallies = Tallies(sink)
        self._settling: dict[Place, float] = {}
        self._flushing: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._one_writes = asyncio.Lock()

    def add(self, envelope: Envelope, *, again: bool = False) -> None:
        """Count one accepted event; written within a second or so. Never raises, never waits.

        ``again`` says that an event of this id may have been accepted before.
        """
        self._tallies.add(envelope, again=again)
        event = envelope.event
        if self._milestones and event.env in ENVS:
            self._milestones.event(Scope(event.tenantId, event.env), envelope.ingested_at)
        self._wake()

    async def record(self, envelopes: Iterable[Envelope]) -> None:
        """Count many accepted events now, one write per tenant, env and hour. Raises StoreError."""
        for envelope in envelopes:
            self._tallies.add(envelope, again=False)
        await self._write()

    def rewrite(self) -> None:
        """Write all that is remembered once more: the store came back as of an earlier time."""
        self._tallies.write_again()
        self._wake()

    def scopes(self) -> set[Scope]:
        """The scopes that this process accepted events for in the last two hours."""
        return self._tallies.scopes()

    def take_active(self) -> set[Scope]:
        """The scopes that this process accepted events for since the last time somebody asked."""
        return self._tallies.take_active()

    async def flush(self) -> None:
        """Write what waits. While the store fails it goes on waiting."""
        try:
            await self._write()
        except StoreError as error:
            log.warning("counts of arrivals wait: %s", error)

    async def close(self) -> None:
        """Write what waits, once; the store is the caller's."""
        self._closing.set()
        if self._flushing:
            await self._flushing
        self._tallies.write_again(self._settling)
        await self.flush()

    def _wake(self) -> None:
        if self._flushing is None or self._flushing.done():
            self._flushing = background(self._keep_flushing())

    async def _keep_flushing(self) -> None:
        while not (self._tallies.is_written and not self._settling) and not self._closing.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._flush_seconds):
                    await self._closing.wait()
            await self.flush()

    async def _write(self) -> None:
        """Two merging writes per hour, to it and to its day. What is not written waits on."""
        async with self._one_writes:
            self._settle()
            taken = self._tallies.take()
            try:
                while taken:
                    some = dict(islice(taken.items(), PLACES_AT_ONCE))
                    groups = [tally.writes(place, slots) for place, (tally, slots) in some.items()]
                    await self._store.put_all([write for group in groups for write in group])
                    for place in some:
                        del taken[place]
            except StoreTimeout:
                later = asyncio.get_running_loop().time() + SETTLE_SECONDS
                self._settling |= dict.fromkeys(some, later)
                raise
            finally:
                for tally, slots in taken.values():
                    tally.unwritten |= slots
            self._tallies.forget_before(hour_of(self._clock()) - REMEMBERED)

    def _settle(self) -> None:
        now = asyncio.get_running_loop().time()
        settled = [place for place, due in self._settling.items() if due <= now]
        self._tallies.write_again(settled)
        for place in settled:
            del self._settling[place]

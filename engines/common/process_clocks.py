"""How far the clocks of this process, of the others and of the store are apart.

Each process writes a small document of its own, whose storage time the store stamps: between the moments
before and after the write by the process's clock. The document carries what was measured, so that each
process knows the skew of every other one against the same store, without any of them being asked.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from pydantic import BaseModel

from engines.common.clock import Clock, utc_now
from engines.common.collection import Collection
from engines.common.documents import SYSTEM, Address, DocumentStore, StoreError

log = logging.getLogger(__name__)

HEARTBEATS = Address("process_heartbeats")
BEAT_SECONDS = 60.0
"""How often a process measures: rarely, since a stand-in saves whatever changed."""
LOOK_SECONDS = 10.0
"""How often it reads what the others measured."""
LIVE = timedelta(seconds=150)
"""A process that did not write for so long is not counted."""
FORGOTTEN = timedelta(minutes=10)
"""Then its document is removed."""
CLOSE_SECONDS = 1.0

TOLERANCE_SECONDS = 1.0
"""Clocks may differ by this much, beyond what the measurement leaves open."""


class Skew(BaseModel):
    """How far a clock is ahead of the store's; negative = behind. True within ± ``uncertainty_seconds``."""

    seconds: float = 0.0
    uncertainty_seconds: float = 0.0


class Heartbeat(BaseModel):
    """A process's own document; no skew before the first measurement."""

    process: str
    skew: Skew | None = None


@dataclass(frozen=True)
class Clocks:
    """What is known of the clocks that write to one store."""

    own: Skew
    others: tuple[Skew, ...]
    measured_at: datetime

    @property
    def spread(self) -> Skew:
        """The largest difference between any two of them, the store's own among them."""
        every = [Skew(), self.own, *self.others]
        low, high = (pick(every, key=lambda one: one.seconds) for pick in (min, max))
        uncertain = low.uncertainty_seconds + high.uncertainty_seconds
        return Skew(seconds=high.seconds - low.seconds, uncertainty_seconds=uncertain)

    @property
    def apart(self) -> bool:
        """Whether two of them differ by more than is tolerated."""
        return beyond(self.spread)


def beyond(skew: Skew) -> bool:
    """Whether the skew is more than is tolerated, whatever the measurement leaves open."""
    return abs(skew.seconds) > TOLERANCE_SECONDS + skew.uncertainty_seconds


class ProcessClocks:
    """Measures and remembers. ``state`` is None until it was measured once."""

    def __init__(self, store: DocumentStore, clock: Clock = utc_now) -> None:
        self._heartbeats = Collection(store, HEARTBEATS, Heartbeat)
        self._clock = clock
        self._process = uuid4().hex
        self._own: Skew | None = None
        self.state: Clocks | None = None

    async def run(self) -> None:
        """Measure every BEAT_SECONDS and look every LOOK_SECONDS, as long as the process lives."""
        looks = round(BEAT_SECONDS / LOOK_SECONDS)
        turn = 0
        while True:
            try:
                await (self.beat() if turn == 0 else self.look())
            except StoreError as error:
                log.warning("the clocks could not be compared: %s", error)
            turn = (turn + 1) % looks if self._own else 0
            await asyncio.sleep(LOOK_SECONDS)

    async def beat(self) -> None:
        """Measure, tell the others, and see what they measured. Raises StoreError."""
        told, self._own = self._own, await self._measure()
        if told is None or abs(told.seconds - self._own.seconds) > TOLERANCE_SECONDS / 2:
            await self._tell()
        await self.look()

    async def look(self) -> None:
        """Read what the others measured, and remove what the dead left behind. Raises StoreError."""
        found = await self._heartbeats.find(SYSTEM)
        newest = max((one.stored_at for one in found), default=None)
        if self._own is None or newest is None:
            return
        others = [one for one in found if one.record.process != self._process]
        live = (one.record.skew for one in others if newest - one.stored_at < LIVE)
        self.state = Clocks(self._own, tuple(skew for skew in live if skew), self._clock())
        for one in others:
            if newest - one.stored_at > FORGOTTEN:
                await self._heartbeats.delete(SYSTEM, one.record.process)

    async def close(self) -> None:
        """Take the document back, if the store lets it in time: else another process removes it later."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._heartbeats.delete(SYSTEM, self._process)
        except (StoreError, TimeoutError) as error:
            log.warning("the heartbeat stays: %s", error or "no answer in time")

    async def _measure(self) -> Skew:
        before = self._clock()
        await self._tell()
        half = (self._clock() - before) / 2
        stored = await self._heartbeats.get(SYSTEM, self._process)
        if stored is None:
            raise StoreError(f"{self._heartbeats.source}: the heartbeat is not there after it was written")
        seconds = (before + half - stored.stored_at).total_seconds()
        return Skew(seconds=seconds, uncertainty_seconds=abs(half.total_seconds()))

    async def _tell(self) -> None:
        await self._heartbeats.put(SYSTEM, self._process, Heartbeat(process=self._process, skew=self._own))

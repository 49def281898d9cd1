"""What the state store lost at its starts: noted once per start, open until an operator acknowledges it.

The stand-in tells of its newest start only. So a process that sees a start with a loss keeps a record of it,
which outlives the orderly starts that follow.
"""

import asyncio
import logging
from datetime import UTC, datetime

from pydantic import BaseModel

from engines.common.clock import Clock, utc_now
from engines.common.collection import Collection
from engines.common.documents import SYSTEM, Address, DocumentStore, StoreError
from engines.common.stand_in import StandInReads, StandInStatus

log = logging.getLogger(__name__)

STATE_LOSSES = Address("state_losses")
LOOK_SECONDS = 5.0


class StateLoss(BaseModel):
    """One start that has less than was acknowledged before it. Its key is the start's generation."""

    generation: str
    as_of: datetime | None
    """What was stored until then is there; None = the store came back empty."""
    until: datetime | None
    """Until then the run before is known to have served; None = not known."""
    fell_back: bool = False
    noted_at: datetime
    acknowledged: bool = False
    acknowledged_at: datetime | None = None

    @property
    def sentence(self) -> str:
        """What is there and what is gone, in words for an operator."""
        came = f"came back as of {_utc(self.as_of)}" if self.as_of else "came back empty"
        end = f"until {_utc(self.until)}" if self.until else "until it stopped"
        gone = f"what was stored after it {end}" if self.as_of else f"what was stored {end}"
        why = ": its newest save was damaged, an older one was taken" if self.fell_back else ""
        return f"{came}, {gone} is gone{why}"


class StateLosses:
    """Notes losses, and knows the open ones. ``open`` is at most LOOK_SECONDS old."""

    def __init__(self, store: DocumentStore, stand_in: StandInReads, clock: Clock = utc_now) -> None:
        self._losses = Collection(store, STATE_LOSSES, StateLoss)
        self._stand_in = stand_in
        self._clock = clock
        self._noted: set[str] = set()
        self.open: list[StateLoss] = []

    async def run(self) -> None:
        """Look from time to time, as long as the process lives."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Note the loss of a new start, and read which are open. Never raises for a store that fails."""
        status = await self._stand_in.status()
        if status is None:
            return
        new = self._loss(status) if status.lost and status.generation not in self._noted else None
        try:
            if new:
                await self._note(new)
            self.open = await self._read_open()
        except StoreError as error:
            log.warning("losses of the state store cannot be noted or read: %s", error)
            if new:
                self.open = [*(one for one in self.open if one.generation != new.generation), new]

    async def acknowledge(self) -> list[StateLoss]:
        """Close all that are open, the newest start's too; returns them. Raises StoreError."""
        status = await self._stand_in.status()
        if status and status.lost:
            await self._note(self._loss(status))
        found = await self._read_open()
        for loss in found:
            closed = {"acknowledged": True, "acknowledged_at": self._clock()}
            await self._losses.put(SYSTEM, loss.generation, loss.model_copy(update=closed))
        self.open = []
        return found

    async def _read_open(self) -> list[StateLoss]:
        found = await self._losses.find(SYSTEM, {"acknowledged": False})
        return sorted((stored.record for stored in found), key=lambda loss: loss.generation)

    async def _note(self, loss: StateLoss) -> None:
        """Keep the loss, unless it is kept already: then it may have been acknowledged since."""
        await self._losses.mutate(SYSTEM, loss.generation, lambda present: present or loss)
        self._noted.add(loss.generation)

    def _loss(self, status: StandInStatus) -> StateLoss:
        return StateLoss(
            generation=status.generation,
            as_of=status.restored_as_of,
            until=status.stopped_at,
            fell_back=status.fell_back,
            noted_at=self._clock(),
        )


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"

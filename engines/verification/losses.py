"""What was accepted of a tenant and is nowhere, over all hours that have counts; and its acknowledgement."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from pydantic import BaseModel

from engines.common.clock import Clock, utc_now
from engines.common.collection import Collection
from engines.common.documents import DocumentStore, Scope
from engines.common.identity import ENVS
from engines.logging.arrival_hours import hour_of
from engines.logging.arrivals import Arrivals
from engines.logging.progress import PROGRESS, Progress
from engines.nexus.backends.sink import EventSink
from engines.nexus.delivery import Delivery
from engines.reconciliation.acknowledging import acknowledge, acknowledged
from engines.reconciliation.comparison import Comparison
from engines.reconciliation.rules import APART, Figures, window_of
from engines.reconciliation.service import Reconciler
from engines.verification.asked import Asked

AT_ONCE = 50
"""Hours compared together."""


class LossyHour(BaseModel):
    """One hour that lacks events."""

    env: str
    hour: datetime
    accepted: int
    stored: int
    missing: int


class Found(BaseModel):
    """What a comparison found.

    ``expired`` hours lack events, are over a day old and from before the oldest event that the sink holds:
    its retention may have taken them, so they are not called missing.
    """

    compared: int = 0
    expired: int = 0
    hours: list[LossyHour] = []


class Losses:
    """Compares what was accepted with what is held. Every method may raise SinkError and StoreError."""

    def __init__(
        self,
        store: DocumentStore,
        sink: EventSink,
        clock: Clock = utc_now,
        apart: float = APART.total_seconds(),
    ) -> None:
        self._clock = clock
        self._apart = apart
        self._kept = acknowledged(store)
        arrivals = Arrivals(store, clock)
        delivery = Delivery(sink, clock, outbox=store, letters=store)
        self._comparison = Comparison(arrivals.hours, self._kept, sink, delivery)
        progress = Collection(store, PROGRESS, Progress)
        self._reconciler = Reconciler(store, self._comparison, arrivals, progress, _exists, clock)

    async def find(self, asked: Asked) -> Found:
        """Compare all hours that have counts; what is missing is looked at twice, some seconds apart."""
        found = Found()
        for scope in _scopes(asked):
            await self._add(found, scope, hour_of(asked.since) if asked.since else None)
        return found

    async def acknowledge(self, asked: Asked, by: str) -> list[LossyHour]:
        """Accept what is missing now as lost; returns it. The indicator is up again afterwards."""
        lossy = (await self.find(asked)).hours
        for scope in _scopes(asked):
            lost = {one.hour: one.missing for one in lossy if one.env == scope.env}
            if lost:
                await acknowledge(self._kept, scope, lost, by, self._clock())
                await self._reconciler.compare(scope)
        return lossy

    async def _add(self, found: Found, scope: Scope, since: datetime | None) -> None:
        oldest = None
        recent = window_of(self._clock())[0]
        result = await self._reconciler.result(scope)
        known = {hour.start for hour in result.hours if hour.missing} if result else set()
        lossy: list[Figures] = []
        async for figures, nowhere in self._compared(scope, since):
            found.compared += 1
            oldest = oldest or (figures.start if figures.stored else None)
            may_be_expired = figures.start < recent and (oldest is None or figures.start <= oldest)
            if may_be_expired and figures.start not in known:
                found.expired += nowhere > 0
            elif nowhere:
                lossy.append(figures)
        if lossy:
            await asyncio.sleep(self._apart)
            again = await self._comparison.hours(scope, [one.start for one in lossy], self._clock())
            found.hours += [
                LossyHour(
                    env=scope.env, hour=one.start, accepted=one.accepted, stored=one.stored, missing=nowhere
                )
                for one, nowhere in again
                if nowhere
            ]

    async def _compared(self, scope: Scope, since: datetime | None) -> AsyncIterator[tuple[Figures, int]]:
        async for page in self._comparison.counted_hours(scope, since):
            for first in range(0, len(page), AT_ONCE):
                some: Sequence[datetime] = page[first : first + AT_ONCE]
                for one in await self._comparison.hours(scope, some, self._clock()):
                    yield one


async def _exists(tenant_id: str) -> bool:
    """Whoever asks for a tenant by name knows that it is one."""
    return bool(tenant_id)


def _scopes(asked: Asked) -> list[Scope]:
    """Events of other envs than these are not counted."""
    return [Scope(asked.tenant_id, env) for env in ENVS if asked.env in (None, env)]

"""Recording and listing usage events."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from engines.budget.buckets import inclusive
from engines.budget.models import USAGE_EVENTS, Rollup, UsageEvent, UsageEventBody
from engines.budget.rollups import rollup_writes
from engines.budget.summary import BudgetSummaries
from engines.common.clock import Clock, utc_now
from engines.common.collection import Collection
from engines.common.documents import DocumentStore, KeyTaken, Scalar, Scope
from engines.common.errors import Conflict
from engines.common.gates import ProviderGate
from engines.common.idempotency import IdempotencyKey, stored_before
from engines.common.identity import RequestContext
from engines.logging.milestones import Milestones, Unnoted

MOST_READ = 2**31 - 1
"""A store counts in 32 bits; no page begins beyond."""


class BudgetService:
    """Operations on usage events. Each may raise StoreError."""

    def __init__(
        self,
        store: DocumentStore,
        providers: ProviderGate,
        clock: Clock = utc_now,
        milestones: Milestones | None = None,
    ) -> None:
        self.events = Collection(store, USAGE_EVENTS, UsageEvent)
        self.summaries = BudgetSummaries(
            lambda address: Collection(store, address, Rollup), self.events, clock
        )
        self._store = store
        self._providers = providers
        self._clock = clock
        self._milestones = milestones or Unnoted()

    async def record(
        self,
        context: RequestContext,
        bodies: Sequence[UsageEventBody],
        key: IdempotencyKey | None = None,
    ) -> list[UsageEvent]:
        """Store all events and their roll-ups in one atomic batch, or nothing; once under the same ``key``.

        Raises Forbidden when a provider is disabled, Conflict or KeyTaken when an id is in use,
        Unprocessable for a key of another request.
        """
        for provider in dict.fromkeys(body.provider for body in bodies):
            await self._providers.require_provider(context, provider)
        now = self._clock()
        events = [_event(context, body, position, now) for position, body in enumerate(bodies)]
        if len({event.id for event in events}) < len(events):
            raise Conflict("two items of the request have the same id")
        if events:
            creates = [self.events.write(context.scope, event.id, event, create=True) for event in events]
            if key:
                creates.append(key.write(self._store, context.scope, [event.id for event in events], now))
            try:
                await self._store.put_all([*creates, *rollup_writes(context.scope, events)])
            except KeyTaken as taken:
                ids = await stored_before(key, self._store, context.scope, taken)
                return [event for event_id in ids if (event := await self._event(context.scope, event_id))]
            self._milestones.reached(context.scope, "first_usage")
        return events

    async def _event(self, scope: Scope, event_id: str) -> UsageEvent | None:
        stored = await self.events.get(scope, event_id)
        return stored.record if stored else None

    async def usage(
        self, scope: Scope, where: Mapping[str, Scalar], window_days: int, offset: int, limit: int
    ) -> list[UsageEvent]:
        """Events of [now - window_days, now] whose fields equal ``where``, oldest first.

        By ``created_at``, then id: the one order that both stores keep at any size. Events that name no time
        have that of their arrival and ids that grow with it, so theirs is the order of insertion.
        """
        now = self._clock()
        span = inclusive(now - timedelta(days=window_days), now)
        most = min(offset + limit, MOST_READ)
        found = await self.events.find(scope, where, order_by="created_at", limit=most, span=span)
        return [stored.record for stored in found[offset:]]

    async def usage_metadata(
        self, scope: Scope, surface: str, start: datetime, end: datetime, limit: int
    ) -> list[dict[str, Any]]:
        """Metadata of the surface's events from start to end (both included), the oldest ``limit``."""
        span = inclusive(start, end)
        of_surface = {"surface": surface}
        found = await self.events.find(scope, of_surface, order_by="created_at", limit=limit, span=span)
        return [stored.record.metadata for stored in found]


def _event(context: RequestContext, body: UsageEventBody, position: int, now: datetime) -> UsageEvent:
    own = {
        "id": body.id or _new_id(position),
        "tenant_id": context.tenant_id,
        "env": context.env,
        "created_at": body.created_at or now,
    }
    return UsageEvent.model_validate(body.model_dump() | own)


def _new_id(position: int) -> str:
    # Grows with time and place in the request: the order among events of one moment is that of the ids.
    return f"{time.time_ns():016x}{position:04x}{uuid4().hex[:12]}"

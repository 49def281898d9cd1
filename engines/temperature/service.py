"""Configuring, computing and listing the temperature of a surface."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar
from uuid import uuid4

from engines.common.clock import Clock, utc_now
from engines.common.collection import Collection
from engines.common.documents import DocumentStore, Scope, StoreError
from engines.common.gates import LockGate
from engines.common.identity import RequestContext
from engines.logging.milestones import Milestones, Unnoted
from engines.temperature.models import (
    TEMPERATURE_CEILINGS,
    TEMPERATURE_FLOORS,
    TEMPERATURE_SNAPSHOTS,
    TEMPERATURE_WEIGHTS,
    CeilingBody,
    CeilingConfig,
    FloorBody,
    FloorConfig,
    Metrics,
    SurfaceBody,
    SurfaceConfig,
    TemperatureSnapshot,
    TemperatureWeights,
    WeightsBody,
    surface_key,
)
from engines.temperature.rules import (
    ceilings_breached,
    floors_breached,
    metric_keys,
    sum_metrics,
    temperature_value,
)

log = logging.getLogger(__name__)

MAX_USAGE_EVENTS = 5000
MOST_READ = 2**31 - 1
"""A store counts in 32 bits; no page begins beyond."""

Config = TypeVar("Config", FloorConfig, CeilingConfig, TemperatureWeights)


class UsageMetrics(Protocol):
    """Usage, as far as the temperature needs it."""

    async def usage_metadata(
        self, scope: Scope, surface: str, start: datetime, end: datetime, limit: int
    ) -> Sequence[Mapping[str, Any]]:
        """Metadata of the surface's events from start to end (both included), the oldest ``limit``.

        Raises StoreError.
        """
        ...


class CorridorNames(Protocol):
    """KPI corridors, as far as the temperature needs them."""

    async def corridor_names(self, scope: Scope, surface: str) -> Sequence[str]:
        """KPI names of the surface's corridors. Raises StoreError."""
        ...


class TemperatureService:
    """Operations on temperatures. Each may raise StoreError."""

    def __init__(
        self,
        store: DocumentStore,
        lock_gate: LockGate,
        usage: UsageMetrics,
        corridors: CorridorNames,
        clock: Clock = utc_now,
        milestones: Milestones | None = None,
    ) -> None:
        self.floors = Collection(store, TEMPERATURE_FLOORS, FloorConfig)
        self.ceilings = Collection(store, TEMPERATURE_CEILINGS, CeilingConfig)
        self.weights = Collection(store, TEMPERATURE_WEIGHTS, TemperatureWeights)
        self.snapshots = Collection(store, TEMPERATURE_SNAPSHOTS, TemperatureSnapshot)
        self._store = store
        self._lock_gate = lock_gate
        self._usage = usage
        self._corridors = corridors
        self._clock = clock
        self._milestones = milestones or Unnoted()

    async def upsert_floors(self, context: RequestContext, body: FloorBody) -> FloorConfig:
        """Replace the surface's floors. Raises Conflict unless a strategy lock allows it."""
        await self._lock_gate.require(context, "temperature:upsert_floors", body.surface)
        return await self._replace(self.floors, FloorConfig, context, body)

    async def upsert_ceilings(self, context: RequestContext, body: CeilingBody) -> CeilingConfig:
        """Replace the surface's ceilings. Raises Conflict unless a strategy lock allows it."""
        await self._lock_gate.require(context, "temperature:upsert_ceilings", body.surface)
        return await self._replace(self.ceilings, CeilingConfig, context, body)

    async def upsert_weights(self, context: RequestContext, body: WeightsBody) -> TemperatureWeights:
        """Replace the surface's weights. Raises Conflict unless a strategy lock allows it."""
        await self._lock_gate.require(context, "temperature:upsert_weights", body.surface)
        return await self._replace(self.weights, TemperatureWeights, context, body)

    async def config(self, scope: Scope, surface: str) -> SurfaceConfig:
        """The surface's floors, ceilings and weights."""
        key = surface_key(surface)
        floors, ceilings, weights = await asyncio.gather(
            self.floors.get(scope, key), self.ceilings.get(scope, key), self.weights.get(scope, key)
        )
        return SurfaceConfig(
            floors=floors.record if floors else None,
            ceilings=ceilings.record if ceilings else None,
            weights=weights.record if weights else None,
        )

    async def current(
        self, scope: Scope, surface: str, window_days: int = 7, metrics: Metrics | None = None
    ) -> TemperatureSnapshot:
        """Compute the temperature from usage, or from ``metrics`` when there are any, and store it."""
        now = self._clock()
        start = now - timedelta(days=window_days)
        config, corridors = await asyncio.gather(
            self.config(scope, surface), self._corridor_names(scope, surface)
        )
        measured = metrics or await self._measured(scope, surface, metric_keys(config), start, now)
        snapshot = TemperatureSnapshot(
            id=_new_snapshot_id(),
            tenant_id=scope.tenant_id,
            env=scope.env,
            surface=surface,
            value=temperature_value(config.weights.weights if config.weights else {}, measured),
            window_start=start,
            window_end=now,
            floors_breached=floors_breached(config, measured),
            ceilings_breached=ceilings_breached(config, measured),
            raw_metrics=measured,
            usage_window_days=window_days,
            kpi_corridors_used=corridors,
            created_at=now,
        )
        await self._store.put(self.snapshots.write(scope, snapshot.id, snapshot, create=True))
        return snapshot

    async def history(
        self, scope: Scope, surface: str, limit: int, offset: int = 0
    ) -> list[TemperatureSnapshot]:
        """Stored snapshots of the surface, newest first."""
        most = min(offset + limit, MOST_READ)
        of_surface = {"surface": surface}
        found = await self.snapshots.find(scope, of_surface, order_by="-created_at", limit=most)
        return [stored.record for stored in found[offset:]]

    async def _replace(
        self, configs: Collection[Config], model: type[Config], context: RequestContext, body: SurfaceBody
    ) -> Config:
        now = self._clock()
        own = {
            "id": body.id or uuid4().hex,
            "tenant_id": context.tenant_id,
            "env": context.env,
            "created_at": body.created_at or now,
            "updated_at": now,
        }
        config = model.model_validate(body.model_dump() | own)
        await configs.put(context.scope, surface_key(body.surface), config)
        self._milestones.reached(context.scope, "temperature_configured")
        return config

    async def _measured(
        self, scope: Scope, surface: str, keys: list[str], start: datetime, end: datetime
    ) -> Metrics:
        if not keys:
            return {}
        usage = await self._usage.usage_metadata(scope, surface, start, end, MAX_USAGE_EVENTS)
        return sum_metrics(keys, usage)

    async def _corridor_names(self, scope: Scope, surface: str) -> list[str]:
        try:
            return list(await self._corridors.corridor_names(scope, surface))
        except StoreError as error:
            # The names are a note on the snapshot: the temperature does not depend on them.
            log.warning("KPI corridors cannot be read: %s", error)
            return []


def _new_snapshot_id() -> str:
    # Grows with time: the order among snapshots of one moment is that of the ids.
    return f"{time.time_ns():016x}{uuid4().hex[:16]}"

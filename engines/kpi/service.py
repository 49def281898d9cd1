"""Storing and listing KPI definitions and corridors."""

import asyncio
import time
from collections.abc import Iterable
from typing import Any, TypeVar
from uuid import uuid4

from engines.common.clock import Clock, utc_now
from engines.common.collection import Collection, Stored
from engines.common.documents import DocumentStore, KeyTaken, Scalar, Scope
from engines.common.gates import LockGate
from engines.common.idempotency import IdempotencyKey, stored_before
from engines.common.identity import RequestContext
from engines.kpi.models import (
    KPI_CORRIDORS,
    KPI_DEFINITIONS,
    CorridorBody,
    DefinitionBody,
    KpiConfig,
    KpiCorridor,
    KpiDefinition,
)
from engines.logging.milestones import Milestones, Unnoted

CORRIDOR_ACTION = "kpi:corridor_upsert"

Record = TypeVar("Record", KpiDefinition, KpiCorridor)


class KpiService:
    """Operations on KPI records. Each may raise StoreError."""

    def __init__(
        self,
        store: DocumentStore,
        lock_gate: LockGate,
        clock: Clock = utc_now,
        milestones: Milestones | None = None,
    ) -> None:
        self.definitions = Collection(store, KPI_DEFINITIONS, KpiDefinition)
        self.corridors = Collection(store, KPI_CORRIDORS, KpiCorridor)
        self._store = store
        self._lock_gate = lock_gate
        self._clock = clock
        self._milestones = milestones or Unnoted()

    async def upsert_definition(
        self, context: RequestContext, body: DefinitionBody, key: IdempotencyKey | None = None
    ) -> KpiDefinition:
        """Store a definition; one with the same id is replaced and keeps its ``created_at``.

        Once under the same ``key``. Raises Unprocessable for a key of another request.
        """
        return await self._upsert(self.definitions, KpiDefinition, context, body, key)

    async def upsert_corridor(
        self, context: RequestContext, body: CorridorBody, key: IdempotencyKey | None = None
    ) -> KpiCorridor:
        """Store a corridor like a definition. Raises Conflict unless a strategy lock allows it."""
        await self._lock_gate.require(context, CORRIDOR_ACTION, body.surface)
        return await self._upsert(self.corridors, KpiCorridor, context, body, key)

    async def list_definitions(self, scope: Scope, surface: str | None) -> list[KpiDefinition]:
        """Definitions of one surface or of all, oldest first."""
        return _oldest_first(await self.definitions.find(scope, _of(surface)))

    async def list_corridors(self, scope: Scope, surface: str | None) -> list[KpiCorridor]:
        """Corridors of one surface or of all, oldest first."""
        return _oldest_first(await self.corridors.find(scope, _of(surface)))

    async def config(self, scope: Scope, surface: str | None) -> KpiConfig:
        """Definitions and corridors of one surface or of all."""
        definitions, corridors = await asyncio.gather(
            self.list_definitions(scope, surface), self.list_corridors(scope, surface)
        )
        return KpiConfig(definitions=definitions, corridors=corridors)

    async def corridor_names(self, scope: Scope, surface: str) -> list[str]:
        """KPI names of the surface's corridors, oldest first, as often as there are corridors."""
        return [corridor.kpi_name for corridor in await self.list_corridors(scope, surface)]

    async def _upsert(
        self,
        records: Collection[Record],
        model: type[Record],
        context: RequestContext,
        body: DefinitionBody | CorridorBody,
        key: IdempotencyKey | None,
    ) -> Record:
        now = self._clock()
        own: dict[str, Any] = {
            "id": body.id or _new_id(),
            "tenant_id": context.tenant_id,
            "env": context.env,
            "updated_at": now,
        }

        def change(present: Record | None) -> Record:
            created_at = present.created_at if present else now
            return model.model_validate(body.model_dump() | own | {"created_at": created_at})

        beside = [key.write(self._store, context.scope, [own["id"]], now)] if key else []
        try:
            record = await records.mutate(context.scope, own["id"], change, beside)
        except KeyTaken as taken:
            [record_id] = await stored_before(key, self._store, context.scope, taken)
            stored = await records.get(context.scope, record_id)
            if stored is None:
                raise
            return stored.record
        self._milestones.reached(context.scope, "kpi_configured")
        return record


def _of(surface: str | None) -> dict[str, Scalar]:
    return {} if surface is None else {"surface": surface}


def _oldest_first(found: Iterable[Stored[Record]]) -> list[Record]:
    # Sorted here: the list is read whole, so an index for each filter would buy nothing.
    return sorted((stored.record for stored in found), key=lambda record: (record.created_at, record.id))


def _new_id() -> str:
    # Grows with time: the order among records of one moment is that of the ids.
    return f"{time.time_ns():016x}{uuid4().hex[:16]}"

"""Audit events: who did what. A state change and its audit are stored in one atomic step.

The audit event goes into the outbox of the store that holds the record, together with the record; then it
is delivered and leaves the outbox once delivery holds it: in the sink, in its own outbox or, refused, as a
dead letter. Until then ``drain`` tries it again under the same event id, so that neither is lost and none is
doubled.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar
from uuid import uuid4

from pydantic import BaseModel

from engines.common.clock import Clock, utc_now
from engines.common.collection import Collection
from engines.common.documents import SYSTEM, Address, DocumentStore, StoreError, StoreRefused, Write
from engines.common.identity import RequestContext
from engines.common.storable import NotStorable
from engines.dataset.events.schemas import DatasetEvent
from engines.logging.events import EventPipeline, PipelineResult, judge

log = logging.getLogger(__name__)

OUTBOX = Address("audit_outbox")
DRAIN_BATCH = 100

AuditStatus = Literal["stored", "pending"]
Model = TypeVar("Model", bound=BaseModel)


class PendingAudit(BaseModel):
    """An audit event that the sink may not have yet. Its key is the event id."""

    event_id: str
    created_at: datetime
    event: DatasetEvent


@dataclass(frozen=True)
class Change:
    """What a change is audited as."""

    context: RequestContext
    action: str
    metadata: dict[str, Any]
    surface: str = "audit"


class Audit:
    """Writes state changes together with their audit events."""

    def __init__(self, pipeline: EventPipeline, clock: Clock = utc_now) -> None:
        self._pipeline = pipeline
        self._clock = clock
        self._failed: set[str] = set()

    async def put_all(self, store: DocumentStore, writes: Sequence[Write], change: Change) -> AuditStatus:
        """Store the writes and the audit of ``change`` atomically, then deliver it. Raises as put_all."""
        pending = self._pending(change)
        await store.put_all([*writes, _outbox(store).write(SYSTEM, pending.event_id, pending, create=True)])
        return await self._deliver(store, pending)

    async def mutate(
        self,
        store: DocumentStore,
        records: Collection[Model],
        key: str,
        alter: Callable[[Model | None], Model],
        change: Change,
    ) -> tuple[Model, AuditStatus]:
        """Alter a record and store the audit of ``change`` atomically, then deliver it. Raises as mutate."""
        pending = self._pending(change)
        beside = [_outbox(store).write(SYSTEM, pending.event_id, pending, create=True)]
        record = await records.mutate(change.context.scope, key, alter, beside)
        return record, await self._deliver(store, pending)

    async def drain(self, store: DocumentStore) -> int:
        """Deliver what waits, oldest first; returns how many left the outbox. Stops at the first failure.

        What failed is tried after the others next time, so that one event holds up no other. What can never
        be delivered stays and is said in the log.
        """
        found = await _outbox(store).find(SYSTEM, order_by="created_at", limit=DRAIN_BATCH)
        waiting = sorted((one.record for one in found), key=lambda one: one.event_id in self._failed)
        self._failed &= {one.event_id for one in waiting}
        delivered = 0
        for pending in waiting:
            result = await self._hand_over(store, pending)
            if _is_held(result):
                delivered += 1
                continue
            self._failed.add(pending.event_id)
            if result.kind != "permanent":
                break
        return delivered

    async def _deliver(self, store: DocumentStore, pending: PendingAudit) -> AuditStatus:
        result = await self._hand_over(store, pending, is_new=True)
        return "stored" if result.durable_in == "sink" else "pending"

    async def _hand_over(
        self, store: DocumentStore, pending: PendingAudit, *, is_new: bool = False
    ) -> PipelineResult:
        result = await self._pipeline.log(pending.event, pending.event_id, judged=True, is_new=is_new)
        if not _is_held(result):
            return result
        try:
            await _outbox(store).delete(SYSTEM, pending.event_id)
        except StoreError as error:
            # It stays in the outbox and is sent again under the same id, which changes nothing.
            log.warning("audit %s could not leave the outbox: %s", pending.event_id, error)
        return result

    def _pending(self, change: Change) -> PendingAudit:
        """The event that waits. Raises StoreRefused where no sink could ever hold it."""
        event = audit_event(change.context, change.action, change.metadata, surface=change.surface)
        try:
            judge(event)
        except NotStorable as error:
            raise StoreRefused(f"its audit event cannot be stored: {error}") from error
        return PendingAudit(event_id=uuid4().hex, created_at=self._clock(), event=event)


def audit_event(
    context: RequestContext,
    action: str,
    metadata: dict[str, Any],
    *,
    surface: str = "audit",
    input: dict[str, Any] | None = None,
    output: dict[str, Any] | None = None,
) -> DatasetEvent:
    """The audit event of an action. The caller's metadata overrides the standard one."""
    actor = "human" if context.user_id else "system"
    standard = {
        "action": action,
        "actor_type": actor,
        "request_id": context.request_id,
        "trace_id": context.request_id,
    }
    return DatasetEvent(
        tenantId=context.tenant_id,
        env=context.env,
        surface=surface,
        agentId=context.user_id or "system",
        input=input or {},
        output=output or {},
        metadata=standard | metadata,
        analytics_event_type="audit",
        analytics_platform="internal",
        traceId=context.request_id,
        requestId=context.request_id,
        actorType=actor,
    )


def _is_held(result: PipelineResult) -> bool:
    """Whether delivery answers for the event from now on."""
    return result.status == "accepted" or result.dead_letter


def _outbox(store: DocumentStore) -> Collection[PendingAudit]:
    return Collection(store, OUTBOX, PendingAudit)

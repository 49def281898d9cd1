"""The event-log helper: entries about assets, mapped to dataset events."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from pydantic import BaseModel, Field

from engines.common.clock import utc_now
from engines.dataset.events.schemas import DatasetEvent
from engines.logging.events import EventPipeline, PipelineResult
from engines.nexus.backends.sink import EVENT_ID_PATTERN


class EventLogEntry(BaseModel):
    """Something that happened to an asset."""

    event_id: str = Field(default_factory=lambda: str(uuid4()), pattern=EVENT_ID_PATTERN)
    event_type: str
    asset_type: str
    asset_id: str
    tenant_id: str = Field(pattern=r"^t_[a-z0-9_-]+\z")
    user_id: str | None = None
    request_id: str | None = None
    trace_id: str | None = None
    actor_type: str | None = None
    origin_ref: dict[str, Any] = {}
    episode_id: str | None = None
    created_at: datetime = Field(default_factory=utc_now)
    metadata: dict[str, Any] = {}
    surface: str = "event"


class EventLogError(RuntimeError):
    """The entry could not be stored."""


class EventLog:
    """Writes entries through the pipeline, under the process's own env."""

    def __init__(self, pipeline: EventPipeline, env: str) -> None:
        self._pipeline = pipeline
        self._env = env

    async def write(self, entry: EventLogEntry) -> PipelineResult:
        """Store one entry; its ``event_id`` is the idempotency key. Raises EventLogError."""
        result = await self._pipeline.log(to_event(entry, self._env), entry.event_id)
        if result.status != "accepted":
            raise EventLogError(f"event logging failed: {result.error}")
        return result


def to_event(entry: EventLogEntry, env: str) -> DatasetEvent:
    """The dataset event of an entry."""
    actor = entry.actor_type or ("human" if entry.user_id else "system")
    return DatasetEvent(
        tenantId=entry.tenant_id,
        env=env,
        surface=entry.surface,
        agentId=entry.user_id or "system",
        input={
            "event_type": entry.event_type,
            "asset_type": entry.asset_type,
            "origin_ref": entry.origin_ref,
        },
        output={"asset_id": entry.asset_id},
        metadata=_metadata(entry, actor),
        traceId=entry.trace_id,
        requestId=entry.request_id,
        actorType=actor,
    )


def _metadata(entry: EventLogEntry, actor: str) -> dict[str, Any]:
    """The caller's metadata; entry fields win, except for an actor_type that the caller gave."""
    ids = {"request_id": entry.request_id, "trace_id": entry.trace_id}
    return (
        {"actor_type": actor}
        | entry.metadata
        | {name: value for name, value in ids.items() if value}
        | {
            "event_type": entry.event_type,
            "asset_type": entry.asset_type,
            "asset_id": entry.asset_id,
            "origin_ref": entry.origin_ref,
            "episode_id": entry.episode_id,
        }
    )

"""EventSink, the port to where events are stored, and its errors.

SinkError               sink, target and cause; never a credential or a payload
├── SinkRetryable       the same write may succeed later
├── SinkPermanent       this event can never be stored here
└── SinkMisconfigured   nothing can be stored until an operator changes something
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from pydantic import BaseModel, Field

from engines.dataset.events.schemas import DatasetEvent

SCHEMA_VERSION = 1
EVENT_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}\z"

UNDATED = "records are there, but none says when it was stored"
"""Why ``latest`` fails on records that another hand wrote: they are not "no event", nor is any fresh."""

FailureKind = Literal["retryable", "permanent", "misconfigured"]
FailureReason = Literal["timeout", "unreachable", "denied", "missing", "refused", "error"]


class SinkError(Exception):
    """A write, read or probe failed."""

    kind: FailureKind = "retryable"

    def __init__(self, target: str, cause: str, reason: FailureReason = "error") -> None:
        super().__init__(f"{target}: {cause}")
        self.target = target
        self.cause = cause
        self.reason = reason


class SinkRetryable(SinkError):
    """The same write may succeed later."""

    kind = "retryable"


class SinkPermanent(SinkError):
    """This event can never be stored here."""

    kind = "permanent"


class SinkMisconfigured(SinkError):
    """Nothing can be stored until an operator changes something."""

    kind = "misconfigured"


class Envelope(BaseModel):
    """An unchanged DatasetEvent with what storage needs to know about it."""

    event_id: str = Field(pattern=EVENT_ID_PATTERN, description="Idempotency key within the tenant")
    ingested_at: datetime
    schema_version: int = SCHEMA_VERSION
    event: DatasetEvent


@dataclass(frozen=True)
class WriteReceipt:
    """The outcome of one event: stored now, stored before under the same id, or refused for ``error``."""

    event_id: str
    outcome: Literal["stored", "duplicate", "refused"]
    error: SinkError | None = None


@dataclass(frozen=True)
class SinkDescription:
    """What a sink is, without secrets. ``stand_in`` is true when an emulator endpoint is in use."""

    backend: str
    backend_class: str
    target: str
    stand_in: bool
    discards: bool = False


class SinkReads(Protocol):
    """The reading half of a sink: all that a dashboard gets to hold."""

    def describe(self) -> SinkDescription:
        """What the sink is; ``target`` holds ``{tenant}`` where the tenant's id goes."""
        ...

    async def latest(self, tenant_id: str, env: str) -> datetime | None:
        """Newest ``ingested_at`` of the tenant and env, read from the sink; None when it has no event.

        Costs the same however many events are stored. Raises SinkError, also for records without a time
        where no other is there.
        """
        ...

    async def probe(self) -> None:
        """Try what a write needs, read-only and bounded in time. Raises SinkError."""
        ...

    def scan(self, tenant_id: str, env: str, since: datetime | None = None) -> AsyncIterator[Envelope]:
        """Events of the tenant and env from ``since`` on, oldest first. Raises SinkError."""
        ...


class EventSink(SinkReads, Protocol):
    """A store of events. It translates and sends; retry, batching and counters wrap it from outside."""

    async def write(self, batch: Sequence[Envelope]) -> list[WriteReceipt]:
        """Store up to 500 events durably; returns one receipt per event, in order.

        Writing an id again that the tenant has already leaves the first record as it is (``duplicate``; a
        sink that cannot always know answers ``stored`` and reads back the one with the oldest time). Either
        way reading back shows one record.
        An event that can never be stored gets a receipt with SinkPermanent and does not stop the others.
        Raises SinkRetryable or SinkMisconfigured when it is not known that the batch is stored; the same
        batch may then be written again.
        """
        ...

    async def close(self) -> None:
        """Close what the sink opened; idempotent."""
        ...


@dataclass(frozen=True)
class Erased:
    """What became of a tenant's records (documents, objects or rows): ``left`` cannot be deleted yet."""

    removed: int
    left: int = 0


class ErasableSink(EventSink, Protocol):
    """An EventSink that can forget a tenant: for an operator's command, not for a process that serves."""

    async def erase(self, tenant_id: str) -> Erased:
        """Delete every event of the tenant, of all envs; nothing of another tenant.

        Not atomic: when it raises SinkError, some may be gone already, and the same call deletes the rest.
        """
        ...

"""EventSink, the port to where events are stored, and its errors.

SinkError               sink, target and cause; never a credential or a payload
├── SinkRetryable       the same write may succeed later
├── SinkPermanent       this event can never be stored here
└── SinkMisconfigured   nothing can be stored until an operator changes something
"""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from engines.dataset.events.schemas import DatasetEvent

SCHEMA_VERSION = 1
EVENT_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}\z"

UNDATED = "records are there, but none says when it was stored"
"""Why ``latest`` fails on records that another hand wrote: they are not "no event", nor is any fresh."""

NOT_AN_EVENT = "a record there is not an event: ./scripts/verify events names it"
"""Why ``scan`` fails on a record that another hand wrote or changed."""

Mismatch = Literal["tenant", "env", "id", "time"]
"""What a record says of itself, and its place says differently."""

SurveyedRule = Literal[
    "id.missing", "id.duplicate", "id.conflict", "schema.version", "time.missing", "time.future"
]
"""What a sink with a query language can judge without sending the records."""

FailureKind = Literal["retryable", "permanent", "misconfigured"]
FailureReason = Literal["timeout", "unreachable", "denied", "missing", "refused", "full", "error"]

STORAGE_FULL = 507
"""HTTP's Insufficient Storage: how a stand-in answers whose disk is full."""


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


def disk_full(target: str) -> SinkRetryable:
    """There is no room where the sink stores; with room again the same write succeeds."""
    return SinkRetryable(target, "its disk is full: make room, what waits is then sent by itself", "full")


class Envelope(BaseModel):
    """An unchanged DatasetEvent with what storage needs to know about it."""

    model_config = ConfigDict(ser_json_inf_nan="constants")

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

    @property
    def tag(self) -> str:
        """Eight hexadecimal digits that tell sinks apart, the same for as long as the target is."""
        return hashlib.sha256(f"{self.backend} {self.target}".encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Record:
    """What lies in one place of a sink, as it lies there: nothing of it is checked.

    ``place`` is an address and no payload. ``fields`` are those of event and envelope together; None where
    what lies there has no fields. ``mismatches`` says where fields and place disagree, ``ordered`` whether
    the fields of a mapping come in the order in which they were written.
    """

    place: str
    fields: dict[str, Any] | None
    mismatches: tuple[Mismatch, ...] = ()
    ordered: bool = True


@dataclass(frozen=True)
class Tally:
    """How many records a rule names, and the event ids of some of them, None where a record has none."""

    count: int
    examples: tuple[str | None, ...]


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
        """Events of the tenant and env from ``since`` on, oldest first.

        Raises SinkError, also for a record that is not an event.
        """
        ...

    async def count(self, tenant_id: str, env: str, start: datetime, end: datetime) -> int:
        """How many events of the tenant and env have an ``ingested_at`` from ``start`` on and before ``end``.

        Counted by the sink itself, each event id once, bounded in time (tens of seconds at most). A sink that
        may hold copies of an id under several names (see ``write``) may count each. Raises SinkError.
        """
        ...

    def records(
        self, tenant_id: str, env: str | None = None, since: datetime | None = None
    ) -> AsyncIterator[Record]:
        """All that lies where the tenant's events lie, copies and malformed ones included, in any order.

        ``env`` None means every env. With ``since`` what is older is left out, and so may be what does not
        say when it was stored. Holds a bounded part of it at a time. Raises SinkError.
        """
        ...


@runtime_checkable
class Surveys(Protocol):
    """What a sink with a query language can do besides."""

    async def survey(
        self, tenant_id: str, env: str | None, since: datetime | None, latest: datetime
    ) -> Mapping[SurveyedRule, Tally]:
        """Judge the records by every SurveyedRule where they lie; a time after ``latest`` is a future one.

        A rule that no record breaks may be missing. Raises SinkError.
        """
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

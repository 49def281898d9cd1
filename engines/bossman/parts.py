"""How a section is read: bounded lists, newest storage time, and a failure that stays the section's own."""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from engines.bossman.freshness import Failure, Reading
from engines.bossman.models import ListInfo
from engines.common.clock import Clock
from engines.common.collection import Reads, Stored, last_stored
from engines.common.documents import Scalar, Scope, StoreDenied, StoreError, StoreTimeout
from engines.nexus.backends.sink import SinkError

Value = TypeVar("Value")
Record = TypeVar("Record", bound=BaseModel)

LIST_LIMIT = 200
"""Most records a list of the dashboard shows: the newest ones."""


@dataclass(frozen=True)
class Read(Generic[Value]):
    """What reading a section brought: its value, its newest storage time, how its lists were bounded.

    ``observed_at`` is when it was read; None stands for now.
    """

    value: Value
    last_updated_at: datetime | None
    lists: dict[str, ListInfo] = field(default_factory=dict)
    observed_at: datetime | None = None


@dataclass(frozen=True)
class Part(Generic[Value]):
    """A section as it goes into the dashboard; its value is neutral when it could not be read."""

    value: Value
    reading: Reading
    lists: dict[str, ListInfo] = field(default_factory=dict)
    failure: str | None = None


@dataclass(frozen=True)
class Bounded(Generic[Record]):
    """The newest records of a list in the order of their creation."""

    records: list[Record]
    newest_at: datetime | None
    info: ListInfo


async def part(clock: Clock, source: str, read: Awaitable[Read[Value]], neutral: Value) -> Part[Value]:
    """Await the section's read; a store or sink that fails becomes the section's reading."""
    try:
        done = await read
    except (StoreError, SinkError) as error:
        return Part(neutral, Reading(source, clock(), failure=_failure(error)), failure=str(error))
    return Part(done.value, Reading(source, done.observed_at or clock(), done.last_updated_at), done.lists)


async def bounded(
    reads: Reads[Record],
    scope: Scope,
    where: Mapping[str, Scalar] | None = None,
    order_by: str | None = "-created_at",
) -> Bounded[Record]:
    """At most LIST_LIMIT records, the newest by ``order_by``; more are counted by the store."""
    found = await reads.find(scope, where, order_by=order_by, limit=LIST_LIMIT + 1)
    cut = len(found) > LIST_LIMIT
    total = await reads.count(scope, where) if cut else len(found)
    shown = found[:LIST_LIMIT]
    records = [stored.record for stored in (reversed(shown) if order_by else shown)]
    return Bounded(records, newest(shown), ListInfo(shown=len(shown), total=total, cut=cut))


async def newest_of(
    reads: Reads[Record], scope: Scope, found: Bounded[Record], where: Mapping[str, Scalar] | None = None
) -> datetime | None:
    """The newest storage time of all that ``where`` fits, of which ``found`` may be a part."""
    return await last_stored(reads, scope, where) if found.info.cut else found.newest_at


async def last_of(scope: Scope, *collections: Reads[Any]) -> datetime | None:
    """When a record was stored last in any of the collections, on whatever surface and in whatever state."""
    return latest_of(*await asyncio.gather(*(last_stored(reads, scope) for reads in collections)))


def newest(found: Iterable[Stored[Any] | None]) -> datetime | None:
    """The newest storage time of what was found."""
    return max((stored.stored_at for stored in found if stored), default=None)


def latest_of(*moments: datetime | None) -> datetime | None:
    """The latest of the moments that are there."""
    return max((moment for moment in moments if moment), default=None)


async def first(
    reads: Reads[Record], scope: Scope, where: Mapping[str, Scalar], order_by: str | None = None
) -> Stored[Record] | None:
    """The first record that fits, or None."""
    found = await reads.find(scope, where, order_by=order_by, limit=1)
    return found[0] if found else None


def _failure(error: StoreError | SinkError) -> Failure:
    if isinstance(error, StoreTimeout) or (isinstance(error, SinkError) and error.reason == "timeout"):
        return "read_timeout"
    if isinstance(error, StoreDenied) or (isinstance(error, SinkError) and error.reason == "denied"):
        return "read_denied"
    return "read_error"

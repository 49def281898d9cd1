"""Milestones of onboarding: noted once per process, tenant and env, and written in the background.

What is noted waits in the process for at most a second, longer while the store fails: a crash may lose it,
then the same milestone is noted again when it happens again, with that later time. A write keeps the earliest
time, so any number of processes may note the same. An event is noted once per hour of its tenant and env.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from pydantic import BaseModel

from engines.common.clock import Clock, utc_now
from engines.common.collection import Collection, Reads
from engines.common.documents import SYSTEM, Address, DocumentStore, Scope, StoreError
from engines.common.tracing import background
from engines.logging.progress import PROGRESS, Milestone, Progress

log = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0
MAX_REMEMBERED = 100_000
"""Most milestones and hours remembered as noted; then all are forgotten, and noted again when they recur."""

MAX_WAITING = 10_000
AT_ONCE = 20
"""Writes under way together."""

BACKFILL = Address("onboarding_backfill")
BACKFILL_KEY = "position"

Beginning = Callable[[Scope], Awaitable[Progress | None]]
"""Progress of a tenant that has none in the env yet; None when there is no such tenant. Raises StoreError."""


class BackfillPosition(BaseModel):
    """How far tenants of a time before milestones were looked at; ``after`` None = all of them."""

    after: str | None


class Milestones(Protocol):
    """What the engines tell. Never raises, never waits."""

    def reached(self, scope: Scope, milestone: Milestone) -> None:
        """The tenant did this in the env, for the first time or again."""
        ...


class Unnoted:
    """Nobody notes."""

    def reached(self, scope: Scope, milestone: Milestone) -> None:
        """See Milestones."""


@dataclass
class _News:
    """What waits for one scope."""

    times: dict[Milestone, datetime] = field(default_factory=dict)
    newest_event: datetime | None = None

    def add(self, milestone: Milestone, at: datetime) -> None:
        self.times[milestone] = min(at, self.times.get(milestone, at))
        if milestone == "first_event":
            self.newest_event = max(at, self.newest_event or at)

    def add_all(self, other: "_News") -> None:
        for milestone, at in other.times.items():
            self.add(milestone, at)
        if other.newest_event:
            self.newest_event = max(other.newest_event, self.newest_event or other.newest_event)


class NotedMilestones:
    """Milestones that are kept in a store."""

    def __init__(
        self,
        store: DocumentStore,
        beginning: Beginning,
        clock: Clock = utc_now,
        flush_seconds: float = FLUSH_SECONDS,
    ) -> None:
        self._progress = Collection(store, PROGRESS, Progress)
        self._backfill = Collection(store, BACKFILL, BackfillPosition)
        self._beginning = beginning
        self._clock = clock
        self._flush_seconds = flush_seconds
        self._noted: set[tuple[Scope, str]] = set()
        self._waiting: dict[Scope, _News] = {}
        self._flushing: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    @property
    def reads(self) -> Reads[Progress]:
        """What is kept."""
        return self._progress

    def reached(self, scope: Scope, milestone: Milestone) -> None:
        """See Milestones."""
        self._note(scope, milestone, milestone, self._clock())

    def event(self, scope: Scope, at: datetime) -> None:
        """An event was accepted at the time."""
        self._note(scope, "first_event", f"event {at:%Y%m%dT%H}", at)

    async def create(self, progress: Progress) -> None:
        """Keep progress that was found elsewhere; what was noted meanwhile stays. Raises StoreError."""

        def change(present: Progress | None) -> Progress:
            if present is None:
                return progress
            newest = progress.silent_since if "first_event" in progress.reached else None
            both = present.with_times(progress.reached, newest)
            news = progress.reached.keys() - present.reached.keys()
            return both.model_copy(update={"backfilled": present.backfilled or bool(news)})

        await self._progress.mutate(Scope(progress.tenant_id, progress.env), "", change)

    async def backfill_position(self) -> str | None:
        """The tenant up to which old ones were looked at; None when all were. Raises StoreError."""
        found = await self._backfill.get(SYSTEM, BACKFILL_KEY)
        return found.record.after if found else ""

    async def backfill_passed(self, after: str | None) -> None:
        """Go on after this tenant next time; None = all were looked at. Raises StoreError."""
        await self._backfill.put(SYSTEM, BACKFILL_KEY, BackfillPosition(after=after))

    async def flush(self) -> None:
        """Write what waits. What cannot be written goes on waiting."""
        taken, self._waiting = self._waiting, {}
        scopes = list(taken)
        for start in range(0, len(scopes), AT_ONCE):
            await asyncio.gather(*(self._write(one, taken[one]) for one in scopes[start : start + AT_ONCE]))

    async def close(self) -> None:
        """Write what waits, once; the store is the caller's."""
        self._closing.set()
        if self._flushing:
            await self._flushing
        await self.flush()

    def _note(self, scope: Scope, milestone: Milestone, remembered: str, at: datetime) -> None:
        if (scope, remembered) in self._noted or len(self._waiting) >= MAX_WAITING:
            return
        if len(self._noted) >= MAX_REMEMBERED:
            self._noted.clear()
        self._noted.add((scope, remembered))
        self._waiting.setdefault(scope, _News()).add(milestone, at)
        if self._flushing is None or self._flushing.done():
            self._flushing = background(self._keep_flushing())

    async def _keep_flushing(self) -> None:
        while self._waiting and not self._closing.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._flush_seconds):
                    await self._closing.wait()
            await self.flush()

    async def _write(self, scope: Scope, news: _News) -> None:
        try:
            beginning = None
            if await self._progress.get(scope, "") is None:
                beginning = await self._beginning(scope)
                if beginning is None:
                    return

            def change(present: Progress | None) -> Progress:
                known = present or beginning
                if known is None:
                    raise StoreError("the progress was removed meanwhile")
                return known.with_times(news.times, news.newest_event)

            await self._progress.mutate(scope, "", change)
        except StoreError as error:
            log.warning("milestones of %s are not written: %s", scope.tenant_id, error)
            if not error.transient:
                return
            self._waiting.setdefault(scope, _News()).add_all(news)

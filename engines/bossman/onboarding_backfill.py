"""Tenants of a time before milestones were noted: found once, from their own records, in the background.

Started by the first look at the overview and never repeated once it came to the end. The times it finds are
those of a record of each kind, not of the first: they say "at the latest".
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from engines.bossman.parts import newest
from engines.common.collection import Reads
from engines.common.documents import SYSTEM, Scope, Span, StoreError, StoreUnreadable
from engines.common.identity import ENVS
from engines.common.tracing import background
from engines.identity.models import Tenant
from engines.logging.progress import FIRST_ENV, Milestone, Progress
from engines.nexus.backends.sink import SinkError, SinkReads

log = logging.getLogger(__name__)

PAGE = 20
AFTER = " "
"""Sorts before all that ids are made of: the next page begins after the last id of this one."""


class Keeps(Protocol):
    """Where progress is kept. Each may raise StoreError."""

    async def create(self, progress: Progress) -> None:
        """Keep progress beside what is known already."""
        ...

    async def backfill_position(self) -> str | None:
        """The last tenant looked at; None when all were."""
        ...

    async def backfill_passed(self, after: str | None) -> None:
        """Go on after this tenant next time; None = all were looked at."""
        ...


class Begins(Protocol):
    """Identity, as far as the backfill needs it."""

    async def beginning(self, scope: Scope) -> Progress | None:
        """Progress with what is known of tenant and owner."""
        ...


@dataclass(frozen=True)
class Evidence:
    """The records that prove a milestone: one of any of its collections is enough."""

    tenants: Reads[Tenant]
    of: Mapping[Milestone, Sequence[Reads[Any]]]
    sink: SinkReads


class Backfill:
    """Runs at most once at a time in this process; several processes find the same."""

    def __init__(self, evidence: Evidence, identity: Begins, keeps: Keeps) -> None:
        self._evidence = evidence
        self._identity = identity
        self._keeps = keeps
        self._task: asyncio.Task[None] | None = None
        self._done = False

    async def is_under_way(self, patience: float) -> bool:
        """Start it unless it is done, and wait for it up to ``patience`` seconds."""
        if self._done:
            return False
        if self._task is None or self._task.done():
            self._task = background(self._run())
        await asyncio.wait([self._task], timeout=patience)
        return not self._done

    async def stop(self) -> None:
        """End it; it goes on where it was at the next look."""
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            after = await self._keeps.backfill_position()
            while after is not None:
                after = await self._look_at_page(after)
                await self._keeps.backfill_passed(after)
        except (StoreError, SinkError) as error:
            log.warning("older tenants are not all listed yet: %s", error)
        else:
            self._done = True

    async def _look_at_page(self, after: str) -> str | None:
        found = await self._evidence.tenants.find(
            SYSTEM, order_by="id", limit=PAGE, span=Span(after + AFTER if after else "")
        )
        tenants = [stored.record for stored in found]
        for tenant in tenants:
            await asyncio.gather(*(self._look_at(Scope(tenant.id, env)) for env in ENVS))
        return tenants[-1].id if len(tenants) == PAGE else None

    async def _look_at(self, scope: Scope) -> None:
        known = list(self._evidence.of)
        times = await asyncio.gather(*(self._proven_at(scope, milestone) for milestone in known))
        latest = await self._evidence.sink.latest(scope.tenant_id, scope.env)
        proven = {milestone: at for milestone, at in zip(known, times, strict=True) if at}
        if latest:
            proven["first_event"] = latest
        beginning = await self._identity.beginning(scope) if proven or scope.env == FIRST_ENV else None
        if beginning:
            whole = beginning.with_times(proven, latest)
            await self._keeps.create(whole.model_copy(update={"backfilled": bool(proven)}))

    async def _proven_at(self, scope: Scope, milestone: Milestone) -> datetime | None:
        where = {"status": "approved"} if milestone == "lock_approved" else None
        try:
            found = [await reads.find(scope, where, limit=1) for reads in self._evidence.of[milestone]]
        except StoreUnreadable as error:
            # One broken record must hide neither its tenant nor those after it.
            log.warning("%s of %s in %s: %s", milestone, scope.tenant_id, scope.env, error)
            return None
        return newest(stored for some in found for stored in some)

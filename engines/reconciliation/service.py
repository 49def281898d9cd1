"""Reconciliation in the background of a serving process: what is due is compared, and the result is kept.

The result of a tenant and env is one document that any process may write: each goes on where another left.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Hashable
from datetime import timedelta
from typing import Protocol

from engines.common.clock import Clock, utc_now
from engines.common.collection import Collection, Reads
from engines.common.documents import SYSTEM, DocumentStore, Scope, StoreError
from engines.logging.progress import Progress
from engines.nexus.backends.sink import SinkError
from engines.reconciliation import rules
from engines.reconciliation.comparison import Comparison
from engines.reconciliation.models import RESULT_KEY, RESULTS, Loss, MissingTotal, Reconciliation
from engines.reconciliation.reads import NOT_YET
from engines.reconciliation.schedule import EVERY, IDLE, SHARE, SOON, Schedule

log = logging.getLogger(__name__)

ROUND_SECONDS = 3.0
AT_ONCE = 4
"""Tenants and envs compared in one round, one after the other."""
BEFORE_START = timedelta(hours=rules.WINDOW_HOURS + 1)
MOST_BEFORE_START = 1_000
"""Tenants and envs with events in the last day that a process takes over at its start, the newest ones."""
MOST_SUMMED = 1_000

OnMissing = Callable[[Scope, Loss], Awaitable[None]]
"""Told of each comparison that finds events missing; may send again what is remembered. Never raises."""


class KnownScopes(Protocol):
    """Arrivals, as far as reconciliation needs them."""

    def scopes(self) -> set[Scope]:
        """Tenants and envs that this process accepted events for lately."""
        ...

    def take_active(self) -> set[Scope]:
        """Those with an event since the last time somebody asked."""
        ...


class Reconciler:
    """Compares what was accepted with what the sink holds."""

    def __init__(
        self,
        store: DocumentStore,
        comparison: Comparison,
        known: KnownScopes,
        progress: Reads[Progress],
        exists: Callable[[str], Awaitable[bool]],
        clock: Clock = utc_now,
        on_missing: OnMissing | None = None,
        round_seconds: float = ROUND_SECONDS,
    ) -> None:
        self._results = Collection(store, RESULTS, Reconciliation)
        self._comparison = comparison
        self._known = known
        self._progress = progress
        self._exists = exists
        self._clock = clock
        self.on_missing = on_missing
        self._schedule = Schedule()
        self._took_over = False
        self._round_seconds = round_seconds
        self._failure: str | None = NOT_YET
        self._task: asyncio.Task[None] | None = None

    def changes(self, scope: Scope) -> Hashable:
        """See ReconciliationReads.changes."""
        return self._results.changes(scope)

    async def result(self, scope: Scope) -> Reconciliation | None:
        """See ReconciliationReads.result."""
        if self._comparison.can_compare:
            self._schedule.look(scope, self._clock())
        found = await self._results.get(scope, RESULT_KEY)
        return found.record if found else None

    async def missing(self) -> MissingTotal:
        """See ReconciliationReads.missing. Not known while the newest comparison of this process failed."""
        if self._failure:
            return MissingTotal(None, self._failure)
        found = await self._results.find(SYSTEM, {"is_missing": True}, limit=MOST_SUMMED)
        return MissingTotal(sum(stored.record.missing for stored in found))

    def start(self) -> None:
        """Compare from now on, unless the sink keeps nothing."""
        if self._comparison.can_compare:
            self._task = asyncio.create_task(self._keep_comparing())

    async def stop(self) -> None:
        """End it; another process or the next start goes on."""
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def round(self) -> None:
        """Compare what is due, AT_ONCE at most. Raises StoreError when it cannot be read what is."""
        now = self._clock()
        if not self._took_over:
            self._schedule.watch(await self._of_before(), now)
            self._took_over = True
        self._schedule.watch(self._known.scopes(), now)
        self._schedule.hurry(self._known.take_active(), now)
        failures = [await self._tried(scope) for scope in self._schedule.next(now, AT_ONCE)]
        if failures or self._failure == NOT_YET:
            self._failure = next(filter(None, failures), None)

    async def _tried(self, scope: Scope) -> str | None:
        """Why the scope could not be compared, if so: it keeps no other waiting."""
        try:
            return (await self.compare(scope)).failure
        except StoreError as error:
            log.warning("%s in %s is not compared: %s", scope.tenant_id, scope.env, error)
            self._schedule.done(scope, self._clock(), EVERY, EVERY, forget=False)
            return str(error)

    async def compare(self, scope: Scope) -> Reconciliation:
        """Compare what is due of one tenant and env, and keep the result. Raises StoreError."""
        started, now = time.monotonic(), self._clock()
        found = await self._results.get(scope, RESULT_KEY)
        before = found.record if found else Reconciliation(tenant_id=scope.tenant_id, env=scope.env)
        try:
            after = await self._compared(scope, before)
        except (SinkError, StoreError) as error:
            after = before
            if before.failure != str(error):
                log.warning("%s in %s is not compared: %s", scope.tenant_id, scope.env, error)
                after = before.model_copy(update={"failure": str(error), "failed_at": now})
        is_doubtful = any(hour.suspected for hour in after.hours)
        if is_doubtful and not await self._exists(scope.tenant_id):
            # A tenant that was removed took its events along.
            after = Reconciliation(tenant_id=scope.tenant_id, env=scope.env, compared_at=now)
            await self._results.delete(scope, RESULT_KEY)
        elif after is not before:
            await self._results.put(scope, RESULT_KEY, after)
        self._plan(scope, before, after, timedelta(seconds=time.monotonic() - started))
        if after.loss and self.on_missing and not after.failure:
            await self.on_missing(scope, after.loss)
        return after

    async def _compared(self, scope: Scope, before: Reconciliation) -> Reconciliation:
        now = self._clock()
        checks = {one.start: one for one in before.hours}
        for figures, nowhere in await self._comparison.hours(scope, rules.due(checks, now), now):
            checks[figures.start] = rules.check(figures, nowhere, checks.get(figures.start), now)
        hours = rules.kept(checks, now)
        missing = sum(hour.missing for hour in hours)
        return Reconciliation(
            tenant_id=scope.tenant_id,
            env=scope.env,
            hours=hours,
            compared_at=now,
            missing=missing,
            is_missing=missing > 0,
        )

    def _plan(self, scope: Scope, before: Reconciliation, after: Reconciliation, took: timedelta) -> None:
        accepted = {hour.start: hour.accepted for hour in before.hours}
        busy = any(hour.accepted != accepted.get(hour.start, 0) for hour in after.hours)
        soon = after.failure is not None or any(hour.suspected != hour.missing for hour in after.hours)
        is_empty = not any(hour.accepted for hour in after.hours) and scope not in self._known.scopes()
        wait = SOON if soon else EVERY if busy or after.missing else IDLE
        self._schedule.done(scope, self._clock(), wait, took * SHARE, forget=is_empty)

    async def _of_before(self) -> list[Scope]:
        """Tenants and envs with an event in the last day, whoever accepted it."""
        since = self._clock() - BEFORE_START
        found = await self._progress.find(SYSTEM, order_by="-silent_since", limit=MOST_BEFORE_START)
        newest = [one.record for one in found if one.record.silent_since >= since]
        return [Scope(one.tenant_id, one.env) for one in newest if "first_event" in one.reached]

    async def _keep_comparing(self) -> None:
        while True:
            await asyncio.sleep(self._round_seconds)
            try:
                await self.round()
            except Exception as error:
                # Whatever it was, the next round must come.
                is_known = isinstance(error, StoreError | SinkError)
                self._failure = str(error) if is_known else type(error).__name__
                log.warning("reconciliation: %s", self._failure)

"""Budget summaries: exact sums over a window, read from roll-ups alone."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import chain

from pydantic import BaseModel

from engines.budget.buckets import Part, cover, inclusive
from engines.budget.models import DAYS, Dims, Rollup, UsageEvent, dims_of
from engines.budget.money import from_smallest
from engines.budget.rollups import Tally, tally_of
from engines.common.clock import Clock, utc_now
from engines.common.collection import Reads, Stored, last_stored
from engines.common.documents import Address, Scalar, Scope
from engines.common.errors import Unprocessable

UNKNOWN = "unknown"

CHECKED_FOR = timedelta(minutes=1)
"""How long a comparison of sums and events serves a dashboard: it costs more, the more events there are."""

UNGROUPABLE = ("id", "metadata", "tokens_input", "tokens_output", "cost", "created_at")
"""Fields of an event that make no groups: as many as events, or not a name at all."""


class GroupSum(BaseModel):
    """Cost and number of the events of one group."""

    cost: float
    count: int


class BudgetSummary(BaseModel):
    """Usage in a window; costs of different currencies are added as they are."""

    window_days: int
    total_cost: float
    total_events: int
    grouped: dict[str, GroupSum]


@dataclass(frozen=True)
class Group:
    """Exact cost and number of the events of one group."""

    cost: Decimal
    count: int


@dataclass(frozen=True)
class Totals:
    """The sums of a window by all dimensions at once: read once, grouped in any way."""

    scope: Scope
    window_days: int
    by_dims: Mapping[Dims, Tally]

    @property
    def events(self) -> int:
        """How many events they hold."""
        return sum(tally.count for tally in self.by_dims.values())

    def groups(self, group_by: str) -> dict[str, Group]:
        """Exact sums per group, by name; no groups for an empty field.

        Raises Unprocessable for a field that makes no groups.
        """
        check_group_by(group_by)
        if not group_by:
            return {}
        tallies: dict[str, Tally] = defaultdict(Tally)
        for dims, tally in self.by_dims.items():
            tallies[self._group(dims, group_by)].add(tally.count, tally.smallest)
        return {name: Group(from_smallest(t.smallest), t.count) for name, t in sorted(tallies.items())}

    def summary(self, group_by: str) -> BudgetSummary:
        """The sums as they are shown. Floats arise here, after the last addition."""
        grouped = {
            name: GroupSum(cost=float(group.cost), count=group.count)
            for name, group in self.groups(group_by).items()
        }
        return BudgetSummary(
            window_days=self.window_days,
            total_cost=float(from_smallest(sum(tally.smallest for tally in self.by_dims.values()))),
            total_events=sum(tally.count for tally in self.by_dims.values()),
            grouped=grouped,
        )

    def _group(self, dims: Dims, group_by: str) -> str:
        names = dims._asdict() | {"tenant_id": self.scope.tenant_id, "env": self.scope.env}
        return names.get(group_by) or UNKNOWN


@dataclass(frozen=True)
class Coverage:
    """How many events the sums of a window hold, and how many there are: more where something else wrote."""

    summed: int
    stored: int

    @property
    def unsummed(self) -> int:
        """How many events are in no sum."""
        return self.stored - self.summed


@dataclass(frozen=True)
class Usage:
    """Roll-ups for windows that end at ``now``, of one surface or of all: read once, summed in any way."""

    scope: Scope
    now: datetime
    rollups: Mapping[Address, Sequence[Stored[Rollup]]]

    def totals(self, window_days: int, surface: str | None = None) -> Totals:
        """Exact sums of [now - window_days, now], both included; of ``surface`` or of all that was read."""
        by_dims: dict[Dims, Tally] = defaultdict(Tally)
        for part in cover(self.now - timedelta(days=window_days), self.now):
            for rollup in self._of(part.address, surface):
                tally = tally_of(rollup.record, part)
                by_dims[dims_of(rollup.record)].add(tally.count, tally.smallest)
        # A day at the edge may have nothing but hours outside the window.
        used = {dims: tally for dims, tally in by_dims.items() if tally.count}
        return Totals(self.scope, window_days, used)

    def _of(self, address: Address, surface: str | None) -> list[Stored[Rollup]]:
        found = self.rollups[address]
        return [rollup for rollup in found if surface is None or rollup.record.surface == surface]


class BudgetSummaries:
    """Reads sums of usage; cannot write. Every call may raise StoreError."""

    def __init__(
        self,
        rollups: Callable[[Address], Reads[Rollup]],
        events: Reads[UsageEvent],
        clock: Clock = utc_now,
    ) -> None:
        self._rollups = rollups
        self._events = events
        self._clock = clock
        self._checked: dict[tuple[Scope, int], tuple[datetime, Coverage]] = {}

    @property
    def source(self) -> str:
        """Which store the sums are read from: firestore or memory."""
        return self._rollups(DAYS).source

    def changes(self, scope: Scope) -> int:
        """How often this process recorded usage in the scope."""
        return self._rollups(DAYS).changes(scope)

    async def last_stored(self, scope: Scope, surface: str) -> datetime | None:
        """When usage of the surface was last stored, whatever its date; of any surface where it has none."""
        days = self._rollups(DAYS)
        return await last_stored(days, scope, {"surface": surface}) or await last_stored(days, scope)

    async def usage(
        self, scope: Scope, surface: str | None, windows_days: Sequence[int], now: datetime | None = None
    ) -> Usage:
        """What sums of the windows need, each collection read once; they end ``now``."""
        now = now or self._clock()
        parts: dict[Address, Part] = {}
        for part in chain(*(cover(now - timedelta(days=days), now) for days in windows_days)):
            widest = parts.setdefault(part.address, part)
            start, end = min(part.start, widest.start), max(part.end, widest.end)
            parts[part.address] = replace(widest, start=start, end=end)
        read = await asyncio.gather(*(self._read(scope, surface, part) for part in parts.values()))
        return Usage(scope, now, dict(zip(parts, read, strict=True)))

    async def summary(
        self, scope: Scope, surface: str | None, window_days: int, group_by: str
    ) -> tuple[BudgetSummary, Coverage]:
        """The window's usage, grouped, and whether it is all. Raises Unprocessable for a bad ``group_by``."""
        check_group_by(group_by)
        totals, coverage = await self._compare(scope, surface, window_days)
        return totals.summary(group_by), coverage

    async def coverage(self, scope: Scope, window_days: int) -> Coverage:
        """Whether the sums of all surfaces hold all events of the window; looked at once in CHECKED_FOR."""
        now = self._clock()
        self._checked = {key: one for key, one in self._checked.items() if abs(now - one[0]) < CHECKED_FOR}
        if (scope, window_days) not in self._checked:
            _, coverage = await self._compare(scope, None, window_days)
            self._checked[scope, window_days] = now, coverage
        return self._checked[scope, window_days][1]

    async def _compare(self, scope: Scope, surface: str | None, window_days: int) -> tuple[Totals, Coverage]:
        now = self._clock()
        where: dict[str, Scalar] = {} if surface is None else {"surface": surface}
        span = inclusive(now - timedelta(days=window_days), now)
        counted, usage = await asyncio.gather(
            self._events.count(scope, where, order_by="created_at", span=span),
            self.usage(scope, surface, [window_days], now=now),
        )
        totals = usage.totals(window_days)
        if counted > totals.events:
            # Usage that is recorded in between must not look like missing: sums that are read later hold it.
            totals = (await self.usage(scope, surface, [window_days], now=now)).totals(window_days)
        return totals, Coverage(totals.events, max(counted, totals.events))

    async def _read(self, scope: Scope, surface: str | None, part: Part) -> list[Stored[Rollup]]:
        """Roll-ups with slots in the part; those of an hour or a minute come whole."""
        where: dict[str, Scalar] = {} if surface is None else {"surface": surface}
        rollups = self._rollups(part.address)
        if part.level == "day":
            return await rollups.find(scope, where, order_by="start", span=part.span)
        # A span would need a composite index for the id of each hour's and minute's collection.
        return await rollups.find(scope, where)


def check_group_by(group_by: str) -> None:
    """Raise Unprocessable for a field that makes no groups."""
    if group_by in UNGROUPABLE:
        names = ", ".join([*Dims._fields, "tenant_id", "env"])
        raise Unprocessable(f"group_by cannot be {group_by}: use one of {names}")

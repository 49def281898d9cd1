"""The onboarding overview of all tenants: a page of progress documents, and per row the counts of its events.

What a page costs depends on its rows alone: one query of progress, two documents of counts per row.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime

from engines.bossman.freshness import GRACE, LIMITS, Freshness, Status, evaluate
from engines.bossman.onboarding_models import Overview, TenantProgress
from engines.bossman.onboarding_steps import next_step
from engines.bossman.parts import Part, Read, part
from engines.common.clock import Clock
from engines.common.collection import Reads
from engines.common.documents import SYSTEM, Scalar, Scope, Span
from engines.logging.arrival_days import Recent, RecentReads
from engines.logging.progress import MILESTONES, Progress, State, searched, searched_before

MOST_FOUND = 100
"""Most rows of a search, which has one page."""

LAST_CHARACTER = "\U0010ffff"


@dataclass(frozen=True)
class Asked:
    """Which tenants. ``search`` is the beginning of a name or id; it leaves ``cursor`` out of account."""

    env: str | None = None
    state: State | None = None
    search: str = ""
    cursor: str = ""
    limit: int = 20


@dataclass(frozen=True)
class OverviewReads:
    """All that the overview can reach: readers only."""

    progress: Reads[Progress]
    arrivals: RecentReads
    clock: Clock


async def overview(reads: OverviewReads, asked: Asked, base: str, *, backfilling: bool) -> Overview:
    """One page, worst first; ``base`` is the address that commands call. Raises StoreError."""
    found, more = await (_search(reads, asked) if searched(asked.search) else _page(reads, asked))
    rows = await asyncio.gather(*(_row(reads, progress, base) for progress in found))
    return Overview(
        tenants=rows,
        next_cursor=more if isinstance(more, str) else None,
        cut=more is True,
        backfilling=backfilling,
        generated_at=reads.clock(),
    )


async def _page(reads: OverviewReads, asked: Asked) -> tuple[list[Progress], str | None]:
    """The rows from the cursor on, and the cursor of the next page."""
    wanted = {"env": asked.env, "state": asked.state}
    where: dict[str, Scalar] = {name: value for name, value in wanted.items() if value}
    found = await reads.progress.find(
        SYSTEM, where, order_by="rank", limit=asked.limit + 1, span=Span(asked.cursor)
    )
    records = [stored.record for stored in found]
    return records[: asked.limit], records[asked.limit].rank if len(records) > asked.limit else None


async def _search(reads: OverviewReads, asked: Asked) -> tuple[list[Progress], bool]:
    """What a name or id begins with, and whether there is more than is looked at."""
    names = dict.fromkeys([searched(asked.search), *searched_before(asked.search)])
    lists = await asyncio.gather(
        *(_beginning(reads, "searched", name) for name in names),
        _beginning(reads, "tenant_id", asked.search.strip()),
    )
    unique = {(one.tenant_id, one.env): one for found in lists for one in found}
    fitting = [
        one for one in unique.values() if asked.env in (None, one.env) and asked.state in (None, one.state)
    ]
    fitting.sort(key=lambda one: one.rank)
    cut = max(len(fitting), *map(len, lists)) > MOST_FOUND
    return fitting[:MOST_FOUND], cut


async def _beginning(reads: OverviewReads, field: str, text: str) -> list[Progress]:
    span = Span(text, text + LAST_CHARACTER)
    found = await reads.progress.find(SYSTEM, order_by=field, limit=MOST_FOUND + 1, span=span)
    return [stored.record for stored in found]


async def _row(reads: OverviewReads, progress: Progress, base: str) -> TenantProgress:
    recent = await _recent(reads, progress)
    now = reads.clock()
    record = evaluate(recent.reading, LIMITS["events"], now)
    day = recent.value if not recent.failure else None
    return TenantProgress(
        tenant_id=progress.tenant_id,
        env=progress.env,
        name=progress.name,
        rehearsal=progress.rehearsal,
        state=progress.state,
        milestones={milestone: progress.reached.get(milestone) for milestone in MILESTONES},
        at_the_latest=progress.backfilled,
        missing=progress.missing,
        next=next_step(progress, base),
        newest_event_at=recent.value.newest_at,
        events_24h=day.total if day else None,
        trainable_share=day.trainable / day.total if day and day.total else None,
        verdict=_verdict(record, progress, now),
        freshness=record,
    )


async def _recent(reads: OverviewReads, progress: Progress) -> Part[Recent]:
    """Counts of the last day; of an older newest event the progress knows the hour."""
    known = progress.silent_since if "first_event" in progress.reached else None

    async def read() -> Read[Recent]:
        found = await reads.arrivals.recent(Scope(progress.tenant_id, progress.env))
        found = replace(found, newest_at=found.newest_at or known)
        return Read(found, found.newest_at)

    return await part(reads.clock, reads.progress.source, read(), Recent())


def _verdict(record: Freshness, progress: Progress, now: datetime) -> Status:
    """As on the dashboard: no event at all is neutral during the tenant's first 24 hours, then stale."""
    began = progress.reached.get("tenant_created")
    if record.status != "never" or (began and now - began < GRACE):
        return record.status
    return "stale"

"""Assembly of the tenant dashboard: sections read in parallel, each reporting its own failure."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from engines.bossman import sections
from engines.bossman.clock_checks import CLOCK_SKEW
from engines.bossman.event_sink import indicator
from engines.bossman.freshness import (
    BY_CLOCK,
    LIMITS,
    Freshness,
    Reading,
    Section,
    Status,
    aggregate,
    evaluate,
)
from engines.bossman.health import CheckStatus, Health, ProbeResult, worst
from engines.bossman.models import (
    AnalyticsSection,
    BudgetSection,
    Dashboard,
    FirearmsSection,
    KpiSection,
    StrategyLocksSection,
    TemperatureSection,
    TenantHealth,
)
from engines.bossman.parts import Part, Read, part
from engines.bossman.sections import DashboardReads
from engines.budget.cogs import Cogs
from engines.common.documents import SYSTEM, Scope
from engines.firearms.rules import DANGEROUS_ACTIONS
from engines.identity.models import Tenant
from engines.privacy.models import TrainingPreference

Value = TypeVar("Value")

DOWN_SECONDS = 0.25
"""How long the newest event is still waited for once the sink's probe has failed."""


class Source(Protocol):
    """Where a section is read from."""

    @property
    def source(self) -> str:
        """Which store it is: firestore or memory."""
        ...

    def changes(self, scope: Scope) -> int:
        """How often this process wrote there."""
        ...


async def build(reads: DashboardReads, scope: Scope, surface: str, window_days: int) -> Dashboard:
    """Read everything in parallel and judge it.

    Raises StoreError when not even the tenant's own record can be read; any other section that fails
    reports itself and the rest is served.
    """

    def read(
        section: Section,
        sources: tuple[Source, ...],
        call: Callable[[], Awaitable[Read[Value]]],
        neutral: Value,
        *how: Hashable,
    ) -> Awaitable[Part[Value]]:
        changes = tuple(source.changes(scope) for source in sources)
        shared = reads.readings.get((section, scope, *how), changes, call)
        return part(reads.clock, sources[0].source, shared, neutral)

    no_prefs: list[TrainingPreference] = []
    no_budget: tuple[BudgetSection, Cogs | None] = (BudgetSection(), None)
    waiting = reads.readings.get(
        ("undelivered", scope), reads.delivery.changes(scope), lambda: sections.undelivered(reads, scope)
    )
    compared = reads.readings.get(
        ("reconciliation", scope),
        reads.reconciliation.changes(scope),
        lambda: sections.reconciliation(reads, scope),
    )
    sink = asyncio.gather(
        _sink(reads, scope),
        part(reads.clock, "outbox", waiting, None),
        part(reads.clock, "reconciliation", compared, None),
    )
    around = asyncio.gather(
        reads.readings.get(
            ("tenant", scope.tenant_id), reads.tenants.changes(SYSTEM), lambda: sections.tenant(reads, scope)
        ),
        reads.health.all(),
        read(
            "training_prefs",
            (reads.preferences,),
            lambda: sections.training_prefs(reads, scope),
            no_prefs,
        ),
        read("kill_switch", (reads.kill_switches,), lambda: sections.kill_switch(reads, scope), None),
    )
    engines = asyncio.gather(
        read(
            "temperature",
            (reads.snapshots, reads.floors, reads.ceilings, reads.weights),
            lambda: sections.temperature(reads, scope, surface),
            TemperatureSection(surface=surface),
            surface,
        ),
        read(
            "budget",
            (reads.budget,),
            lambda: sections.budget(reads, scope, surface, window_days),
            no_budget,
            surface,
            window_days,
        ),
        read(
            "kpi",
            (reads.definitions, reads.corridors),
            lambda: sections.kpi(reads, scope, surface),
            KpiSection(),
            surface,
        ),
        read(
            "strategy_locks",
            (reads.locks,),
            lambda: sections.strategy_locks(reads, scope),
            StrategyLocksSection(),
        ),
        read(
            "firearms",
            (reads.licences,),
            lambda: sections.firearms(reads, scope),
            FirearmsSection(dangerous_actions=DANGEROUS_ACTIONS),
        ),
        read(
            "analytics",
            (reads.analytics, reads.analytics_configs, reads.seo_pages),
            lambda: sections.analytics(reads, scope, surface),
            AnalyticsSection(),
            surface,
        ),
    )
    temperature, budget, kpi, locks, firearms, analytics = await engines
    tenant, health, preferences, kill_switch = await around
    (probe, events), undelivered, reconciliation = await sink
    now = reads.clock()
    parts: dict[Section, Part[Any]] = {
        "events": events,
        "temperature": temperature,
        "budget": budget,
        "kpi": kpi,
        "strategy_locks": locks,
        "firearms": firearms,
        "analytics": analytics,
        "training_prefs": preferences,
        "kill_switch": kill_switch,
    }
    skew = _skew(health)
    freshness = {
        name: evaluate(found.reading, LIMITS[name], now, skew, by_clock=name in BY_CLOCK)
        for name, found in parts.items()
    }
    return Dashboard(
        tenant_id=scope.tenant_id,
        env=scope.env,
        surface=surface,
        temperature=temperature.value,
        budget=budget.value[0],
        cogs=budget.value[1],
        kpi=kpi.value,
        strategy_locks=locks.value,
        firearms=firearms.value,
        analytics=analytics.value,
        event_sink=indicator(
            reads.sink.describe(),
            scope.tenant_id,
            probe,
            reads.delivery.state,
            last_write_at=events.value,
            undelivered=undelivered.value,
            read_failure=_read_failure(events, undelivered),
            reconciliation=reconciliation.value,
            compare_failure=reconciliation.failure,
        ),
        training_prefs=preferences.value,
        kill_switch=kill_switch.value,
        generated_at=now,
        freshness=freshness,
        health=_tenant_health(health, freshness, tenant.value, now),
        lists={name: info for found in parts.values() for name, info in found.lists.items()},
    )


async def _sink(reads: DashboardReads, scope: Scope) -> tuple[ProbeResult, Part[datetime | None]]:
    """The sink's probe and the tenant's newest event. A sink that is down is not waited for."""
    reading = asyncio.create_task(_events(reads, scope))
    probe = await reads.health.sink.result()
    done, _ = await asyncio.wait([reading], timeout=None if probe.passed else DOWN_SECONDS)
    if done:
        return probe, await reading
    reading.cancel()
    source = reads.sink.describe().backend
    return probe, Part(
        None, Reading(source, reads.clock(), failure="read_timeout"), failure="no answer in time"
    )


async def _events(reads: DashboardReads, scope: Scope) -> Part[datetime | None]:
    description = reads.sink.describe()
    found: Part[datetime | None] = await part(
        reads.clock,
        description.backend,
        reads.readings.get(
            ("events", scope), reads.delivery.changes(scope), lambda: sections.events(reads, scope)
        ),
        None,
    )
    if not description.discards:
        return found
    # Nothing is kept, so nothing can be said of what arrived: unknown, never "no events".
    return Part(None, Reading(description.backend, found.reading.observed_at, failure="read_error"))


def _read_failure(events: Part[Any], undelivered: Part[Any]) -> str | None:
    if events.failure:
        return f"the newest event could not be read: {events.failure}"
    return f"the outbox could not be read: {undelivered.failure}" if undelivered.failure else None


def _skew(health: Health) -> timedelta:
    """How far clocks are apart when that is too much, else zero."""
    apart = [check for check in health.checks.get(CLOCK_SKEW, []) if check.status != "pass"]
    return timedelta(seconds=max((check.observedValue or 0.0 for check in apart), default=0.0))


def _tenant_health(
    health: Health, freshness: dict[Section, Freshness], tenant: Tenant | None, now: datetime
) -> TenantHealth:
    verdict = aggregate(freshness.values(), now - tenant.created_at if tenant else None)
    as_check: dict[Status, CheckStatus] = {"stale": "fail", "unknown": "warn", "warn": "warn"}
    status = worst([health.status, as_check.get(verdict, "pass")])
    return TenantHealth(status=status, freshness=verdict, checks=health.checks)

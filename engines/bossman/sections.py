"""The sections of the dashboard, each read from the records of its engine. Readers only.

A section shows some records and is as fresh as its newest one, shown or not: whatever its state and age, and
where the surface that is looked at has none, on whatever surface. So "never" means that there was none.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from engines.analytics.config_models import TenantAnalyticsConfig
from engines.analytics.config_service import effective_config
from engines.analytics.models import AnalyticsEvent
from engines.bossman.health import HealthChecks
from engines.bossman.models import (
    AnalyticsArrivals,
    AnalyticsSection,
    BudgetSection,
    FirearmsSection,
    KpiSection,
    ListInfo,
    StrategyLocksSection,
    TemperatureConfig,
    TemperatureSection,
)
from engines.bossman.parts import Read, bounded, first, last_of, latest_of, newest, newest_of
from engines.bossman.readings import SharedReadings
from engines.budget.cogs import WINDOW_DAYS as COGS_WINDOW_DAYS
from engines.budget.cogs import Cogs, cogs
from engines.budget.summary import BudgetSummaries
from engines.common.clock import Clock, utc_now
from engines.common.collection import Reads, last_stored
from engines.common.documents import SYSTEM, Scope
from engines.firearms.models import Licence
from engines.firearms.rules import DANGEROUS_ACTIONS
from engines.identity.models import Tenant
from engines.kill_switch.models import ONLY_KEY, KillSwitch
from engines.kpi.models import KpiCorridor, KpiDefinition
from engines.nexus.backends.sink import SinkReads
from engines.nexus.delivery.state import DeliveryReads, Undelivered
from engines.privacy.models import TrainingPreference
from engines.reconciliation.models import Reconciliation
from engines.reconciliation.reads import ReconciliationReads
from engines.seo.models import PageSeoConfig
from engines.strategy_lock.models import StrategyLock
from engines.temperature.models import (
    CeilingConfig,
    FloorConfig,
    TemperatureSnapshot,
    TemperatureWeights,
    surface_key,
)

RECENT_SNAPSHOTS = 5
RECENT_LOCKS = 10
BUDGET_GROUPS = ("provider", "model_or_plan_id", "tool_type")


@dataclass(frozen=True)
class DashboardReads:
    """All that the dashboard can reach: readers only, nothing here can write."""

    tenants: Reads[Tenant]
    snapshots: Reads[TemperatureSnapshot]
    floors: Reads[FloorConfig]
    ceilings: Reads[CeilingConfig]
    weights: Reads[TemperatureWeights]
    budget: BudgetSummaries
    definitions: Reads[KpiDefinition]
    corridors: Reads[KpiCorridor]
    locks: Reads[StrategyLock]
    licences: Reads[Licence]
    analytics: Reads[AnalyticsEvent]
    analytics_configs: Reads[TenantAnalyticsConfig]
    seo_pages: Reads[PageSeoConfig]
    preferences: Reads[TrainingPreference]
    kill_switches: Reads[KillSwitch]
    sink: SinkReads
    delivery: DeliveryReads
    reconciliation: ReconciliationReads
    health: HealthChecks
    readings: SharedReadings
    clock: Clock = utc_now


async def tenant(reads: DashboardReads, scope: Scope) -> Read[Tenant | None]:
    """The tenant's own record."""
    found = await reads.tenants.get(SYSTEM, scope.tenant_id)
    return Read(found.record if found else None, newest([found]))


async def temperature(reads: DashboardReads, scope: Scope, surface: str) -> Read[TemperatureSection]:
    """Newest snapshots and the three configurations of the surface."""
    key = surface_key(surface)
    snapshots, floors, ceilings, weights = await asyncio.gather(
        reads.snapshots.find(scope, {"surface": surface}, order_by="-created_at", limit=RECENT_SNAPSHOTS),
        reads.floors.get(scope, key),
        reads.ceilings.get(scope, key),
        reads.weights.get(scope, key),
    )
    recent = [stored.record for stored in snapshots]
    config = TemperatureConfig(
        floors=floors.record if floors else None,
        ceilings=ceilings.record if ceilings else None,
        weights=weights.record if weights else None,
    )
    section = TemperatureSection(
        surface=surface, current=recent[0] if recent else None, recent=recent, config=config
    )
    last = newest([*snapshots, floors, ceilings, weights]) or await last_of(
        scope, reads.snapshots, reads.floors, reads.ceilings, reads.weights
    )
    return Read(section, last)


async def budget(
    reads: DashboardReads, scope: Scope, surface: str, window_days: int
) -> Read[tuple[BudgetSection, Cogs | None]]:
    """Summaries of the surface in the window, and the cost of goods of all surfaces."""
    windows = (window_days, COGS_WINDOW_DAYS)
    usage, last = await asyncio.gather(
        reads.budget.usage(scope, None, windows), reads.budget.last_stored(scope, surface)
    )
    totals = usage.totals(window_days, surface)
    by_provider, by_model, by_tool_type = (totals.summary(name) for name in BUDGET_GROUPS)
    section = BudgetSection(by_provider=by_provider, by_model=by_model, by_tool_type=by_tool_type)
    coverage = await reads.budget.coverage(scope, max(windows))
    # What something else stored is in no sum until it is repaired: the sums are cut.
    held = ListInfo(shown=coverage.summed, total=coverage.stored, cut=True)
    return Read(
        (section, cogs(usage.totals(COGS_WINDOW_DAYS))),
        last,
        {"budget.usage": held} if coverage.unsummed else {},
    )


async def kpi(reads: DashboardReads, scope: Scope, surface: str) -> Read[KpiSection]:
    """Definitions and corridors of the surface."""
    of_surface = {"surface": surface}
    definitions, corridors = await asyncio.gather(
        bounded(reads.definitions, scope, of_surface), bounded(reads.corridors, scope, of_surface)
    )
    of_both = await asyncio.gather(
        newest_of(reads.definitions, scope, definitions, of_surface),
        newest_of(reads.corridors, scope, corridors, of_surface),
    )
    return Read(
        KpiSection(definitions=definitions.records, corridors=corridors.records),
        latest_of(*of_both) or await last_of(scope, reads.definitions, reads.corridors),
        {"kpi.definitions": definitions.info, "kpi.corridors": corridors.info},
    )


async def strategy_locks(reads: DashboardReads, scope: Scope) -> Read[StrategyLocksSection]:
    """Approved locks that are valid now, and the last changed ones. Bounded before validity is looked at."""
    approved, changed = await asyncio.gather(
        bounded(reads.locks, scope, {"status": "approved"}),
        reads.locks.find(scope, order_by="-updated_at", limit=RECENT_LOCKS),
    )
    now = reads.clock()
    active = [lock for lock in approved.records if is_valid(lock, now)]
    section = StrategyLocksSection(active=active, recent=[stored.record for stored in changed])
    unseen = approved.info.total - approved.info.shown
    info = approved.info.model_copy(update={"shown": len(active), "total": len(active) + unseen})
    return Read(section, newest(changed), {"strategy_locks.active": info})


def is_valid(lock: StrategyLock, now: datetime) -> bool:
    """Whether ``now`` lies in the lock's window, both ends included."""
    return lock.valid_from <= now and (lock.valid_until is None or now <= lock.valid_until)


async def firearms(reads: DashboardReads, scope: Scope) -> Read[FirearmsSection]:
    """Licences of status active, as fresh as the newest of any."""
    active, last = await asyncio.gather(
        bounded(reads.licences, scope, {"status": "active"}), last_stored(reads.licences, scope)
    )
    section = FirearmsSection(active_licences=active.records, dangerous_actions=DANGEROUS_ACTIONS)
    return Read(section, last, {"firearms.active_licences": active.info})


async def analytics(reads: DashboardReads, scope: Scope, surface: str) -> Read[AnalyticsSection]:
    """Configuration in force for the surface, pages of all surfaces, newest arrivals."""
    pageview, cta_click, config, pages = await asyncio.gather(
        first(reads.analytics, scope, {"event_type": "pageview"}, "-created_at"),
        first(reads.analytics, scope, {"event_type": "cta_click"}, "-created_at"),
        effective_config(reads.analytics_configs, scope, surface),
        bounded(reads.seo_pages, scope),
    )
    arrivals = AnalyticsArrivals(
        last_pageview_at=pageview.record.created_at if pageview else None,
        last_cta_click_at=cta_click.record.created_at if cta_click else None,
    )
    section = AnalyticsSection(
        effective_config=config[0] if config else None, page_seo=pages.records, events=arrivals
    )
    is_own = config and Scope(config[0].tenant_id, config[0].env) == scope
    shown = newest([pageview, cta_click, config[1] if config and is_own else None])
    last = latest_of(shown, await newest_of(reads.seo_pages, scope, pages))
    last = last or await last_of(scope, reads.analytics_configs)
    return Read(section, last, {"analytics.page_seo": pages.info})


async def training_prefs(reads: DashboardReads, scope: Scope) -> Read[list[TrainingPreference]]:
    """Preferences of the tenant and of its users."""
    found = await bounded(reads.preferences, scope, order_by=None)
    last = await newest_of(reads.preferences, scope, found)
    return Read(found.records, last, {"training_prefs": found.info})


async def kill_switch(reads: DashboardReads, scope: Scope) -> Read[KillSwitch | None]:
    """The switch, or None when it was never set."""
    found = await reads.kill_switches.get(scope, ONLY_KEY)
    return Read(found.record if found else None, newest([found]))


async def events(reads: DashboardReads, scope: Scope) -> Read[datetime | None]:
    """Newest event of the tenant and env, read from the sink."""
    latest = await reads.sink.latest(scope.tenant_id, scope.env)
    return Read(latest, latest)


async def undelivered(reads: DashboardReads, scope: Scope) -> Read[Undelivered | None]:
    """The tenant's events that wait for the sink or were refused by it."""
    return Read(await reads.delivery.undelivered(scope), None)


async def reconciliation(reads: DashboardReads, scope: Scope) -> Read[Reconciliation | None]:
    """What was accepted against what the sink holds, as it was compared last."""
    return Read(await reads.reconciliation.result(scope), None)

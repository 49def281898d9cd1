"""The services of a process, wired over its adapters. Opens nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from engines.adapters import Adapters
from engines.analytics.config_service import AnalyticsConfigService
from engines.analytics.crash_repair import CrashRepair
from engines.analytics.service import AnalyticsService
from engines.bossman.clock_checks import ClockChecks
from engines.bossman.health import HealthChecks, MoreChecks, SharedProbe
from engines.bossman.metrics import Metrics
from engines.bossman.missing_checks import MissingChecks
from engines.bossman.onboarding import OverviewReads
from engines.bossman.onboarding_backfill import Backfill, Evidence
from engines.bossman.pages.session import PageSessions
from engines.bossman.readings import SharedReadings
from engines.bossman.sections import DashboardReads
from engines.bossman.state_checks import StateChecks
from engines.budget.service import BudgetService
from engines.common.clock import Clock
from engines.common.collection import Reads
from engines.common.documents import SYSTEM, DocumentStore, Scope
from engines.common.process_clocks import ProcessClocks
from engines.common.stand_in import StandInReads
from engines.config.runtime_config import Settings
from engines.firearms.service import FirearmsService
from engines.identity.passwords import HashQueue
from engines.identity.service import IdentityService
from engines.identity.sessions import Sessions, cookie_suffix
from engines.identity.tokens import Tokens
from engines.kill_switch.service import KillSwitchService
from engines.kpi.service import KpiService
from engines.logging.arrivals import Arrivals
from engines.logging.audit import Audit
from engines.logging.event_log import EventLog
from engines.logging.events import EventPipeline
from engines.logging.milestones import NotedMilestones
from engines.logging.progress import Milestone
from engines.logging.state_losses import StateLosses
from engines.nexus.backends.sink import Envelope, SinkDescription
from engines.nexus.delivery import Delivery
from engines.nexus.delivery.recovery import Recovery
from engines.nexus.delivery.text import plain
from engines.privacy.service import PrivacyService
from engines.reconciliation.acknowledging import acknowledged
from engines.reconciliation.comparison import Comparison
from engines.reconciliation.models import Loss
from engines.reconciliation.service import Reconciler
from engines.seo.service import SeoService
from engines.strategy_lock.service import StrategyLockService
from engines.temperature.service import TemperatureService


@dataclass
class Services:
    """The services of one process, held in ``app.state.services``."""

    settings: Settings
    tokens: Tokens
    identity: IdentityService
    page_sessions: PageSessions
    privacy: PrivacyService
    analytics: AnalyticsService
    analytics_configs: AnalyticsConfigService
    strategy_locks: StrategyLockService
    firearms: FirearmsService
    kill_switches: KillSwitchService
    budget: BudgetService
    kpi: KpiService
    temperature: TemperatureService
    seo: SeoService
    audit: Audit
    delivery: Delivery
    arrivals: Arrivals
    event_log: EventLog
    metrics: Metrics
    milestones: NotedMilestones
    clocks: ProcessClocks
    stand_in: StandInReads | None
    state_losses: StateLosses | None
    reconciler: Reconciler
    dashboard: DashboardReads = field(init=False, repr=False)
    overview: OverviewReads = field(init=False, repr=False)
    backfill: Backfill = field(init=False, repr=False)
    recovery: Recovery = field(init=False, repr=False)
    crash_repair: CrashRepair = field(init=False, repr=False)


def build_services(
    settings: Settings, adapters: Adapters, metrics: Metrics, hashes: HashQueue | None = None
) -> Services:
    """Wire the services over the adapters. Opens nothing."""
    state, clock = adapters.state, adapters.clock
    tokens = Tokens(settings.auth_jwt_signing.get_secret_value())
    identity = IdentityService(state["identity"], tokens, clock, hashes)
    noted = NotedMilestones(state["identity"], identity.beginning, clock)
    privacy = PrivacyService(state["privacy"], noted)
    delivery = Delivery(
        adapters.sink,
        clock,
        outbox=adapters.outbox,
        letters=adapters.letters,
        limits=adapters.limits,
        observer=metrics.of_sink(adapters.sink.describe().backend),
    )
    arrivals = Arrivals(state["analytics_events"], clock, milestones=noted, sink=adapters.sink.describe().tag)
    pipeline = EventPipeline(privacy, delivery, clock, arrivals)
    audit = Audit(pipeline, clock)
    locks = StrategyLockService(state["strategy_lock"], audit, clock, noted)
    kill_switches = KillSwitchService(state["identity"], locks, clock)
    budget = BudgetService(state["budget"], kill_switches, clock, noted)
    kpi = KpiService(state["kpi"], locks, clock, noted)
    stand_in, shared = adapters.stand_in, adapters.shared_store
    services = Services(
        settings=settings,
        tokens=tokens,
        identity=identity,
        page_sessions=_page_sessions(settings, state["identity"], clock),
        privacy=privacy,
        analytics=AnalyticsService(
            state["analytics_events"], pipeline, adapters.sink, delivery.waiting, clock
        ),
        analytics_configs=AnalyticsConfigService(state["identity"], locks, clock),
        strategy_locks=locks,
        firearms=FirearmsService(state["firearms"], audit, clock),
        kill_switches=kill_switches,
        budget=budget,
        kpi=kpi,
        temperature=TemperatureService(state["identity"], locks, budget, kpi, clock, noted),
        seo=SeoService(state["seo"], locks, clock),
        audit=audit,
        delivery=delivery,
        arrivals=arrivals,
        milestones=noted,
        reconciler=_reconciler(adapters, arrivals, delivery, noted, identity),
        event_log=EventLog(pipeline, settings.env),
        metrics=metrics,
        clocks=ProcessClocks(shared, clock),
        stand_in=stand_in,
        state_losses=StateLosses(shared, stand_in, clock) if stand_in else None,
    )
    services.dashboard = _dashboard_reads(services, adapters)
    services.overview = OverviewReads(noted.reads, arrivals.recent, clock)
    services.crash_repair = _crash_repair(services, adapters)
    services.recovery = _recovery(services, adapters)
    services.backfill = Backfill(_evidence(services, adapters), identity, noted)
    return services


def _page_sessions(settings: Settings, store: DocumentStore, clock: Clock) -> PageSessions:
    """A member's session is a day's work. Operators' end with their key, which signs them."""
    signing, key = settings.auth_jwt_signing, settings.system_bootstrap_key
    return PageSessions(
        members=Sessions(store, signing, "page", timedelta(hours=12), clock),
        operators=Sessions(store, key, "onboarding", timedelta(hours=8), clock),
        suffix=cookie_suffix(signing),
    )


def _reconciler(
    adapters: Adapters,
    arrivals: Arrivals,
    delivery: Delivery,
    noted: NotedMilestones,
    identity: IdentityService,
) -> Reconciler:
    store = adapters.state["analytics_events"]

    async def exists(tenant_id: str) -> bool:
        return await identity.tenants.get(SYSTEM, tenant_id) is not None

    return Reconciler(
        store,
        Comparison(arrivals.hours, acknowledged(store), adapters.sink, delivery),
        arrivals,
        noted.reads,
        exists,
        adapters.clock,
        round_seconds=adapters.reconcile_seconds,
    )


def _recovery(services: Services, adapters: Adapters) -> Recovery:
    """What heals a break: events first, then what belongs beside them, and later what was not accepted."""

    async def count_again(_: Sequence[Envelope]) -> None:
        services.arrivals.rewrite()

    async def repair_later(_: Sequence[Envelope]) -> None:
        services.crash_repair.crashed()

    recovery = Recovery(
        adapters.sink,
        services.delivery.recent,
        services.delivery,
        services.metrics.of_sink(adapters.sink.describe().backend),
        adapters.stand_in.generation if adapters.stand_in else None,
        [services.analytics.raw_records.restore, count_again, repair_later],
    )

    async def send_again(scope: Scope, _: Loss) -> None:
        recovery.found_missing(scope)

    services.reconciler.on_missing = send_again
    return recovery


def _crash_repair(services: Services, adapters: Adapters) -> CrashRepair:
    async def is_complete(scope: Scope) -> bool:
        found = await services.reconciler.compare(scope)
        return found.failure is None and not any(hour.suspected for hour in found.hours)

    def accepted_lately() -> set[Scope]:
        return {Scope(event.tenant_id, plain(event.env)) for event in services.delivery.recent.all()}

    return CrashRepair(
        services.analytics.events,
        services.analytics.raw_records,
        adapters.sink,
        services.delivery.waiting,
        is_complete,
        accepted_lately,
        adapters.clock,
    )


def _evidence(services: Services, adapters: Adapters) -> Evidence:
    """The records that prove a milestone of a tenant from before milestones were noted."""
    temperature, kpi = services.temperature, services.kpi
    proofs: dict[Milestone, Sequence[Reads[Any]]] = {
        "lock_approved": [services.strategy_locks.locks],
        "temperature_configured": [temperature.floors, temperature.ceilings, temperature.weights],
        "kpi_configured": [kpi.definitions, kpi.corridors],
        "first_usage": [services.budget.events],
        "preference_set": [services.privacy.preferences],
    }
    return Evidence(services.identity.tenants, proofs, adapters.sink)


def _more_checks(services: Services, sink: SinkDescription, clock: Clock) -> list[MoreChecks]:
    checks: list[MoreChecks] = [ClockChecks(lambda: services.clocks.state)]
    if not sink.discards:
        checks.append(MissingChecks(services.reconciler.missing, sink.backend, clock))
    losses = services.state_losses
    if services.stand_in and losses:
        checks.append(StateChecks(services.stand_in, lambda: losses.open, clock))
    return checks


def _dashboard_reads(services: Services, adapters: Adapters) -> DashboardReads:
    sink = adapters.sink.describe()
    checks = HealthChecks(
        {name: SharedProbe(store.ping, adapters.clock) for name, store in adapters.stores.items()},
        SharedProbe(adapters.sink.probe, adapters.clock),
        sink.backend,
        sink_discards=sink.discards,
        more=_more_checks(services, sink, adapters.clock),
    )
    return DashboardReads(
        tenants=services.identity.tenants,
        snapshots=services.temperature.snapshots,
        floors=services.temperature.floors,
        ceilings=services.temperature.ceilings,
        weights=services.temperature.weights,
        budget=services.budget.summaries,
        definitions=services.kpi.definitions,
        corridors=services.kpi.corridors,
        locks=services.strategy_locks.locks,
        licences=services.firearms.licences,
        analytics=services.analytics.events,
        analytics_configs=services.analytics_configs.configs,
        seo_pages=services.seo.pages,
        preferences=services.privacy.preferences,
        kill_switches=services.kill_switches.switches,
        sink=adapters.sink,
        delivery=services.delivery,
        reconciliation=services.reconciler,
        health=checks,
        readings=SharedReadings(adapters.clock),
        clock=adapters.clock,
    )

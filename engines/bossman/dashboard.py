"""Assembly of the tenant dashboard: sections read in parallel, each reporting its own failure."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from pydantic import BaseModel

from engines.analytics.models import AnalyticsEvent
from engines.bossman.event_sink import EventSinkIndicator, indicator
from engines.bossman.freshness import (
    LIMITS,
    Failure,
    Freshness,
    Reading,
    Section,
    Status,
    aggregate,
    evaluate,
)
from engines.bossman.health import Check, CheckStatus, Health, HealthChecks, worst
from engines.common.clock import Clock, utc_now
from engines.common.documents import SYSTEM, Reads, Scope, Stored, StoreDenied, StoreError, StoreTimeout
from engines.identity.models import Tenant
from engines.nexus.backends.delivery import DeliveryState
from engines.nexus.backends.sink import SinkError, SinkReads
from engines.privacy.models import TrainingPreference

Value = TypeVar("Value")


@dataclass(frozen=True)
class DashboardReads:
    """All that the dashboard can reach: readers only, nothing here can write."""

    tenants: Reads[Tenant]
    preferences: Reads[TrainingPreference]
    analytics: Reads[AnalyticsEvent]
    sink: SinkReads
    delivery_state: Callable[[], DeliveryState]
    health: HealthChecks
    clock: Clock = utc_now


class AnalyticsArrivals(BaseModel):
    """When analytics events of the tenant and env last arrived, all surfaces."""

    last_pageview_at: datetime | None = None
    last_cta_click_at: datetime | None = None


class AnalyticsSection(BaseModel):
    """Dashboard key ``analytics``, as far as its engines exist."""

    events: AnalyticsArrivals


class TenantHealth(BaseModel):
    """Dashboard key ``health``: the process's checks and the tenant's aggregate freshness."""

    status: CheckStatus
    freshness: Status
    checks: dict[str, list[Check]]


class Dashboard(BaseModel):
    """GET /bossman/tenant-dashboard."""

    tenant_id: str
    env: str
    surface: str
    analytics: AnalyticsSection
    event_sink: EventSinkIndicator
    training_prefs: list[TrainingPreference]
    generated_at: datetime
    freshness: dict[Section, Freshness]
    health: TenantHealth


@dataclass(frozen=True)
class _Part(Generic[Value]):
    """What a section's read brought: value (neutral on failure), reading, the failure in words."""

    value: Value
    reading: Reading
    failure: str | None = None


async def build(reads: DashboardReads, scope: Scope, surface: str) -> Dashboard:
    """Read everything in parallel and judge it.

    Raises StoreError when not even the tenant's own record can be read; any other section that fails
    reports itself and the rest is served.
    """
    tenant, preferences, analytics, events, probe, health = await asyncio.gather(
        reads.tenants.get(SYSTEM, scope.tenant_id),
        _preferences(reads, scope),
        _analytics(reads, scope),
        _events(reads, scope),
        reads.health.sink.result(),
        reads.health.all(),
    )
    now = reads.clock()
    readings: dict[Section, Reading] = {
        "events": events.reading,
        "analytics": analytics.reading,
        "training_prefs": preferences.reading,
    }
    freshness = {section: evaluate(reading, LIMITS[section], now) for section, reading in readings.items()}
    return Dashboard(
        tenant_id=scope.tenant_id,
        env=scope.env,
        surface=surface,
        analytics=AnalyticsSection(events=analytics.value),
        event_sink=indicator(
            reads.sink.describe(),
            scope.tenant_id,
            probe,
            reads.delivery_state(),
            events.value,
            events.failure,
        ),
        training_prefs=preferences.value,
        generated_at=now,
        freshness=freshness,
        health=_tenant_health(health, freshness, tenant, now),
    )


def _tenant_health(
    health: Health, freshness: dict[Section, Freshness], tenant: Stored[Tenant] | None, now: datetime
) -> TenantHealth:
    verdict = aggregate(freshness.values(), now - tenant.record.created_at if tenant else None)
    as_check: dict[Status, CheckStatus] = {"stale": "fail", "unknown": "warn", "warn": "warn"}
    status = worst([health.status, as_check.get(verdict, "pass")])
    return TenantHealth(status=status, freshness=verdict, checks=health.checks)


async def _preferences(reads: DashboardReads, scope: Scope) -> _Part[list[TrainingPreference]]:
    async def read() -> tuple[list[TrainingPreference], datetime | None]:
        found = await reads.preferences.find(scope)
        return [stored.record for stored in found], max((stored.stored_at for stored in found), default=None)

    return await _part(reads, reads.preferences.source, read(), [])


async def _analytics(reads: DashboardReads, scope: Scope) -> _Part[AnalyticsArrivals]:
    async def newest(event_type: str) -> Stored[AnalyticsEvent] | None:
        found = await reads.analytics.find(scope, {"event_type": event_type}, order_by="-created_at", limit=1)
        return found[0] if found else None

    async def read() -> tuple[AnalyticsArrivals, datetime | None]:
        pageview, cta_click = await asyncio.gather(newest("pageview"), newest("cta_click"))
        arrivals = AnalyticsArrivals(
            last_pageview_at=pageview.record.created_at if pageview else None,
            last_cta_click_at=cta_click.record.created_at if cta_click else None,
        )
        return arrivals, max((item.stored_at for item in (pageview, cta_click) if item), default=None)

    return await _part(reads, reads.analytics.source, read(), AnalyticsArrivals())


async def _events(reads: DashboardReads, scope: Scope) -> _Part[datetime | None]:
    async def read() -> tuple[datetime | None, datetime | None]:
        latest = await reads.sink.latest(scope.tenant_id, scope.env)
        return latest, latest

    description = reads.sink.describe()
    part = await _part(reads, description.backend, read(), None)
    if not description.discards:
        return part
    # Nothing is kept, so nothing can be said of what arrived: unknown, never "no events".
    unread = Reading(description.backend, part.reading.observed_at, failure="read_error")
    return _Part(None, unread)


async def _part(
    reads: DashboardReads, source: str, read: Awaitable[tuple[Value, datetime | None]], neutral: Value
) -> _Part[Value]:
    try:
        value, last_updated_at = await read
    except (StoreError, SinkError) as error:
        return _Part(neutral, Reading(source, reads.clock(), failure=_failure(error)), str(error))
    return _Part(value, Reading(source, reads.clock(), last_updated_at))


def _failure(error: StoreError | SinkError) -> Failure:
    if isinstance(error, StoreTimeout) or (isinstance(error, SinkError) and error.reason == "timeout"):
        return "read_timeout"
    if isinstance(error, StoreDenied) or (isinstance(error, SinkError) and error.reason == "denied"):
        return "read_denied"
    return "read_error"

"""The shape of the tenant dashboard: the existing keys in their order, then what makes them observable."""

import json
from datetime import datetime

from pydantic import BaseModel

from engines.analytics.config_models import EffectiveAnalyticsConfig
from engines.bossman.event_sink import EventSinkIndicator
from engines.bossman.freshness import Freshness, Section, Status
from engines.bossman.health import Check, CheckStatus
from engines.budget.cogs import Cogs
from engines.budget.summary import BudgetSummary
from engines.firearms.models import Level, Licence
from engines.kill_switch.models import KillSwitch
from engines.kpi.models import KpiCorridor, KpiDefinition
from engines.privacy.models import TrainingPreference
from engines.seo.models import PageSeoConfig
from engines.strategy_lock.models import StrategyLock
from engines.temperature.models import CeilingConfig, FloorConfig, TemperatureSnapshot, TemperatureWeights


class TemperatureConfig(BaseModel):
    """What the surface's temperature is measured against."""

    floors: FloorConfig | None = None
    ceilings: CeilingConfig | None = None
    weights: TemperatureWeights | None = None


class TemperatureSection(BaseModel):
    """Newest stored snapshots of the surface, at most five; nothing is computed here."""

    surface: str
    current: TemperatureSnapshot | None = None
    recent: list[TemperatureSnapshot] = []
    config: TemperatureConfig = TemperatureConfig()


class BudgetSection(BaseModel):
    """Usage of the surface in the window, grouped three ways; null where it could not be read."""

    by_provider: BudgetSummary | None = None
    by_model: BudgetSummary | None = None
    by_tool_type: BudgetSummary | None = None


class KpiSection(BaseModel):
    """Definitions and corridors of the surface."""

    definitions: list[KpiDefinition] = []
    corridors: list[KpiCorridor] = []


class StrategyLocksSection(BaseModel):
    """Locks of the tenant and env, all surfaces."""

    active: list[StrategyLock] = []
    recent: list[StrategyLock] = []


class FirearmsSection(BaseModel):
    """Licences whose status is active, whatever their expiry, and what needs one."""

    active_licences: list[Licence] = []
    dangerous_actions: dict[str, Level]


class AnalyticsArrivals(BaseModel):
    """When analytics events of the tenant and env last arrived, all surfaces."""

    last_pageview_at: datetime | None = None
    last_cta_click_at: datetime | None = None


class AnalyticsSection(BaseModel):
    """The configuration in force, the pages of all surfaces, and arrivals."""

    effective_config: EffectiveAnalyticsConfig | None = None
    page_seo: list[PageSeoConfig] = []
    events: AnalyticsArrivals = AnalyticsArrivals()


class TenantHealth(BaseModel):
    """The process's checks and the tenant's aggregate freshness."""

    status: CheckStatus
    freshness: Status
    checks: dict[str, list[Check]]


class ListInfo(BaseModel):
    """A list that can grow: how many records are shown, how many there are, whether it was cut."""

    shown: int
    total: int
    cut: bool


class Dashboard(BaseModel):
    """GET /bossman/tenant-dashboard."""

    tenant_id: str
    env: str
    surface: str
    temperature: TemperatureSection
    budget: BudgetSection
    cogs: Cogs | None
    kpi: KpiSection
    strategy_locks: StrategyLocksSection
    firearms: FirearmsSection
    analytics: AnalyticsSection
    event_sink: EventSinkIndicator
    training_prefs: list[TrainingPreference]
    kill_switch: KillSwitch | None
    generated_at: datetime
    freshness: dict[Section, Freshness]
    health: TenantHealth
    lists: dict[str, ListInfo]


if __name__ == "__main__":
    # Writes docs/infra/dashboard.schema.json, which pins this shape.
    print(json.dumps(Dashboard.model_json_schema(mode="serialization"), indent=2))  # noqa: T201 - its output

"""The view model: a dashboard and its arrivals as the page shows them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from engines.bossman.models import Dashboard
from engines.bossman.pages.charts import Chart, Shares, arrivals, shares
from engines.bossman.pages.gauges import Gauge, gauges
from engines.bossman.pages.tiles import Tile, first_event, tiles
from engines.bossman.pages.verdict import Level, Verdict, dead_letters, judge
from engines.firearms.models import Licence
from engines.kpi.models import KpiCorridor, KpiDefinition
from engines.logging.arrivals import Day
from engines.privacy.models import TrainingPreference
from engines.seo.models import PageSeoConfig
from engines.strategy_lock.models import StrategyLock

Record = TypeVar("Record")

MOST_ROWS = 10
"""Longest list of the page; the JSON dashboard shows more."""

SINK_LEVELS: dict[str, Level] = {
    "up": "fresh",
    "degraded": "warn",
    "down": "down",
    "unknown": "unknown",
    "off": "off",
}


CHECK_TITLES = {
    "document-store:responseTime": "state store",
    "document-store:durability": "saving of the state store",
    "document-store:restored": "start of the state store",
    "event-sink:responseTime": "event sink",
    "event-sink:missingEvents": "accepted events",
    "clock:skew": "skew of",
}


@dataclass(frozen=True)
class Cut(Generic[Record]):
    """The first rows of a list, newest first, and how many there are."""

    rows: list[Record]
    total: int

    @property
    def is_cut(self) -> bool:
        """Whether rows are left out."""
        return len(self.rows) < self.total


@dataclass(frozen=True)
class View:
    """What the templates draw. ``minutes`` and ``hours`` are None when the counts could not be read."""

    dashboard: Dashboard
    verdict: Verdict
    tiles: list[Tile]
    sink_level: Level
    dead_letters: int
    minutes: Chart | None
    hours: Chart | None
    by_provider: Shares | None
    by_model: Shares | None
    gauges: Cut[Gauge]
    definitions: Cut[KpiDefinition]
    corridors: Cut[KpiCorridor]
    locks: Cut[StrategyLock]
    licences: Cut[Licence]
    preferences: Cut[TrainingPreference]
    pages: Cut[PageSeoConfig]
    base: str

    def expired(self, until: datetime | None) -> bool:
        """Whether the moment has passed when the dashboard was built."""
        return until is not None and until < self.dashboard.generated_at

    def check_title(self, name: str) -> str:
        """What people call the check."""
        return CHECK_TITLES.get(name, name)

    def readable(self, section: str) -> bool:
        """Whether the section could be read at all: clocks that differ leave what was read."""
        known = {tile.name for tile in self.tiles if tile.level != "unknown"}
        skewed = {name for name, one in self.dashboard.freshness.items() if one.reason == "clock_skew"}
        return section in known | skewed


def view(dashboard: Dashboard, day: Day | None, base: str) -> View:
    """The view of a dashboard; ``base`` is the address that commands on the page call."""
    found = gauges(dashboard.temperature)
    return View(
        dashboard=dashboard,
        verdict=judge(dashboard, first_event(dashboard, base)),
        tiles=tiles(dashboard, base),
        sink_level=SINK_LEVELS.get(dashboard.event_sink.status, "unknown"),
        dead_letters=dead_letters(dashboard),
        minutes=arrivals(day.minutes) if day else None,
        hours=arrivals(day.hours) if day else None,
        by_provider=shares(dashboard.budget.by_provider),
        by_model=shares(dashboard.budget.by_model),
        gauges=Cut(found[:MOST_ROWS], len(found)),
        definitions=_cut(dashboard, "kpi.definitions", dashboard.kpi.definitions),
        corridors=_cut(dashboard, "kpi.corridors", dashboard.kpi.corridors),
        locks=_cut(dashboard, "strategy_locks.active", dashboard.strategy_locks.active),
        licences=_cut(dashboard, "firearms.active_licences", dashboard.firearms.active_licences),
        preferences=_cut(dashboard, "training_prefs", dashboard.training_prefs),
        pages=_cut(dashboard, "analytics.page_seo", dashboard.analytics.page_seo),
        base=base,
    )


def _cut(dashboard: Dashboard, name: str, records: Sequence[Record]) -> Cut[Record]:
    info = dashboard.lists.get(name)
    newest_first = list(reversed(records))[:MOST_ROWS]
    return Cut(newest_first, max(info.total if info else 0, len(records)))

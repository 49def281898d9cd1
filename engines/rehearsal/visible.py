"""What the dashboard must show of each section once a rehearsal has set it up. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from engines.rehearsal.claims import Section
from engines.rehearsal.watching import Dashboard, Shown

SURFACE = "squared"
PROVIDER, BLOCKED = "openai", "azure"
COST = "0.10"
KPI, METRIC = "orders", "clicks"
MEASUREMENT = "G-REHEARSAL"


def shown_of(made: Mapping[str, str]) -> dict[Section, Shown]:
    """A check per section; ``made`` grows during the walk and holds the ids of what was made.

    The time of the newest event is compared as text, as the dashboard writes it: UTC in one form.
    """
    return {
        "strategy_locks": lambda d: made.get("lock") in _ids(d["strategy_locks"]["active"]),
        "temperature": _temperature,
        "kpi": _kpi,
        "budget": _budget,
        "firearms": lambda d: made.get("licence") in _ids(d["firearms"]["active_licences"]),
        "analytics": _analytics,
        "training_prefs": lambda d: sorted(p["opt_out"] for p in d["training_prefs"]) == [False, True],
        "kill_switch": lambda d: (d["kill_switch"] or {}).get("disable_providers") == [BLOCKED],
        "events": lambda d: (d["event_sink"]["last_write_at"] or "") > made.get("write before", ""),
    }


def state_of(dashboard: Dashboard) -> dict[str, Any]:
    """All of a dashboard that only a write of the tenant changes."""
    names = ("temperature", "budget", "cogs", "kpi", "strategy_locks", "firearms", "analytics")
    kept = {name: dashboard[name] for name in (*names, "training_prefs", "kill_switch")}
    return kept | {"last_write_at": dashboard["event_sink"]["last_write_at"]}


def statuses_of(dashboard: Dashboard) -> dict[str, tuple[str, datetime | None]]:
    """Status and newest record of each section; none on a dashboard that says nothing of freshness."""
    records = dashboard.get("freshness", {}).items()
    return {name: (record["status"], record["last_updated_at"]) for name, record in records}


def is_empty(dashboard: Dashboard) -> bool:
    """Whether a dashboard shows nothing of a tenant: no record, no preference, no usage, no event."""
    state = state_of(dashboard)
    nothing = not state["training_prefs"] and not state["last_write_at"] and not _ids_in(state)
    return nothing and (state["budget"]["by_provider"] or {}).get("total_events", 0) == 0


def _ids_in(value: Any) -> bool:
    """Whether there is a record anywhere in it: what has an id."""
    if isinstance(value, Mapping):
        return bool(value.get("id")) or any(map(_ids_in, value.values()))
    return isinstance(value, list) and any(map(_ids_in, value))


def _ids(records: list[dict[str, Any]]) -> set[str]:
    return {record["id"] for record in records}


def _temperature(dashboard: Dashboard) -> bool:
    section = dashboard["temperature"]
    return section["current"] is not None and None not in section["config"].values()


def _kpi(dashboard: Dashboard) -> bool:
    section = dashboard["kpi"]
    named = [one["name"] for one in section["definitions"]], [one["kpi_name"] for one in section["corridors"]]
    return named == ([KPI], [KPI])


def _budget(dashboard: Dashboard) -> bool:
    summary = dashboard["budget"]["by_provider"] or {}
    return bool(summary.get("grouped") == {PROVIDER: {"cost": float(COST), "count": 1}})


def _analytics(dashboard: Dashboard) -> bool:
    section = dashboard["analytics"]
    config, arrivals = section["effective_config"] or {}, section.get("events", {})
    is_set = config.get("ga4_measurement_id") == MEASUREMENT and len(section["page_seo"]) == 1
    return bool(is_set and all(arrivals.values()))

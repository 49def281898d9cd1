"""One tile per section: status, age, limit, source, reason and, where something is due, what to do. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from engines.bossman.freshness import Freshness, Reason, Section
from engines.bossman.models import Dashboard
from engines.bossman.pages.verdict import CLOCKS, DOCTOR, NAMES, Level
from engines.bossman.pages.words import curl, limits

REASONS: dict[Reason, str] = {
    "within_slo": "in time",
    "over_warn": "older than its first limit",
    "over_error": "older than its last limit",
    "no_records": "read, and nothing is there",
    "future_timestamp": "the newest record lies in the future",
    "read_timeout": "the source did not answer in time",
    "read_error": "the source could not be read",
    "read_denied": "the credentials may not read the source",
    "expired_reading": "what was read is too old to say anything",
    "clock_skew": "clocks differ, so what it sums, filters or ages by time cannot be believed",
}

CURES: dict[Reason, str] = {
    "future_timestamp": CLOCKS,
    "read_timeout": DOCTOR,
    "read_error": DOCTOR,
    "read_denied": DOCTOR,
    "expired_reading": DOCTOR,
    "clock_skew": CLOCKS,
}

Call = tuple[str, str, dict[str, Any] | None]


@dataclass(frozen=True)
class Tile:
    """What a section says of itself. ``hint`` and ``command``: what to do, None when nothing is due."""

    name: Section
    title: str
    level: Level
    word: str
    reason: str
    updated_at: datetime | None
    age_seconds: float | None
    limit: str
    source: str
    hint: str | None = None
    command: str | None = None


def tiles(dashboard: Dashboard, base: str) -> list[Tile]:
    """The nine tiles in the order of NAMES."""
    return [_tile(dashboard, name, base) for name in NAMES]


def first_event(dashboard: Dashboard, base: str) -> str:
    """The command that sends one event."""
    return _command(dashboard, "events", base)


def _tile(dashboard: Dashboard, name: Section, base: str) -> Tile:
    record = dashboard.freshness[name]
    discarded = name == "events" and dashboard.event_sink.status == "off"
    hint, command = (None, None) if discarded else _advice(dashboard, name, record, base)
    return Tile(
        name=name,
        title=NAMES[name],
        level="off" if discarded else record.status,
        word="off" if discarded else record.status,
        reason="events are discarded, so nothing can be said" if discarded else REASONS[record.reason],
        updated_at=record.last_updated_at,
        age_seconds=record.age_seconds,
        limit=limits(record.warn_after_seconds, record.error_after_seconds),
        source=record.source,
        hint=hint,
        command=command,
    )


def _advice(
    dashboard: Dashboard, name: Section, record: Freshness, base: str
) -> tuple[str | None, str | None]:
    if record.status == "unknown":
        return "Find the cause:", CURES[record.reason]
    if record.status == "fresh":
        return None, None
    if record.status == "never" and record.error_after_seconds is None:
        return "Nothing is due. To add one:", _command(dashboard, name, base)
    return ("To start:" if record.status == "never" else "To renew:"), _command(dashboard, name, base)


def _command(dashboard: Dashboard, name: Section, base: str) -> str:
    method, path, body = CALLS[name](dashboard)
    return curl(base, method, path, dashboard.tenant_id, dashboard.env, body)


def _own(dashboard: Dashboard, **more: Any) -> dict[str, Any]:
    scope = {"tenant_id": dashboard.tenant_id, "env": dashboard.env, "surface": dashboard.surface}
    return scope | more


CALLS: dict[Section, Callable[[Dashboard], Call]] = {
    "events": lambda d: ("POST", "/analytics/events/pageview", {"surface": d.surface}),
    "temperature": lambda d: (
        "GET",
        f"/temperature/current?surface={quote(d.surface, safe='', errors='replace')}",
        None,
    ),
    "budget": lambda d: ("POST", "/budget/usage", _own(d, provider="openai", cost="0.10")),
    "kpi": lambda d: ("POST", "/kpi/definitions", _own(d, name="orders")),
    "strategy_locks": lambda d: (
        "POST",
        "/strategy-locks",
        {"scope": "other", "title": "set-up", "surface": d.surface, "allowed_actions": ["*"]},
    ),
    "firearms": lambda d: (
        "POST",
        "/firearms/licences",
        {"tenant_id": d.tenant_id, "env": d.env, "subject_type": "agent", "subject_id": "a1"},
    ),
    "training_prefs": lambda _: ("POST", "/privacy/train-prefs/tenant", {"opt_out": True}),
    "kill_switch": lambda _: ("PUT", "/kill-switches", {"disable_providers": ["azure"]}),
    "analytics": lambda d: ("POST", "/analytics/events/pageview", {"surface": d.surface}),
}
"""The call that makes a record of each section."""

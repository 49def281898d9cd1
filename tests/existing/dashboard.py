"""The 13 keys of the existing tenant dashboard, in their order, and no other."""

from datetime import UTC, datetime
from typing import Any

from .identity import Caller
from .records import Record, Records

DANGEROUS = {"dangerous_tool_use": "medium", "agent_autonomy_high": "high", "publish_sensitive": "high"}
COGS_DAYS = 30


def dashboard(records: Records, who: Caller, surface: str, window_days: int, backend: str) -> Record:
    """GET /bossman/tenant-dashboard as the existing engines answer it."""
    of_surface = {"surface": surface}
    usage = records.of("usage", who, **of_surface)
    switch = records.of("switch", who)
    return {
        "tenant_id": who.tenant,
        "env": who.env,
        "surface": surface,
        "temperature": _temperature(records, who, surface),
        "budget": {
            "by_provider": summary(usage, "provider", window_days),
            "by_model": summary(usage, "model_or_plan_id", window_days),
            "by_tool_type": summary(usage, "tool_type", window_days),
        },
        "cogs": _cogs(records.of("usage", who)),
        "kpi": {
            "definitions": records.of("definitions", who, **of_surface),
            "corridors": records.of("corridors", who, **of_surface),
        },
        "strategy_locks": _locks(records.of("locks", who)),
        "firearms": {
            "active_licences": records.of("licences", who, status="active"),
            "dangerous_actions": DANGEROUS,
        },
        "analytics": {
            "effective_config": _effective(records.of("configs", who, **of_surface)),
            "page_seo": records.of("pages", who),
        },
        "event_sink": {"backend": backend, "last_write_at": None, "backend_class": backend},
        "training_prefs": [],
        "kill_switch": switch[0] if switch else None,
    }


def summary(usage: list[Record], group_by: str, window_days: int) -> Record:
    """Sums of usage by one field."""
    grouped: dict[str, dict[str, Any]] = {}
    for one in usage:
        group = grouped.setdefault(one[group_by] or "unknown", {"cost": 0.0, "count": 0})
        group["cost"] += float(one["cost"])
        group["count"] += 1
    total = sum(group["cost"] for group in grouped.values())
    return {"window_days": window_days, "total_cost": total, "total_events": len(usage), "grouped": grouped}


def _temperature(records: Records, who: Caller, surface: str) -> Record:
    recent = records.of("snapshots", who, surface=surface)[:5]
    config = {name: records.of(name, who, surface=surface) for name in ("floors", "ceilings", "weights")}
    return {
        "surface": surface,
        "current": recent[0] if recent else None,
        "recent": recent,
        "config": {name: found[0] if found else None for name, found in config.items()},
    }


def _cogs(usage: list[Record]) -> Record:
    by_provider = summary(usage, "provider", COGS_DAYS)
    providers: dict[str, Record] = {
        name: {"credits_usd": None, "spend_usd": group["cost"], "estimated_remaining": None}
        for name, group in by_provider["grouped"].items()
    }
    nothing = {
        "credits_usd": None,
        "spend_usd": 0.0,
        "estimated_remaining": None,
        "note": "azure_not_configured",
    }
    providers.setdefault("azure", nothing)
    by_model = summary(usage, "model_or_plan_id", COGS_DAYS)
    return {"providers": providers, "provider_summary": by_provider, "model_summary": by_model}


def _locks(locks: list[Record]) -> Record:
    now = datetime.now(UTC).isoformat()
    approved = [one for one in locks if one["status"] == "approved" and one["valid_from"] <= now]
    recent = sorted(locks, key=lambda one: str(one["updated_at"]), reverse=True)
    return {"active": approved, "recent": recent[:10]}


def _effective(found: list[Record]) -> Record | None:
    if not found:
        return None
    kept = {name: found[0][name] for name in found[0] if name not in ("id", "created_at", "updated_at")}
    return kept | {"source": "tenant"}

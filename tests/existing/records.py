"""What the tenants set: records in memory, with the fields of the existing engines in their order."""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from fastapi import HTTPException

from .identity import Caller

Record = dict[str, Any]

FIELDS: dict[str, Record] = {
    "floors": {"surface": None, "performance_floors": {}, "cadence_floors": {}, "metadata": {}},
    "ceilings": {"surface": None, "ceilings": {}, "metadata": {}},
    "weights": {"surface": None, "weights": {}, "source": "system_default"},
    "definitions": {"surface": None, "name": None, "description": None, "unit": None},
    "corridors": {
        "surface": None,
        "kpi_name": None,
        "floor": None,
        "ceiling": None,
        "cadence_floor": None,
        "cadence_ceiling": None,
    },
    "usage": {"surface": None, "tool_type": None, "provider": None, "model_or_plan_id": None, "cost": "0"},
    "licences": {
        "subject_type": None,
        "subject_id": None,
        "scope": None,
        "level": "low",
        "status": "active",
        "issued_by": None,
        "expires_at": None,
        "metadata": {},
    },
    "configs": {
        "surface": None,
        "ga4_measurement_id": None,
        "ga4_api_secret_slot": None,
        "meta_pixel_id": None,
        "tiktok_pixel_id": None,
        "snap_pixel_id": None,
        "extra": {},
    },
    "pages": {
        "surface": None,
        "page_type": None,
        "title": None,
        "description": None,
        "og_title": None,
        "og_description": None,
        "og_image_url": None,
        "canonical_url": None,
    },
    "switch": {"disable_providers": [], "disable_autonomy": False, "disabled_actions": []},
    "locks": {
        "surface": None,
        "scope": None,
        "title": None,
        "description": None,
        "constraints": {},
        "allowed_actions": [],
        "three_wise_id": None,
        "created_by_user_id": None,
        "approved_by_user_id": None,
        "status": "draft",
        "valid_from": None,
        "valid_until": None,
    },
}
REQUIRED = {"pages": ("tenant_id", "env"), "floors": ("surface",), "usage": ("provider",)}
ONE_EACH = {
    "floors": "surface",
    "ceilings": "surface",
    "weights": "surface",
    "configs": "surface",
    "switch": "",
}
"""Kinds of which there is one for each value of a field, or one in all."""

PATTERNS = {
    "email": re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}"),
    "phone": re.compile(r"\+?\d[\d\s().-]{7,}\d"),
    "card": re.compile(r"\b(?:\d[ -]*){13,16}\b"),
    "postal": re.compile(r"\b\d{5}(?:-\d{4})?\b"),
}


@dataclass
class Records:
    """All records of the process, by kind, tenant and env."""

    kept: dict[tuple[str, str, str], list[Record]] = field(default_factory=lambda: defaultdict(list))

    def of(self, kind: str, who: Caller, **equal: Any) -> list[Record]:
        """Those of a tenant and env, in the order in which they came."""
        found = self.kept[kind, who.tenant, who.env]
        return [one for one in found if all(one[name] == value for name, value in equal.items())]

    def keep(self, kind: str, who: Caller, body: Record) -> Record:
        """Store one record, with the fields that a body leaves out."""
        if any(name not in body for name in REQUIRED.get(kind, ())):
            raise HTTPException(422, [{"type": "missing", "loc": ["body"], "msg": "Field required"}])
        now = datetime.now(UTC).isoformat()
        made = {"id": body.get("id") or uuid4().hex, "tenant_id": who.tenant, "env": who.env}
        made |= {name: body.get(name, default) for name, default in FIELDS[kind].items()}
        made |= {"created_at": now, "updated_at": now}
        found = self.kept[kind, who.tenant, who.env]
        if kind in ONE_EACH:
            same = ONE_EACH[kind]
            found[:] = [one for one in found if same and one[same] != made[same]]
        found.append(made)
        return made

    def gate(self, who: Caller, action: str) -> None:
        """Raise 409 unless an approved lock allows the action."""
        for lock in self.of("locks", who, status="approved"):
            if {"*", action} & {*lock["allowed_actions"]}:
                return
        raise HTTPException(409, {"error": "strategy_lock_required", "action": action})

    def snapshot(self, who: Caller, surface: str, window_days: int) -> Record:
        """A temperature, computed and stored. The default adapter has no metrics, so the value is 0."""
        now = datetime.now(UTC)
        floors = [
            name for one in self.of("floors", who, surface=surface) for name in one["performance_floors"]
        ]
        made = {
            "id": uuid4().hex,
            "tenant_id": who.tenant,
            "env": who.env,
            "surface": surface,
            "value": 0.0,
            "window_start": (now - timedelta(days=window_days)).isoformat(),
            "window_end": now.isoformat(),
            "floors_breached": floors,
            "ceilings_breached": [],
            "raw_metrics": {},
            "source": "in_memory",
            "usage_window_days": window_days,
            "kpi_corridors_used": [one["kpi_name"] for one in self.of("corridors", who, surface=surface)],
            "created_at": now.isoformat(),
        }
        self.kept["snapshots", who.tenant, who.env].insert(0, made)
        return made


def flags_of(body: Record) -> list[str]:
    """Labels of what is found in the top-level texts of a body and of its metadata."""
    values = [*body.values(), *body.get("metadata", {}).values()]
    text = " ".join(value for value in values if isinstance(value, str))
    return [label for label, pattern in PATTERNS.items() if pattern.search(text)]

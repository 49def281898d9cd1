"""What an attacker can ask of every mounted route, and the tenant that must not notice."""

import re
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from engines.app import create_app
from tests.support.app import settings
from tests.support.callers import Caller
from tests.support.routes import PUBLIC, TOKEN_ONLY, Mounted, mounted_routes

SURFACE = "squared"

BODIES: dict[str, dict[str, Any]] = {
    "POST /auth/signup": {"email": "{email}", "password": "guess", "tenant_name": "x", "id": "{user_id}"},
    "POST /auth/login": {"email": "{email}", "password": "guess"},
    "POST /privacy/train-prefs/tenant": {"opt_out": False, "user_id": "{user_id}"},
    "POST /privacy/train-prefs/user": {"opt_out": False, "user_id": "{user_id}"},
    "POST /strategy-locks": {"scope": "other", "title": "x", "id": "{lock_id}", "allowed_actions": ["*"]},
    "PATCH /strategy-locks/{lock_id}": {"title": "taken over", "allowed_actions": ["*"]},
    "POST /firearms/licences": {"subject_type": "agent", "subject_id": "{subject_id}", "id": "{licence_id}"},
    "PUT /temperature/floors": {"surface": SURFACE, "performance_floors": {"a": 9}, "id": "{floors_id}"},
    "PUT /temperature/ceilings": {"surface": SURFACE, "ceilings": {"a": 9}, "id": "{ceilings_id}"},
    "PUT /temperature/weights": {"surface": SURFACE, "weights": {"a": 9}, "id": "{weights_id}"},
    "POST /kpi/definitions": {"name": "taken over", "surface": SURFACE, "id": "{definition_id}"},
    "PUT /kpi/corridors": {"kpi_name": "taken over", "surface": SURFACE, "id": "{corridor_id}"},
    "POST /budget/usage": {"provider": "p", "surface": SURFACE, "cost": "99", "id": "{usage_id}"},
    "PUT /kill-switches": {"disable_providers": ["taken over"], "id": "{kill_switch_id}"},
    "POST /analytics/events/pageview": {"surface": SURFACE, "id": "{user_id}"},
    "POST /analytics/events/cta-click": {"surface": SURFACE, "id": "{user_id}"},
    "PUT /tenants/{tenant_id}/analytics/config": {"surface": SURFACE, "id": "{config_id}"},
    "PUT /seo/pages": {
        "surface": SURFACE,
        "page_type": "home",
        "title": "taken over",
        "description": "x",
        "id": "{page_id}",
    },
}
"""A body for each route that takes one; tenant and env are added, {names} are the victim's ids."""

PLAIN_QUERY = {"window_days", "limit", "offset", "status", "level", "scope", "group_by", "tenant_id", "env"}
"""Query parameters that name nothing of a tenant, or that the attacks set on their own."""

PLAIN_VALUES = {"action": "dangerous_tool_use", "state": "complete", "search": "t_", "cursor": "0"}

VIEWER_MAY = {
    "POST /strategy-locks",
    "POST /budget/usage",
    "POST /analytics/events/pageview",
    "POST /analytics/events/cta-click",
    "POST /firearms/licences/dangerous-demo/{subject_type}/{subject_id}",
}
"""Writes that every member may do."""

VIEWER_MAY_NOT_READ = {"GET /kill-switches", "GET /bossman/tenant-dashboard"}

BODY_TENANT_IS_IGNORED = {
    "POST /strategy-locks",
    "PATCH /strategy-locks/{lock_id}",
    "PUT /kill-switches",
    "POST /analytics/events/pageview",
    "POST /analytics/events/cta-click",
}

ROUTES = mounted_routes()
SCOPED = [route for route in ROUTES if route.path not in PUBLIC | TOKEN_ONLY]


def _query_names() -> dict[str, list[str]]:
    paths = create_app(settings()).openapi()["paths"]
    return {
        f"{method.upper()} {path}": [p["name"] for p in operation.get("parameters", []) if p["in"] == "query"]
        for path, operations in paths.items()
        for method, operation in operations.items()
    }


QUERY_NAMES = _query_names()


@dataclass(frozen=True)
class Victim:
    """A tenant full of records whose texts hold ``marker``, and the ids that an attacker may know."""

    owner: Caller
    marker: str
    known: dict[str, str]

    def path(self, route: Mounted, **other: str) -> str:
        """The route's path and query with the victim's ids. KeyError for an id that is not known here."""
        names = [name for name in QUERY_NAMES[str(route)] if name not in PLAIN_QUERY]
        values = self.known | PLAIN_VALUES | other
        asked = {name: values[name] for name in names}
        if "env" in route.query:
            asked["env"] = route.query["env"]
        query = "&".join(f"{name}={value}" for name, value in asked.items())
        return route.path.format_map(values) + (f"?{query}" if query else "")

    def body(self, route: Mounted) -> dict[str, Any] | None:
        """A body with the victim's ids, None for a route that takes none. KeyError for an unknown route."""
        return _filled(BODIES[str(route)], self.known) if route.has_body else None

    async def state(self) -> list[Any]:
        """All that the victim's owner can see of dev, without the time of looking."""
        seen = [await self.owner.get(path) for path in self._views()]
        return [_without_moments(await self.owner.dashboard(f"?surface={SURFACE}")), *seen]

    def _views(self) -> list[str]:
        config = f"/tenants/{self.owner.tenant_id}/analytics/config"
        return [
            "/privacy/train-prefs",
            "/strategy-locks",
            "/firearms/licences",
            f"/temperature/config?surface={SURFACE}",
            f"/temperature/history?surface={SURFACE}",
            "/kpi/config",
            "/budget/usage",
            "/budget/usage/summary",
            "/kill-switches",
            "/seo/pages",
            config,
        ]


async def settle(http: httpx.AsyncClient) -> Victim:
    """Sign up a tenant and fill every kind of record."""
    marker = f"marker{uuid4().hex}"
    email = f"{uuid4().hex}@example.com"
    person = {"email": email, "password": marker, "display_name": marker, "tenant_name": marker}
    answer = (await http.post("/auth/signup", json=person)).raise_for_status().json()
    tenant_id, user_id = answer["tenant"]["id"], answer["user"]["id"]
    owner = Caller(http, tenant_id, user_id, answer["access_token"])
    lock = await owner.approved("*", title=marker, description=marker, constraints={marker: marker})
    known = {"tenant_id": tenant_id, "user_id": user_id, "email": email, "lock_id": lock["id"]}
    known |= {"subject_type": "agent", "subject_id": "a1", "surface": SURFACE, "page_type": "home"}
    known |= {"provider": "p", "model_or_plan_id": "m", "tool_type": "chat"}
    known |= await _records(owner, marker)
    return Victim(owner, marker, known)


async def _records(owner: Caller, marker: str) -> dict[str, str]:
    here = owner.scoped(surface=SURFACE, metadata={"note": marker})
    licence = {"subject_type": "agent", "subject_id": "a1", "level": "high", "issued_by": marker}
    page = {"page_type": "home", "title": marker, "description": marker}
    usage = {"provider": "p", "model_or_plan_id": "m", "tool_type": "chat", "tool_id": marker, "cost": "7"}
    config = f"/tenants/{owner.tenant_id}/analytics/config"
    made = {
        "licence_id": await owner.post("/firearms/licences", here | licence),
        "floors_id": await owner.put("/temperature/floors", here | {"cadence_floors": {marker: 1}}),
        "ceilings_id": await owner.put("/temperature/ceilings", here | {"ceilings": {marker: 1}}),
        "weights_id": await owner.put("/temperature/weights", here | {"weights": {marker: 1}}),
        "definition_id": await owner.post("/kpi/definitions", here | {"name": marker}),
        "corridor_id": await owner.put("/kpi/corridors", here | {"kpi_name": marker}),
        "kill_switch_id": await owner.put("/kill-switches", {"disabled_actions": [marker]}),
        "config_id": await owner.put(config, here | {"extra": {marker: marker}}),
        "page_id": await owner.put("/seo/pages", here | page),
        "usage_id": (await owner.post("/budget/usage", here | usage))["items"][0],
        "snapshot_id": await owner.get(f"/temperature/current?surface={SURFACE}"),
    }
    await owner.post("/privacy/train-prefs/tenant", {"opt_out": True})
    await owner.post("/privacy/train-prefs/user", {"opt_out": True, "user_id": owner.user_id})
    await owner.post("/analytics/events/pageview", here)
    return {name: record["id"] for name, record in made.items()}


def _filled(value: Any, known: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(inner, known) for name, inner in value.items()}
    if isinstance(value, str) and re.fullmatch(r"\{\w+\}", value):
        return value.format_map(known)
    return value


def _without_moments(dashboard: dict[str, Any]) -> dict[str, Any]:
    """The dashboard without what looking itself changes: the time, ages and the process's own health."""
    kept = {name: value for name, value in dashboard.items() if name not in ("generated_at", "health")}
    updated = {name: record["last_updated_at"] for name, record in dashboard["freshness"].items()}
    sink = {"last_write_at": dashboard["event_sink"]["last_write_at"]}
    return kept | {"freshness": updated, "event_sink": sink}

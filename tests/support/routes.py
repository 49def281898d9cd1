"""The mounted routes, taken from the app itself, so that no test can forget a new one."""

import re
from dataclasses import dataclass
from typing import Any

from fastapi.routing import APIRoute, iter_route_contexts

from engines.app import create_app
from tests.support.app import settings

PUBLIC = {
    "/auth/signup",
    "/auth/login",
    "/auth/bootstrap/tenants",
    "/livez",
    "/readyz",
    "/healthz",
    "/metrics",
    "/bossman/onboarding",
}
TOKEN_ONLY = {"/auth/me", "/auth/bootstrap", "/auth/refresh"}
"""Need a bearer token, but neither tenant nor env."""

BODIES: dict[str, dict[str, Any]] = {
    "/analytics/events/pageview": {"surface": "squared"},
    "/analytics/events/cta-click": {"surface": "squared"},
    "/privacy/train-prefs/tenant": {"opt_out": True},
    "/privacy/train-prefs/user": {"opt_out": True, "user_id": "u_person"},
}
"""A valid body of each non-public route that takes one."""


SCOPED = {"tenant_id": "{tenant}", "env": "dev"}
"""Stands for the caller's own tenant in a body that must name it."""

QUERIES = {
    "/temperature/config": {"surface": "squared"},
    "/temperature/current": {"surface": "squared"},
    "/temperature/history": {"surface": "squared"},
    "/tenants/{tenant_id}/analytics/config/current": {"surface": "squared", "env": "dev"},
    "/firearms/licences/check/{subject_type}/{subject_id}": {"action": "any"},
}
"""What each route needs in its query."""

EMPTY_BODY_IS_FINE = {"/strategy-locks/{lock_id}", "/kill-switches"}
NEEDS_A_PAYLOAD = {"/tenants/{tenant_id}/analytics/config"}
"""Answers 400 instead of 422 when there is no payload."""

BODIES |= {
    "/strategy-locks": {"scope": "campaign", "title": "a lock"},
    "/strategy-locks/{lock_id}": {"title": "another title"},
    "/firearms/licences": SCOPED | {"subject_type": "agent", "subject_id": "a"},
    "/temperature/floors": SCOPED | {"surface": "squared"},
    "/temperature/ceilings": SCOPED | {"surface": "squared"},
    "/temperature/weights": SCOPED | {"surface": "squared"},
    "/kpi/definitions": SCOPED | {"name": "orders"},
    "/kpi/corridors": SCOPED | {"kpi_name": "orders"},
    "/budget/usage": SCOPED | {"provider": "openai"},
    "/kill-switches": {"disable_providers": ["openai"]},
    "/tenants/{tenant_id}/analytics/config": SCOPED | {"surface": "squared"},
    "/seo/pages": SCOPED | {"surface": "squared", "page_type": "home", "title": "t", "description": "d"},
}


@dataclass(frozen=True)
class Mounted:
    """One method of one mounted route."""

    method: str
    path: str
    has_body: bool

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def query(self) -> dict[str, str]:
        """What the route needs in its query."""
        return QUERIES.get(self.path, {})

    def body_of(self, tenant: str) -> dict[str, Any] | None:
        """A valid body of the tenant, None for a route that takes none."""
        if not self.has_body:
            return None
        return {name: tenant if value == "{tenant}" else value for name, value in BODIES[self.path].items()}

    def path_of(self, tenant: str) -> str:
        """The path of a record that does not exist in the tenant."""
        return re.sub(r"\{\w+\}", "none", self.path.replace("{tenant_id}", tenant or "t_none"))


def mounted_routes() -> list[Mounted]:
    """Every method of every API route of the app."""
    found = []
    for context in iter_route_contexts(create_app(settings()).routes):
        route = context.original_route
        if isinstance(route, APIRoute):
            has_body = route.body_field is not None
            found += [Mounted(method, str(context.path), has_body) for method in sorted(route.methods or ())]
    return found


WITH_TOKEN = [route for route in mounted_routes() if route.path not in PUBLIC]
WITH_TENANT = [route for route in WITH_TOKEN if route.path not in TOKEN_ONLY]

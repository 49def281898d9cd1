"""The mounted routes, taken from the app itself, so that no test can forget a new one."""

from dataclasses import dataclass
from typing import Any

from fastapi.routing import APIRoute, iter_route_contexts

from engines.app import create_app
from tests.support.app import settings

PUBLIC = {"/auth/signup", "/auth/login", "/auth/bootstrap/tenants", "/livez", "/readyz", "/healthz"}
TOKEN_ONLY = {"/auth/me", "/auth/bootstrap", "/auth/refresh"}
"""Need a bearer token, but neither tenant nor env."""

BODIES: dict[str, dict[str, Any]] = {
    "/analytics/events/pageview": {"surface": "squared"},
    "/analytics/events/cta-click": {"surface": "squared"},
    "/privacy/train-prefs/tenant": {"opt_out": True},
    "/privacy/train-prefs/user": {"opt_out": True, "user_id": "u_person"},
}
"""A valid body of each non-public route that takes one."""


@dataclass(frozen=True)
class Mounted:
    """One method of one mounted route."""

    method: str
    path: str
    has_body: bool

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def body(self) -> dict[str, Any] | None:
        """A valid body, None for a route that takes none."""
        return BODIES[self.path] if self.has_body else None


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

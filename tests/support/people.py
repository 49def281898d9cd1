"""People and what they do over HTTP on a running stack."""

import time
from typing import Any
from uuid import uuid4

import httpx

from tests.support.app import Login

PATIENCE_SECONDS = 30


def sign_up(http: httpx.Client, name: str) -> Login:
    """A new user who owns a new tenant."""
    email = f"{name}-{uuid4().hex}@example.com"
    body = {"email": email, "password": "a long password", "tenant_name": name}
    answer = http.post("/auth/signup", json=body).raise_for_status().json()
    return Login(email, answer["tenant"]["id"], answer["user"]["id"], answer["access_token"])


def pageview(http: httpx.Client, login: Login, env: str = "dev", **body: Any) -> httpx.Response:
    """Send one page view."""
    return http.post(
        "/analytics/events/pageview", json={"surface": "squared"} | body, headers=login.headers(env)
    )


def dashboard(http: httpx.Client, login: Login, env: str = "dev") -> dict[str, Any]:
    """The tenant's dashboard, which must be served."""
    answer = http.get("/bossman/tenant-dashboard", headers=login.headers(env))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def last_write_at(http: httpx.Client, login: Login, env: str = "dev") -> str | None:
    """When the newest event of the tenant and env reached the sink, as the dashboard says."""
    seen: str | None = dashboard(http, login, env)["event_sink"]["last_write_at"]
    return seen


def until_ready(http: httpx.Client, status: int = 200) -> None:
    """Wait until /readyz answers ``status``."""
    started = time.monotonic()
    while _ready_status(http) != status:
        assert time.monotonic() - started < PATIENCE_SECONDS, f"/readyz is not {status}"
        time.sleep(0.2)


def _ready_status(http: httpx.Client) -> int | None:
    try:
        return http.get("/readyz").status_code
    except httpx.HTTPError:
        return None

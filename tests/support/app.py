"""An app over in-memory adapters with a clock that tests move, and what signs in to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from fastapi import FastAPI

from engines.adapters import Adapters
from engines.app import create_app
from engines.common.errors import how_to_repeat
from engines.config.runtime_config import STATE_SELECTORS, Settings
from engines.nexus.backends.memory import MemorySink
from engines.nexus.delivery import Limits
from engines.services import Services
from engines.storage.memory import MemoryDocumentStore

SIGNING_SECRET = "test-signing-secret-of-more-than-32-bytes"
SYSTEM_KEY = "test-system-key"


QUICK = Limits(
    caller_seconds=0.9,
    sink_seconds=0.5,
    margin_seconds=0.05,
    floor_seconds=0.2,
    drain_seconds=0.4,
    flush_seconds=1.0,
)
"""A sink that fails in a test is given up soon, yet a busy machine has time for one that works."""


WITHOUT_KEY = how_to_repeat(has_key=False)
UNKNOWN_OUTCOME = {"outcome": "unknown", "repeat": WITHOUT_KEY}
"""What a 503 of a route that creates says besides, to a request without an Idempotency-Key."""


NEVER = 1e6
"""Seconds between rounds of reconciliation: tests carry them out themselves."""


class MovableClock:
    """Stands still until moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()

    def advance(self, **kwargs: float) -> None:
        self.now += timedelta(**kwargs)


@dataclass
class Login:
    """A signed-up user and the tenant it owns."""

    email: str
    tenant_id: str
    user_id: str
    token: str

    def headers(self, env: str = "dev", **more: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "X-Tenant-Id": self.tenant_id, "X-Env": env} | more


async def sign_up(client: httpx.AsyncClient, name: str) -> Login:
    """A new user who owns a new tenant called ``name``."""
    email = f"{name}@example.com"
    body = {"email": email, "password": f"password of {name}", "tenant_name": name}
    answer = (await client.post("/auth/signup", json=body)).raise_for_status().json()
    return Login(email, answer["tenant"]["id"], answer["user"]["id"], answer["access_token"])


def settings(**values: Any) -> Settings:
    """Settings from ``values`` alone, by variable name; the environment of the test run is not consulted."""
    defaults = {
        "ENV": "dev",
        "NEXUS_BACKEND": "noop",
        "AUTH_JWT_SIGNING": SIGNING_SECRET,
        "SYSTEM_BOOTSTRAP_KEY": SYSTEM_KEY,
    }
    return Settings(**(defaults | values))


@dataclass
class MemoryKit:
    """The parts of an in-memory app that tests reach into."""

    clock: MovableClock = field(default_factory=MovableClock)
    sink: Any = field(default_factory=MemorySink)
    store: Any = None
    outbox: Any = None
    letters: Any = None
    stand_in: Any = None
    client: httpx.AsyncClient = field(init=False)
    services: Services = field(init=False)

    def __post_init__(self) -> None:
        self.store = self.store or MemoryDocumentStore(self.clock)

    def adapters(self) -> Adapters:
        state = dict.fromkeys(STATE_SELECTORS, self.store)
        return Adapters(
            state,
            self.sink,
            self.clock,
            self.outbox,
            self.letters,
            QUICK,
            self.stand_in,
            NEVER,
            self.clock.seconds,
        )


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of ``app`` while it runs. An exception inside the app fails the test: never a bare 500."""
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield client


@asynccontextmanager
async def running(kit: MemoryKit, **values: Any) -> AsyncIterator[MemoryKit]:
    """Run the app of ``kit`` with Settings from ``values``."""
    app = create_app(settings(**values), kit.adapters())
    async with serving(app) as client:
        kit.client = client
        kit.services = app.state.services
        yield kit


async def send_pageview(
    client: httpx.AsyncClient, login: Login, env: str = "dev", **body: Any
) -> httpx.Response:
    """Send one page view of the tenant."""
    return await client.post(
        "/analytics/events/pageview", json={"surface": "squared"} | body, headers=login.headers(env)
    )


async def dashboard(client: httpx.AsyncClient, login: Login, env: str = "dev") -> dict[str, Any]:
    """The tenant's dashboard, which must be served."""
    answer = await client.get("/bossman/tenant-dashboard", headers=login.headers(env))
    found: dict[str, Any] = answer.raise_for_status().json()
    return found

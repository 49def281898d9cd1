"""The composition root: builds everything from Settings. The only module that knows every adapter."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from fastapi import FastAPI

from engines.analytics import routes as analytics_routes
from engines.analytics.service import AnalyticsService
from engines.bossman import routes as bossman_routes
from engines.bossman.dashboard import DashboardReads
from engines.bossman.health import HealthChecks, SharedProbe
from engines.common.body_limit import BodyLimit
from engines.common.clock import Clock, utc_now
from engines.common.documents import DocumentStore
from engines.common.errors import install_error_handlers
from engines.config.runtime_config import Settings, StateSelector
from engines.identity import routes as identity_routes
from engines.identity.service import IdentityService
from engines.identity.tokens import Tokens
from engines.logging.audit import Audit
from engines.logging.event_log import EventLog
from engines.logging.events import EventPipeline
from engines.nexus.backends import get_backend
from engines.nexus.backends.delivery import Delivery
from engines.nexus.backends.sink import EventSink
from engines.privacy import routes as privacy_routes
from engines.privacy.service import PrivacyService
from engines.storage.firestore import FirestoreDocumentStore
from engines.storage.firestore_client import close_client, open_client
from engines.storage.memory import MemoryDocumentStore


@dataclass(frozen=True)
class Adapters:
    """What the process talks to. Tests hand in their own."""

    state: Mapping[StateSelector, DocumentStore]
    sink: EventSink
    clock: Clock = utc_now

    @property
    def stores(self) -> dict[str, DocumentStore]:
        """The distinct stores by source."""
        return {store.source: store for store in self.state.values()}


@dataclass(frozen=True)
class Services:
    """The services of one process, held in ``app.state.services``."""

    settings: Settings
    tokens: Tokens
    identity: IdentityService
    privacy: PrivacyService
    analytics: AnalyticsService
    audit: Audit
    event_log: EventLog
    dashboard: DashboardReads = field(repr=False)


def create_app(settings: Settings, adapters: Adapters | None = None) -> FastAPI:
    """The ASGI app. What it opens itself it closes; ``adapters`` passed in stay the caller's."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            app.state.services = build_services(settings, adapters or open_adapters(settings, stack))
            yield

    app = FastAPI(title="Northstar engines", version="0.1.0", lifespan=lifespan)
    app.add_middleware(BodyLimit)
    install_error_handlers(app)
    for routes in (identity_routes, privacy_routes, analytics_routes, bossman_routes):
        app.include_router(routes.router)
    return app


def open_adapters(settings: Settings, stack: AsyncExitStack) -> Adapters:
    """Open what the settings ask for; ``stack`` closes it."""
    client = None
    if settings.needs_firestore:
        client = open_client(settings.gcp_project or "", settings.firestore_emulator_host)
        stack.push_async_callback(close_client, client)
    memory = MemoryDocumentStore()
    durable = FirestoreDocumentStore(client) if client else memory

    sink = get_backend(settings, client)
    stack.push_async_callback(sink.close)
    asked = settings.state_backends.items()
    return Adapters({name: durable if kind == "firestore" else memory for name, kind in asked}, sink)


def build_services(settings: Settings, adapters: Adapters) -> Services:
    """Wire the services over the adapters. Opens nothing."""
    clock = adapters.clock
    tokens = Tokens(settings.auth_jwt_signing.get_secret_value())
    identity = IdentityService(adapters.state["identity"], tokens, clock)
    privacy = PrivacyService(adapters.state["privacy"])
    delivery = Delivery(adapters.sink, clock)
    pipeline = EventPipeline(privacy, delivery, clock)
    analytics = AnalyticsService(adapters.state["analytics_events"], pipeline, clock)
    description = adapters.sink.describe()
    checks = HealthChecks(
        {name: SharedProbe(store.ping, clock) for name, store in adapters.stores.items()},
        SharedProbe(adapters.sink.probe, clock),
        description.backend,
        sink_discards=description.discards,
    )
    return Services(
        settings=settings,
        tokens=tokens,
        identity=identity,
        privacy=privacy,
        analytics=analytics,
        audit=Audit(pipeline),
        event_log=EventLog(pipeline, settings.env),
        dashboard=DashboardReads(
            tenants=identity.tenants,
            preferences=privacy.preferences,
            analytics=analytics.events,
            sink=adapters.sink,
            delivery_state=lambda: delivery.state,
            health=checks,
            clock=clock,
        ),
    )

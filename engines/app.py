"""The composition root: the ASGI app over services and adapters, and what runs beside its requests."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from time import monotonic

from fastapi import FastAPI

from engines.adapters import Adapters, open_adapters
from engines.analytics import config_routes as analytics_config_routes
from engines.analytics import routes as analytics_routes
from engines.bossman import metrics_routes, onboarding_routes
from engines.bossman import routes as bossman_routes
from engines.bossman.metrics import Metrics
from engines.bossman.pages import routes as page_routes
from engines.budget import routes as budget_routes
from engines.common.body_limit import BodyLimit
from engines.common.documents import StoreError
from engines.common.errors import install_error_handlers
from engines.common.front import Front
from engines.common.guessing import Guesses, KnowsCaller
from engines.common.head import HeadAsGet
from engines.common.release import VERSION
from engines.common.request_trace import RequestTrace
from engines.common.responses import EVERYWHERE
from engines.common.security_headers import SecurityHeaders
from engines.common.turns import TakesTurns, Turns
from engines.config.runtime_config import Settings
from engines.firearms import routes as firearms_routes
from engines.identity import routes as identity_routes
from engines.identity.passwords import HashQueue
from engines.kill_switch import routes as kill_switch_routes
from engines.kpi import routes as kpi_routes
from engines.logging.audit import Audit
from engines.privacy import routes as privacy_routes
from engines.seo import routes as seo_routes
from engines.server.limits import ServerLimits
from engines.server.refusals import Refusals
from engines.services import build_services
from engines.strategy_lock import routes as strategy_lock_routes
from engines.temperature import routes as temperature_routes

ROUTES = (
    analytics_routes,
    identity_routes,
    privacy_routes,
    strategy_lock_routes,
    firearms_routes,
    temperature_routes,
    kpi_routes,
    budget_routes,
    kill_switch_routes,
    analytics_config_routes,
    seo_routes,
    bossman_routes,
    metrics_routes,
    onboarding_routes,
    page_routes,
)
"""Tried in this order for each request, so that what comes most often comes first."""

AUDIT_DRAIN_SECONDS = 5.0
"""How often audit events that wait for the sink are tried again."""


log = logging.getLogger(__name__)


def create_app(
    settings: Settings, adapters: Adapters | None = None, limits: ServerLimits | None = None
) -> FastAPI:
    """The ASGI app. What it opens itself it closes; ``adapters`` passed in stay the caller's."""

    metrics = Metrics(VERSION)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            opened = adapters or open_adapters(settings, stack)
            app.state.services = services = build_services(
                settings, opened, metrics, HashQueue(limits, refusals)
            )
            services.delivery.start()
            stack.push_async_callback(services.delivery.stop)
            services.recovery.start()
            stack.push_async_callback(services.recovery.stop)
            services.analytics.raw_records.start()
            stack.push_async_callback(services.analytics.raw_records.stop)
            stack.push_async_callback(services.milestones.close)
            stack.push_async_callback(services.arrivals.close)
            stack.push_async_callback(services.backfill.stop)
            stack.push_async_callback(services.clocks.close)
            losses = services.state_losses
            services.crash_repair.crashed()  # the process before this one may have been killed
            for work in (
                _drain_audits(services.audit, opened),
                services.clocks.run(),
                services.crash_repair.keep_repairing(),
                *([losses.run()] if losses else []),
            ):
                stack.callback(asyncio.create_task(work).cancel)
            services.reconciler.start()
            stack.push_async_callback(services.reconciler.stop)
            yield

    limits = limits or ServerLimits()
    # The framework's own pages of the API load scripts of a CDN: engines.bossman.pages serves /docs.
    app = FastAPI(
        title="Northstar engines",
        version=VERSION,
        lifespan=lifespan,
        responses=EVERYWHERE,
        docs_url=None,
        redoc_url=None,
    )
    app.state.refusals = refusals = Refusals(metrics.refused)
    app.add_middleware(HeadAsGet)
    seconds = adapters.seconds if adapters else monotonic
    app.add_middleware(KnowsCaller, guesses=Guesses(limits, refusals, seconds))
    app.add_middleware(TakesTurns, turns=Turns(limits, refusals, seconds))
    app.add_middleware(BodyLimit, limits=limits, refusals=refusals)
    app.add_middleware(Front, env=settings.env)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestTrace, observer=metrics)  # the last one added is the outermost
    install_error_handlers(app)
    for routes in ROUTES:
        app.include_router(routes.router)
    return app


async def _drain_audits(audit: Audit, adapters: Adapters) -> None:
    """Deliver waiting audit events, at the start and from time to time, as long as the process lives."""
    while True:
        for store in adapters.stores.values():
            try:
                await audit.drain(store)
            except StoreError as error:
                log.warning("the audit outbox cannot be read: %s", error)
        await asyncio.sleep(AUDIT_DRAIN_SECONDS)

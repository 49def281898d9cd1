"""The route of the metrics. Public like /healthz: it holds no tenant data."""

import logging
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from engines.bossman.metrics import Metrics
from engines.bossman.parts import Read
from engines.bossman.routes import BossmanReads
from engines.bossman.sections import DashboardReads
from engines.common.documents import StoreError
from engines.nexus.delivery import Totals

log = logging.getLogger(__name__)

router = APIRouter(tags=["health"])


async def _metrics(request: Request) -> Metrics:
    """The metrics, with what the process watches beside its probes."""
    services = request.app.state.services
    found: Metrics = services.metrics
    status = await services.stand_in.status() if services.stand_in else None
    losses = services.state_losses.open if status and services.state_losses else None
    found.state.set(status, losses, services.clocks.state, services.dashboard.clock())
    return found


@router.get("/metrics", response_class=Response)
async def metrics(reads: BossmanReads, found: Annotated[Metrics, Depends(_metrics)]) -> Response:
    """Metrics of this process in Prometheus's text format; what it reads is at most two seconds old."""
    health = await reads.health.all()
    text = found.text(health, reads.delivery.queued, await _totals(reads))
    return Response(text, media_type=CONTENT_TYPE_LATEST)


async def _totals(reads: DashboardReads) -> Totals | None:
    async def read() -> Read[Totals]:
        return Read(await reads.delivery.totals(), None)

    try:
        return (await reads.readings.get("totals", None, read)).value
    except StoreError as error:
        log.warning("outbox and dead letters cannot be counted: %s", error)
        return None

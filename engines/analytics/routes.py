"""Routes under /analytics/events."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from engines.analytics.models import AnalyticsEventType, CtaClickBody, PageviewBody
from engines.analytics.service import AnalyticsService
from engines.common.dependencies import Member
from engines.common.errors import RETRY_AFTER_SECONDS
from engines.common.identity import RequestContext
from engines.logging.events import PipelineResult

router = APIRouter(prefix="/analytics/events", tags=["analytics"])


async def _service(request: Request) -> AnalyticsService:
    service: AnalyticsService = request.app.state.services.analytics
    return service


Analytics = Annotated[AnalyticsService, Depends(_service)]

NOT_STORED: dict[int | str, dict[str, Any]] = {
    422: {
        "model": PipelineResult,
        "description": "No sink can ever store it; `error` names the place",
    },
    503: {"model": PipelineResult, "description": "The event is not stored; try again"},
}


@router.post("/pageview", response_model_exclude_none=True, responses=NOT_STORED)
async def pageview(
    body: PageviewBody, context: Member, analytics: Analytics, response: Response
) -> PipelineResult:
    """Record a page view. Accepted means durable: in the sink, or in the outbox until the sink takes it."""
    return await _record(context, "pageview", body, analytics, response)


@router.post("/cta-click", response_model_exclude_none=True, responses=NOT_STORED)
async def cta_click(
    body: CtaClickBody, context: Member, analytics: Analytics, response: Response
) -> PipelineResult:
    """Record a click on a call to action. Accepted means the same as for a page view."""
    return await _record(context, "cta_click", body, analytics, response)


async def _record(
    context: RequestContext,
    event_type: AnalyticsEventType,
    body: PageviewBody,
    analytics: AnalyticsService,
    response: Response,
) -> PipelineResult:
    result = await analytics.record(context, event_type, body)
    if result.kind == "permanent":
        response.status_code = 422
    elif result.status == "error":
        response.status_code = 503
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return result

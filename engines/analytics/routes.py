"""Routes under /analytics/events."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from engines.analytics.models import AnalyticsEventType, CtaClickBody, PageviewBody
from engines.analytics.service import AnalyticsService
from engines.common.dependencies import Member
from engines.common.errors import RETRY_AFTER_SECONDS, how_to_repeat
from engines.common.idempotency import GivenKey, IdempotencyKey
from engines.common.identity import RequestContext
from engines.common.responses import FOR_MEMBERS, Refusal, Responses
from engines.logging.events import PipelineResult

router = APIRouter(prefix="/analytics/events", tags=["analytics"], responses=FOR_MEMBERS)


async def _service(request: Request) -> AnalyticsService:
    service: AnalyticsService = request.app.state.services.analytics
    return service


Analytics = Annotated[AnalyticsService, Depends(_service)]

NOT_STORED: Responses = {
    422: {
        "model": PipelineResult | Refusal,
        "description": "No sink can ever store it; `error` names the place",
    },
    503: {
        "model": PipelineResult | Refusal,
        "description": "Nobody knows whether the event is stored; `error` says how to repeat it",
    },
}


@router.post("/pageview", response_model_exclude_none=True, responses=NOT_STORED)
async def pageview(
    body: PageviewBody, context: Member, analytics: Analytics, response: Response, key: GivenKey
) -> PipelineResult:
    """Record a page view. Accepted means durable: in the sink, or in the outbox until the sink takes it.

    Under the same Idempotency-Key it is stored once, also when an earlier answer was 503 or never came.
    """
    return await _record(context, "pageview", body, analytics, response, key)


@router.post("/cta-click", response_model_exclude_none=True, responses=NOT_STORED)
async def cta_click(
    body: CtaClickBody, context: Member, analytics: Analytics, response: Response, key: GivenKey
) -> PipelineResult:
    """Record a click on a call to action; all else is as for a page view."""
    return await _record(context, "cta_click", body, analytics, response, key)


async def _record(
    context: RequestContext,
    event_type: AnalyticsEventType,
    body: PageviewBody,
    analytics: AnalyticsService,
    response: Response,
    key: IdempotencyKey | None,
) -> PipelineResult:
    result = await analytics.record(context, event_type, body, key)
    if result.kind == "permanent":
        response.status_code = 422
    elif result.status == "error":
        response.status_code = 503
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        result.error = f"{result.error}; {how_to_repeat(has_key=key is not None)}"
    return result

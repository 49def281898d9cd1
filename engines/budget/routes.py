"""Routes under /budget/usage."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query, Request, Response
from pydantic import Discriminator, Field, Tag

from engines.budget.models import MAX_ITEMS, UsageEventBody, UsageItems
from engines.budget.service import BudgetService
from engines.budget.summary import BudgetSummary
from engines.common.dependencies import Member
from engines.common.idempotency import GivenKey
from engines.common.identity import check_body_scope
from engines.common.responses import FOR_MEMBERS, refused

router = APIRouter(prefix="/budget/usage", tags=["budget"], responses=FOR_MEMBERS)

BLOCKED = refused(403, "kill_switch_blocked, or no membership; nothing is stored")
TAKEN = refused(409, "An id is in use or occurs twice in the request; nothing is stored")
UNSUMMED = "X-Usage-Unsummed"


async def _service(request: Request) -> BudgetService:
    service: BudgetService = request.app.state.services.budget
    return service


def _one_or_many(body: object) -> str:
    return "many" if isinstance(body, list) else "one"


Budget = Annotated[BudgetService, Depends(_service)]
Window = Annotated[int, Query(ge=1, le=90, description="Days up to now, both ends included")]
Usage = Annotated[
    Annotated[UsageEventBody, Tag("one")]
    | Annotated[list[UsageEventBody], Field(max_length=MAX_ITEMS), Tag("many")],
    Discriminator(_one_or_many),
    Body(),
]


@router.post("", responses=BLOCKED | TAKEN)
async def record_usage(body: Usage, context: Member, budget: Budget, key: GivenKey) -> UsageItems:
    """Record one usage event or up to 500, all or nothing.

    An own `id` makes a repeated request safe: the second one is 409. So does an Idempotency-Key: the second
    answers what the first stored. Costs have at most 27 decimal places
    and 10^12 in size; times need a timezone and are kept in UTC.
    """
    items = body if isinstance(body, list) else [body]
    for item in items:
        check_body_scope(context, item.tenant_id, item.env)
    return UsageItems(items=await budget.record(context, items, key))


@router.get("")
async def list_usage(
    context: Member,
    budget: Budget,
    surface: str | None = None,
    provider: str | None = None,
    model_or_plan_id: str | None = None,
    tool_type: str | None = None,
    window_days: Window = 7,
    limit: Annotated[int, Query(ge=1, le=500)] = 200,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> UsageItems:
    """Usage events of the window that match every given filter exactly, oldest first."""
    asked = {
        "surface": surface,
        "provider": provider,
        "model_or_plan_id": model_or_plan_id,
        "tool_type": tool_type,
    }
    where = {name: value for name, value in asked.items() if value is not None}
    return UsageItems(items=await budget.usage(context.scope, where, window_days, offset, limit))


@router.get("/summary")
async def summarise_usage(
    context: Member,
    budget: Budget,
    response: Response,
    surface: str | None = None,
    window_days: Window = 7,
    group_by: str = "provider",
) -> BudgetSummary:
    """Exact sums of the window. An unknown `group_by` gives one group `unknown`, an empty one no groups.

    The header `X-Usage-Unsummed` counts events of the window that something else stored and that are in no
    sum; it is absent when there are none.
    """
    summary, coverage = await budget.summaries.summary(context.scope, surface, window_days, group_by)
    if coverage.unsummed:
        response.headers[UNSUMMED] = str(coverage.unsummed)
    return summary

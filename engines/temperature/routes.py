"""Routes under /temperature."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from engines.common.dependencies import CurrentAuth, CurrentContext, Member, require_role
from engines.common.errors import Forbidden
from engines.common.identity import AuthContext, RequestContext, check_body_scope
from engines.common.responses import FOR_MEMBERS, LOCKED
from engines.temperature.models import (
    CeilingBody,
    CeilingConfig,
    FloorBody,
    FloorConfig,
    SnapshotItems,
    SurfaceBody,
    SurfaceConfig,
    TemperatureSnapshot,
    TemperatureWeights,
    WeightsBody,
)
from engines.temperature.service import TemperatureService

router = APIRouter(prefix="/temperature", tags=["temperature"], responses=FOR_MEMBERS)


async def _service(request: Request) -> TemperatureService:
    service: TemperatureService = request.app.state.services.temperature
    return service


async def of_token(context: CurrentContext, auth: CurrentAuth) -> RequestContext:
    """The context, once the token names its tenant; these routes have their own words for it."""
    if context.tenant_id not in auth.tenant_ids:
        raise Forbidden("tenant mismatch")
    return context


Temperature = Annotated[TemperatureService, Depends(_service)]
TokenTenant = Annotated[RequestContext, Depends(of_token)]


@router.put("/floors", responses=LOCKED)
async def upsert_floors(
    body: FloorBody, context: CurrentContext, auth: CurrentAuth, temperature: Temperature
) -> FloorConfig:
    """Replace the surface's floors. Owner or admin; needs a strategy lock."""
    _check(body, context, auth)
    return await temperature.upsert_floors(context, body)


@router.put("/ceilings", responses=LOCKED)
async def upsert_ceilings(
    body: CeilingBody, context: CurrentContext, auth: CurrentAuth, temperature: Temperature
) -> CeilingConfig:
    """Replace the surface's ceilings. Owner or admin; needs a strategy lock."""
    _check(body, context, auth)
    return await temperature.upsert_ceilings(context, body)


@router.put("/weights", responses=LOCKED)
async def upsert_weights(
    body: WeightsBody, context: CurrentContext, auth: CurrentAuth, temperature: Temperature
) -> TemperatureWeights:
    """Replace the surface's weights. Owner or admin; needs a strategy lock."""
    _check(body, context, auth)
    return await temperature.upsert_weights(context, body)


@router.get("/config")
async def get_config(surface: str, context: Member, temperature: Temperature) -> SurfaceConfig:
    """The surface's floors, ceilings and weights; null where none are set."""
    return await temperature.config(context.scope, surface)


@router.get("/current")
async def get_current(
    surface: str,
    context: TokenTenant,
    temperature: Temperature,
    window_days: Annotated[int, Query(ge=1, le=90)] = 7,
) -> TemperatureSnapshot:
    """Compute the temperature from the window's usage. Every call stores a snapshot."""
    return await temperature.current(context.scope, surface, window_days)


@router.get("/history")
async def get_history(
    surface: str,
    context: TokenTenant,
    temperature: Temperature,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> SnapshotItems:
    """Stored snapshots of the surface, newest first."""
    return SnapshotItems(items=await temperature.history(context.scope, surface, limit, offset))


def _check(body: SurfaceBody, context: RequestContext, auth: AuthContext) -> None:
    check_body_scope(context, body.tenant_id, body.env)
    require_role(context, auth, "owner", "admin")

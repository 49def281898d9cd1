"""Routes under /kpi."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from engines.common.dependencies import CurrentAuth, CurrentContext, Member, require_role
from engines.common.idempotency import GivenKey
from engines.common.identity import check_body_scope
from engines.common.responses import FOR_MEMBERS, LOCKED
from engines.kpi.models import CorridorBody, DefinitionBody, KpiConfig, KpiCorridor, KpiDefinition
from engines.kpi.service import KpiService

router = APIRouter(prefix="/kpi", tags=["kpi"], responses=FOR_MEMBERS)


async def _service(request: Request) -> KpiService:
    service: KpiService = request.app.state.services.kpi
    return service


Kpi = Annotated[KpiService, Depends(_service)]


@router.post("/definitions")
async def upsert_definition(
    body: DefinitionBody, context: CurrentContext, auth: CurrentAuth, kpi: Kpi, key: GivenKey
) -> KpiDefinition:
    """Store a definition. Owner or admin. Without an `id` each call adds one, whatever its name.

    Under the same Idempotency-Key it adds one once.
    """
    require_role(context, auth, "owner", "admin")
    check_body_scope(context, body.tenant_id, body.env)
    return await kpi.upsert_definition(context, body, key)


@router.get("/definitions")
async def list_definitions(context: Member, kpi: Kpi, surface: str | None = None) -> list[KpiDefinition]:
    """Definitions; with `surface` only those of exactly that one."""
    return await kpi.list_definitions(context.scope, surface)


@router.put("/corridors", responses=LOCKED)
async def upsert_corridor(
    body: CorridorBody, context: CurrentContext, auth: CurrentAuth, kpi: Kpi, key: GivenKey
) -> KpiCorridor:
    """Store a corridor. Owner or admin, under a strategy lock. Without an `id` each call adds one.

    Under the same Idempotency-Key it adds one once.
    """
    require_role(context, auth, "owner", "admin")
    check_body_scope(context, body.tenant_id, body.env)
    return await kpi.upsert_corridor(context, body, key)


@router.get("/corridors")
async def list_corridors(context: Member, kpi: Kpi, surface: str | None = None) -> list[KpiCorridor]:
    """Corridors; with `surface` only those of exactly that one."""
    return await kpi.list_corridors(context.scope, surface)


@router.get("/config")
async def get_config(context: Member, kpi: Kpi, surface: str | None = None) -> KpiConfig:
    """Definitions and corridors; with `surface` only those of exactly that one."""
    return await kpi.config(context.scope, surface)

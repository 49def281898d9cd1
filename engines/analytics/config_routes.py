"""Routes under /tenants/{tenant_id}/analytics/config."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from engines.analytics.config_models import AnalyticsConfigBody, TenantAnalyticsConfig
from engines.analytics.config_service import AnalyticsConfigService, effective_config
from engines.common.dependencies import CurrentAuth, CurrentContext, Member, require_role
from engines.common.errors import BadRequest, NotFound
from engines.common.identity import check_body_scope
from engines.common.responses import FOR_MEMBERS, LOCKED, refused

router = APIRouter(prefix="/tenants/{tenant_id}/analytics/config", tags=["analytics"], responses=FOR_MEMBERS)

NO_CONFIG = refused(404, "analytics config not found")


async def _service(request: Request) -> AnalyticsConfigService:
    service: AnalyticsConfigService = request.app.state.services.analytics_configs
    return service


Configs = Annotated[AnalyticsConfigService, Depends(_service)]


@router.put("", responses=LOCKED)
async def upsert_config(
    tenant_id: str,
    context: CurrentContext,
    auth: CurrentAuth,
    configs: Configs,
    body: AnalyticsConfigBody | None = None,
) -> TenantAnalyticsConfig:
    """Store the configuration of a surface. Owner or admin, under the lock `analytics:config_upsert`."""
    if body is None:
        raise BadRequest("payload required")
    if body.tenant_id != tenant_id:
        raise BadRequest("tenant mismatch in payload")
    check_body_scope(context, tenant_id, body.env)
    require_role(context, auth, "owner", "admin")
    return await configs.upsert(context, body)


@router.get("")
async def list_configs(
    tenant_id: str, context: Member, configs: Configs, surface: str | None = None, env: str | None = None
) -> list[TenantAnalyticsConfig]:
    """The tenant's own configurations in this env."""
    check_body_scope(context, tenant_id, env)
    return await configs.list_configs(context.scope, surface)


@router.get("/current", responses=NO_CONFIG)
async def current_config(
    tenant_id: str, context: Member, configs: Configs, surface: str, env: str
) -> TenantAnalyticsConfig:
    """The stored record in force, the tenant's or of the defaults. 404 when there is none."""
    check_body_scope(context, tenant_id, env)
    found = await effective_config(configs.configs, context.scope, surface)
    if found is None:
        raise NotFound("analytics config not found")
    return found[1].record

"""Routes under /seo/pages."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from engines.common.dependencies import CurrentAuth, CurrentContext, Member, require_role
from engines.common.identity import check_body_scope
from engines.common.responses import FOR_MEMBERS, LOCKED
from engines.seo.models import PageSeoBody, PageSeoConfig
from engines.seo.service import SeoService

router = APIRouter(prefix="/seo/pages", tags=["seo"], responses=FOR_MEMBERS)


async def _service(request: Request) -> SeoService:
    service: SeoService = request.app.state.services.seo
    return service


Seo = Annotated[SeoService, Depends(_service)]


class NoPage(BaseModel):
    """The empty object: there is no such page."""


@router.put("", responses=LOCKED)
async def upsert_page(
    body: PageSeoBody, context: CurrentContext, auth: CurrentAuth, seo: Seo
) -> PageSeoConfig:
    """Store one page. Owner or admin, under the lock `seo_page_config_update`."""
    require_role(context, auth, "owner", "admin")
    check_body_scope(context, body.tenant_id, body.env)
    return await seo.upsert(context, body)


@router.get("")
async def list_pages(context: Member, seo: Seo, surface: str | None = None) -> list[PageSeoConfig]:
    """The tenant's pages in this env."""
    return await seo.list_pages(context.scope, surface)


@router.get("/{surface}/{page_type}")
async def get_page(surface: str, page_type: str, context: Member, seo: Seo) -> PageSeoConfig | NoPage:
    """One page, or the empty object."""
    return await seo.get_page(context.scope, surface, page_type) or NoPage()

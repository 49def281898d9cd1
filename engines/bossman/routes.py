"""Routes of Bossman: the tenant dashboard, and the public health of the process."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from engines.bossman.dashboard import build
from engines.bossman.health import Health
from engines.bossman.models import Dashboard
from engines.bossman.sections import DashboardReads
from engines.common.dependencies import CurrentAuth, CurrentContext, require_role
from engines.common.release import VERSION, commit
from engines.common.responses import FOR_MEMBERS, Refusal, Responses

router = APIRouter(tags=["bossman"])

DEFAULT_SURFACE = "squared"


async def _reads(request: Request) -> DashboardReads:
    reads: DashboardReads = request.app.state.services.dashboard
    return reads


BossmanReads = Annotated[DashboardReads, Depends(_reads)]


class Alive(BaseModel):
    """The process runs."""

    status: Literal["alive"] = "alive"


class HealthOfRelease(Health):
    """health+json with what runs: the version, and as ``releaseId`` the commit, null where nobody said."""

    version: str = VERSION
    releaseId: str | None = Field(default_factory=commit)


class HealthJson(JSONResponse):
    """The media type of health+json."""

    media_type = "application/health+json"


HEALTH_JSON = {
    HealthJson.media_type: {"schema": {"$ref": f"#/components/schemas/{HealthOfRelease.__name__}"}}
}
WELL_OR_NOT: Responses = {200: {"content": HEALTH_JSON}, 503: {"model": Refusal, "content": HEALTH_JSON}}


@router.get("/bossman/tenant-dashboard", responses=FOR_MEMBERS)
async def tenant_dashboard(
    context: CurrentContext,
    auth: CurrentAuth,
    reads: BossmanReads,
    surface: str = DEFAULT_SURFACE,
    window_days: Annotated[int, Query(ge=1, le=90)] = 7,
) -> Dashboard:
    """State, freshness and sink of one tenant in one env. 503 when its state cannot be read at all."""
    require_role(context, auth, "owner", "admin")
    return await build(reads, context.scope, surface or DEFAULT_SURFACE, window_days)


@router.get("/livez", tags=["health"])
async def livez() -> Alive:
    """The process runs. Depends on nothing outside it."""
    return Alive()


@router.get("/readyz", tags=["health"], responses={503: {"model": Health | Refusal}})
async def readyz(reads: BossmanReads, response: Response) -> Health:
    """Whether this process can serve: the stores it needs answer. The sink is not asked."""
    health = await reads.health.ready()
    response.status_code = 503 if health.status == "fail" else 200
    return health


@router.get("/healthz", tags=["health"], response_model=HealthOfRelease, responses=WELL_OR_NOT)
async def healthz(reads: BossmanReads) -> HealthJson:
    """Every check as health+json, at most two seconds old, and what runs. 503 when one fails."""
    health = await reads.health.all()
    status = 503 if health.status == "fail" else 200
    return HealthJson(HealthOfRelease(**dict(health)).model_dump(mode="json"), status)

"""Routes under /firearms/licences."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from engines.common.dependencies import CurrentAuth, CurrentContext, Member, OwnerOrAdmin, require_role
from engines.common.idempotency import GivenKey
from engines.common.identity import check_body_scope
from engines.common.responses import AUDITED, FOR_MEMBERS, refused
from engines.firearms.models import DemoResult, Level, Licence, LicenceBody, LicenceCheck, LicenceStatus
from engines.firearms.service import FirearmsService
from engines.logging.audit import AuditStatus

router = APIRouter(prefix="/firearms/licences", tags=["firearms"], responses=FOR_MEMBERS)

DEMO_ACTION = "dangerous_tool_use"
NO_LICENCE = refused(404, "licence_not_found")
NOT_LICENSED = refused(403, "firearms_licence_required, or no membership")
TAKEN = refused(409, "The id is taken by another record")


async def _service(request: Request) -> FirearmsService:
    service: FirearmsService = request.app.state.services.firearms
    return service


Firearms = Annotated[FirearmsService, Depends(_service)]


@router.post("", responses=AUDITED | TAKEN)
async def issue_licence(
    body: LicenceBody,
    context: CurrentContext,
    auth: CurrentAuth,
    firearms: Firearms,
    response: Response,
    key: GivenKey,
) -> Licence:
    """Issue a licence, once under the same Idempotency-Key. Owner or admin.

    An own id that is in use replaces that licence.
    """
    check_body_scope(context, body.tenant_id, body.env)
    require_role(context, auth, "owner", "admin")
    return _audited(response, await firearms.issue(context, body, key))


@router.get("")
async def list_licences(
    context: Member,
    firearms: Firearms,
    subject_type: str | None = None,
    subject_id: str | None = None,
    status: LicenceStatus | None = None,
    level: Level | None = None,
) -> list[Licence]:
    """The licences of the tenant and env, oldest first; past `expires_at` they are still `active`."""
    return await firearms.list_licences(context.scope, subject_type, subject_id, status, level)


@router.get("/check/{subject_type}/{subject_id}")
async def check_licence(
    subject_type: str, subject_id: str, action: str, context: Member, firearms: Firearms
) -> LicenceCheck:
    """Whether a subject may take an action now; an action that is not dangerous is always allowed."""
    allowed = await firearms.is_allowed(context.scope, subject_type, subject_id, action)
    return LicenceCheck(allowed=allowed)


@router.post("/dangerous-demo/{subject_type}/{subject_id}", responses=NOT_LICENSED)
async def dangerous_demo(
    subject_type: str, subject_id: str, context: Member, firearms: Firearms
) -> DemoResult:
    """Pretend to use a dangerous tool: allowed to a subject with a licence of level medium or high."""
    await firearms.require(context.scope, subject_type, subject_id, DEMO_ACTION)
    return DemoResult()


@router.get("/{licence_id}", responses=NO_LICENCE)
async def get_licence(licence_id: str, context: Member, firearms: Firearms) -> Licence:
    """One licence."""
    return await firearms.get(context.scope, licence_id)


@router.patch("/{licence_id}", responses=AUDITED | NO_LICENCE)
async def revoke_licence(
    licence_id: str, context: OwnerOrAdmin, firearms: Firearms, response: Response
) -> Licence:
    """Revoke a licence. Owner or admin. A body is ignored."""
    return _audited(response, await firearms.revoke(context, licence_id))


def _audited(response: Response, done: tuple[Licence, AuditStatus | None]) -> Licence:
    licence, status = done
    if status:  # none where nothing was stored: an earlier request did
        response.headers["X-Audit-Status"] = status
    return licence

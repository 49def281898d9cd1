"""Routes under /privacy/train-prefs."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from engines.common.dependencies import CurrentAuth, CurrentContext, Member, require_role
from engines.common.errors import Forbidden
from engines.common.identity import RequestContext, check_body_scope
from engines.common.responses import FOR_MEMBERS
from engines.privacy.models import TrainingPreference, TrainingPreferences
from engines.privacy.service import PrivacyService

router = APIRouter(prefix="/privacy/train-prefs", tags=["privacy"], responses=FOR_MEMBERS)

WRITERS = ("owner", "admin", "member")


async def _service(request: Request) -> PrivacyService:
    service: PrivacyService = request.app.state.services.privacy
    return service


Privacy = Annotated[PrivacyService, Depends(_service)]


class TenantPreferenceBody(BaseModel):
    """Tenant-wide preference; tenant and env must agree with the request's."""

    opt_out: bool
    tenant_id: str | None = None
    env: str | None = None


class UserPreferenceBody(TenantPreferenceBody):
    """Preference of the caller; ``user_id`` must be the caller's own."""

    user_id: str


@router.post("/tenant")
async def set_tenant_preference(
    body: TenantPreferenceBody, context: CurrentContext, auth: CurrentAuth, privacy: Privacy
) -> TrainingPreference:
    """Set the tenant-wide preference of this env. Not for viewers."""
    require_role(context, auth, *WRITERS)
    check_body_scope(context, body.tenant_id, body.env)
    return await privacy.set_preference(context.scope, None, body.opt_out)


@router.post("/user")
async def set_user_preference(
    body: UserPreferenceBody, context: CurrentContext, auth: CurrentAuth, privacy: Privacy
) -> TrainingPreference:
    """Set the caller's own preference in this env. Not for viewers; 403 for another user's."""
    require_role(context, auth, *WRITERS)
    check_body_scope(context, body.tenant_id, body.env)
    _own(context, body.user_id)
    return await privacy.set_preference(context.scope, body.user_id, body.opt_out)


@router.get("")
async def get_preferences(
    context: Member, privacy: Privacy, user_id: str | None = None
) -> TrainingPreferences:
    """Preferences of the tenant and env, and the caller's eligibility before PII is looked at."""
    if user_id:
        _own(context, user_id)
    return TrainingPreferences(
        tenant_id=context.tenant_id,
        env=context.env,
        train_ok=await privacy.train_ok(context.scope, context.user_id or "", has_pii=False),
        preferences=await privacy.list_preferences(context.scope, user_id),
    )


def _own(context: RequestContext, user_id: str) -> None:
    if user_id != context.user_id:
        raise Forbidden("user_id mismatch")

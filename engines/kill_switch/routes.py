"""Routes under /kill-switches."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from engines.common.dependencies import CurrentAuth, CurrentContext, OwnerOrAdmin, require_role
from engines.common.responses import FOR_MEMBERS, LOCKED
from engines.kill_switch.models import KillSwitch, KillSwitchBody
from engines.kill_switch.service import KillSwitchService

router = APIRouter(prefix="/kill-switches", tags=["kill switches"], responses=FOR_MEMBERS)


async def _service(request: Request) -> KillSwitchService:
    service: KillSwitchService = request.app.state.services.kill_switches
    return service


KillSwitches = Annotated[KillSwitchService, Depends(_service)]


@router.get("")
async def get_kill_switch(context: OwnerOrAdmin, switches: KillSwitches) -> KillSwitch | None:
    """The kill switch of the tenant and env; null when it was never set. Owner or admin, no lock."""
    return await switches.get(context.scope)


@router.put("", responses=LOCKED)
async def set_kill_switch(
    body: KillSwitchBody, context: CurrentContext, auth: CurrentAuth, switches: KillSwitches
) -> KillSwitch:
    """Set the kill switch. Owner or admin, under the lock `safety:kill_switch_update`; not audited."""
    require_role(context, auth, "owner", "admin")
    return await switches.update(context, body)

"""Routes under /strategy-locks. Tenant and env are the request's; a body's are not looked at."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from engines.common.dependencies import CurrentAuth, CurrentContext, Member, OwnerOrAdmin, require_role
from engines.common.idempotency import GivenKey
from engines.common.responses import AUDITED, FOR_MEMBERS, refused
from engines.logging.audit import AuditStatus
from engines.strategy_lock.models import LockBody, LockPatch, LockStatus, StrategyLock
from engines.strategy_lock.service import StrategyLockService

router = APIRouter(prefix="/strategy-locks", tags=["strategy locks"], responses=FOR_MEMBERS)

NO_LOCK = refused(404, "strategy_lock_not_found")


async def _service(request: Request) -> StrategyLockService:
    service: StrategyLockService = request.app.state.services.strategy_locks
    return service


Locks = Annotated[StrategyLockService, Depends(_service)]


@router.post("", responses=AUDITED)
async def create_lock(
    body: LockBody, context: Member, locks: Locks, response: Response, key: GivenKey
) -> StrategyLock:
    """Create a draft lock, once under the same Idempotency-Key. Every member may, viewers too."""
    return _audited(response, await locks.create(context, body, key))


@router.get("")
async def list_locks(
    context: Member,
    locks: Locks,
    status: LockStatus | None = None,
    surface: str | None = None,
    scope: str | None = None,
) -> list[StrategyLock]:
    """The locks of the tenant and env, oldest first; an unknown scope matches none."""
    return await locks.list_locks(context.scope, status, surface, scope)


@router.get("/{lock_id}", responses=NO_LOCK)
async def get_lock(lock_id: str, context: Member, locks: Locks) -> StrategyLock:
    """One lock."""
    return await locks.get(context.scope, lock_id)


@router.patch("/{lock_id}", responses=NO_LOCK)
async def patch_lock(
    lock_id: str, body: LockPatch, context: CurrentContext, auth: CurrentAuth, locks: Locks
) -> StrategyLock:
    """Change a lock. Owner or admin. An approved lock stays approved; not audited."""
    require_role(context, auth, "owner", "admin")
    return await locks.patch(context, lock_id, body)


@router.post("/{lock_id}/approve", responses=AUDITED | NO_LOCK)
async def approve_lock(lock_id: str, context: OwnerOrAdmin, locks: Locks, response: Response) -> StrategyLock:
    """Approve a lock, whatever its status. Owner or admin."""
    return _audited(response, await locks.approve(context, lock_id))


@router.post("/{lock_id}/reject", responses=AUDITED | NO_LOCK)
async def reject_lock(lock_id: str, context: OwnerOrAdmin, locks: Locks, response: Response) -> StrategyLock:
    """Reject a lock, whatever its status. Owner or admin."""
    return _audited(response, await locks.reject(context, lock_id))


def _audited(response: Response, done: tuple[StrategyLock, AuditStatus | None]) -> StrategyLock:
    lock, status = done
    if status:  # none where nothing was stored: an earlier request did
        response.headers["X-Audit-Status"] = status
    return lock

"""Creating, changing and asking strategy locks."""

from typing import Any

from engines.common.clock import Clock, utc_now
from engines.common.collection import Collection
from engines.common.documents import DocumentStore, KeyTaken, Scalar, Scope
from engines.common.errors import BadRequest, Conflict, NotFound
from engines.common.idempotency import IdempotencyKey, stored_before
from engines.common.identity import RequestContext
from engines.logging.audit import Audit, AuditStatus, Change
from engines.logging.milestones import Milestones, Unnoted
from engines.strategy_lock.models import STRATEGY_LOCKS, LockBody, LockPatch, LockStatus, StrategyLock
from engines.strategy_lock.rules import decide

AUDITED_AS = "strategy_lock"
"""Surface of the audit events."""


class StrategyLockService:
    """Operations on strategy locks, and the gate that asks them. Each may raise StoreError."""

    def __init__(
        self,
        store: DocumentStore,
        audit: Audit,
        clock: Clock = utc_now,
        milestones: Milestones | None = None,
    ) -> None:
        self.locks = Collection(store, STRATEGY_LOCKS, StrategyLock)
        self._store = store
        self._audit = audit
        self._clock = clock
        self._milestones = milestones or Unnoted()

    async def create(
        self, context: RequestContext, body: LockBody, key: IdempotencyKey | None = None
    ) -> tuple[StrategyLock, AuditStatus | None]:
        """Store a draft, once under the same ``key``; the lock as it is now when it was stored before.

        Raises BadRequest for a caller without a user id, Unprocessable for a key of another request.
        """
        if not context.user_id:
            raise BadRequest("user_id required for strategy lock creation")
        now = self._clock()
        lock = StrategyLock(
            **dict(body) | {"valid_from": body.valid_from or now},
            tenant_id=context.tenant_id,
            env=context.env,
            created_by_user_id=context.user_id,
            created_at=now,
            updated_at=now,
        )
        writes = [self.locks.write(context.scope, lock.id, lock, create=True)]
        if key:
            writes.append(key.write(self._store, context.scope, [lock.id], now))
        change = Change(context, "strategy_lock.create", {"lock_id": lock.id}, AUDITED_AS)
        try:
            return lock, await self._audit.put_all(self._store, writes, change)
        except KeyTaken as taken:
            [lock_id] = await stored_before(key, self._store, context.scope, taken)
            return await self.get(context.scope, lock_id), None

    async def list_locks(
        self,
        scope: Scope,
        status: LockStatus | None = None,
        surface: str | None = None,
        lock_scope: str | None = None,
    ) -> list[StrategyLock]:
        """The locks with these values, all where none is given, in insertion order."""
        asked = {"status": status, "surface": surface, "scope": lock_scope}
        where: dict[str, Scalar] = {name: value for name, value in asked.items() if value}
        # All are returned, so they are ordered here: no composite index for each set of filters.
        found = [stored.record for stored in await self.locks.find(scope, where)]
        return sorted(found, key=lambda lock: (lock.created_at, lock.id))

    async def get(self, scope: Scope, lock_id: str) -> StrategyLock:
        """The lock. Raises NotFound, for an id of another tenant or env too."""
        stored = await self.locks.get(scope, lock_id)
        return _found(stored.record if stored else None)

    async def patch(self, context: RequestContext, lock_id: str, patch: LockPatch) -> StrategyLock:
        """Change what ``patch`` names; the status stays as it is. Raises NotFound."""
        await self.get(context.scope, lock_id)  # a change of another scope's id would say that it is taken
        values = {name: value for name, value in patch if value is not None} | {"updated_at": self._clock()}
        return await self.locks.mutate(context.scope, lock_id, lambda present: _altered(present, values))

    async def approve(self, context: RequestContext, lock_id: str) -> tuple[StrategyLock, AuditStatus]:
        """Approve a lock, whatever its status. Raises NotFound."""
        judged = await self._judge(context, lock_id, "approved", "strategy_lock.approve")
        self._milestones.reached(context.scope, "lock_approved")
        return judged

    async def reject(self, context: RequestContext, lock_id: str) -> tuple[StrategyLock, AuditStatus]:
        """Reject a lock, whatever its status. Raises NotFound."""
        return await self._judge(context, lock_id, "rejected", "strategy_lock.reject")

    async def require(self, context: RequestContext, action: str, surface: str | None) -> None:
        """See LockGate.require."""
        approved = await self.locks.find(context.scope, {"status": "approved"}, order_by="created_at")
        decision = decide([stored.record for stored in approved], surface, action, self._clock())
        if not decision.allowed:
            lock = {"lock_id": decision.lock_id} if decision.lock_id else {}
            raise Conflict({"error": decision.reason, "action": action} | lock)

    async def _judge(
        self, context: RequestContext, lock_id: str, status: LockStatus, action: str
    ) -> tuple[StrategyLock, AuditStatus]:
        await self.get(context.scope, lock_id)  # as in patch
        values = {"status": status, "approved_by_user_id": context.user_id, "updated_at": self._clock()}
        change = Change(context, action, {"lock_id": lock_id}, AUDITED_AS)
        return await self._audit.mutate(
            self._store, self.locks, lock_id, lambda present: _altered(present, values), change
        )


def _found(lock: StrategyLock | None) -> StrategyLock:
    if lock is None:
        raise NotFound("strategy_lock_not_found")
    return lock


def _altered(present: StrategyLock | None, values: dict[str, Any]) -> StrategyLock:
    return _found(present).model_copy(update=values)

"""Issuing, revoking and checking firearms licences."""

from engines.common.clock import Clock, utc_now
from engines.common.collection import Collection
from engines.common.documents import DocumentStore, KeyTaken, Scalar, Scope
from engines.common.errors import Forbidden, NotFound
from engines.common.idempotency import IdempotencyKey, stored_before
from engines.common.identity import RequestContext
from engines.firearms.models import FIREARMS_LICENCES, Level, Licence, LicenceBody, LicenceStatus
from engines.firearms.rules import DANGEROUS_ACTIONS, is_allowed
from engines.logging.audit import Audit, AuditStatus, Change

AUDITED_AS = "firearms"
"""Surface of the audit events."""


class FirearmsService:
    """Operations on firearms licences. Each may raise StoreError."""

    def __init__(self, store: DocumentStore, audit: Audit, clock: Clock = utc_now) -> None:
        self.licences = Collection(store, FIREARMS_LICENCES, Licence)
        self._store = store
        self._audit = audit
        self._clock = clock

    async def issue(
        self, context: RequestContext, body: LicenceBody, key: IdempotencyKey | None = None
    ) -> tuple[Licence, AuditStatus | None]:
        """Store a licence, replacing the scope's own of the same id; once under the same ``key``.

        The licence as it is now when it was stored before. Raises KeyTaken for another scope's id,
        Unprocessable for a key of another request.
        """
        now = self._clock()
        given = {name: value for name, value in body if value is not None}
        times = {"issued_at": now, "created_at": now, "updated_at": now}
        owner = {"tenant_id": context.tenant_id, "env": context.env}
        licence = Licence.model_validate(times | given | owner)
        writes = [self.licences.write(context.scope, licence.id, licence)]
        if key:
            writes.append(key.write(self._store, context.scope, [licence.id], now))
        change = Change(context, "firearms.issue", {"licence_id": licence.id}, AUDITED_AS)
        try:
            return licence, await self._audit.put_all(self._store, writes, change)
        except KeyTaken as taken:
            [licence_id] = await stored_before(key, self._store, context.scope, taken)
            return await self.get(context.scope, licence_id), None

    async def revoke(self, context: RequestContext, licence_id: str) -> tuple[Licence, AuditStatus]:
        """Set the status to revoked. Raises NotFound."""
        await self.get(context.scope, licence_id)  # a change of another scope's id would say that it is taken
        values = {"status": "revoked", "updated_at": self._clock()}
        change = Change(context, "firearms.revoke", {"licence_id": licence_id}, AUDITED_AS)

        def revoked(present: Licence | None) -> Licence:
            return _found(present).model_copy(update=values)

        return await self._audit.mutate(self._store, self.licences, licence_id, revoked, change)

    async def get(self, scope: Scope, licence_id: str) -> Licence:
        """The licence. Raises NotFound, for an id of another tenant or env too."""
        stored = await self.licences.get(scope, licence_id)
        return _found(stored.record if stored else None)

    async def list_licences(
        self,
        scope: Scope,
        subject_type: str | None = None,
        subject_id: str | None = None,
        status: LicenceStatus | None = None,
        level: Level | None = None,
    ) -> list[Licence]:
        """The licences with these values, all where none is given, in insertion order."""
        asked = {"subject_type": subject_type, "subject_id": subject_id, "status": status, "level": level}
        where: dict[str, Scalar] = {name: value for name, value in asked.items() if value}
        # All are returned, so they are ordered here: no composite index for each set of filters.
        found = [stored.record for stored in await self.licences.find(scope, where)]
        return sorted(found, key=lambda licence: (licence.created_at, licence.id))

    async def is_allowed(self, scope: Scope, subject_type: str, subject_id: str, action: str) -> bool:
        """Whether the subject may take the action. An action that is not dangerous needs no read."""
        if action not in DANGEROUS_ACTIONS:
            return True
        subject = {"subject_type": subject_type, "subject_id": subject_id, "status": "active"}
        found = [stored.record for stored in await self.licences.find(scope, subject)]
        return is_allowed(found, subject_type, subject_id, action, self._clock())

    async def require(self, scope: Scope, subject_type: str, subject_id: str, action: str) -> None:
        """Return when the subject may take the action. Raises Forbidden."""
        if not await self.is_allowed(scope, subject_type, subject_id, action):
            raise Forbidden({"error": "firearms_licence_required", "action": action})


def _found(licence: Licence | None) -> Licence:
    if licence is None:
        raise NotFound("licence_not_found")
    return licence

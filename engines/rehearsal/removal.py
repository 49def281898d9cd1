"""``rehearse remove``: takes back what rehearsals made, and touches nothing without their mark.

The mark is the e-mail address of whoever signed the tenant up, see ``rehearsal_mark``. Counts of
events go first, then events, state, memberships and tenant, then the users who carry the mark: a removal that
was cut short can be repeated, and one that came to the end finds nothing the next time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from engines.common.collection import Collection
from engines.common.documents import SYSTEM, ErasableStore, Scope, Span
from engines.common.identity import ENVS
from engines.common.rehearsal_mark import is_rehearsal
from engines.identity.addresses import email_keys
from engines.identity.models import (
    EMAILS,
    MEMBERSHIPS,
    TENANTS,
    USERS,
    EmailReservation,
    Tenant,
    TenantMembership,
    User,
)
from engines.logging.audit import OUTBOX as AUDITS
from engines.logging.audit import PendingAudit
from engines.nexus.backends.sink import ErasableSink
from engines.rehearsal.kept import COUNTED, addresses_of

PREFIX = "rehearsal-"
"""How the address of every user of a rehearsal begins; then comes its run."""


class Unmarked(Exception):
    """What was asked for is no rehearsal's, or somebody else is in it: nothing was removed."""


@dataclass
class Removed:
    """What is gone, and what stays with the reason."""

    users: int = 0
    tenants: int = 0
    documents: int = 0
    events: dict[str, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)


class Removal:
    """Removes from one store and all sinks that are at hand, by target."""

    def __init__(self, store: ErasableStore, sinks: Mapping[str, ErasableSink]) -> None:
        self._store = store
        self._sinks = sinks
        self._users = Collection(store, USERS, User)
        self._tenants = Collection(store, TENANTS, Tenant)
        self._memberships = Collection(store, MEMBERSHIPS, TenantMembership)
        self._emails = Collection(store, EMAILS, EmailReservation)
        self._audits = Collection(store, AUDITS, PendingAudit)

    async def users_of(self, run: str = "") -> list[User]:
        """The users of a rehearsal, or of all. Raises StoreError."""
        start = f"{PREFIX}{run}-" if run else PREFIX
        span = Span(start, f"{start}\U0010ffff")
        found = await self._users.find(SYSTEM, order_by="email", span=span)
        return [stored.record for stored in found if is_rehearsal(stored.record.email)]

    async def creator_of(self, tenant_id: str) -> list[User]:
        """Whoever signed the tenant up; nobody when there is no such tenant. Raises Unmarked, StoreError."""
        tenant = await self._tenants.get(SYSTEM, tenant_id)
        if tenant is None:
            return []
        creator = await self._users.get(SYSTEM, tenant.record.created_by or "")
        if creator is None or not is_rehearsal(creator.record.email):
            raise Unmarked(f"{tenant_id} was not made by a rehearsal")
        return [creator.record]

    async def remove(self, users: list[User]) -> Removed:
        """Remove the users and the tenants that they signed up. Raises Unmarked, StoreError, SinkError."""
        removed = Removed()
        tenants = [tenant for user in users for tenant in await self._signed_up_by(user)]
        for tenant in tenants:
            await self._check_alone(tenant)
        for tenant in tenants:
            await self._remove_counts(tenant.id, removed)
            await self._remove_events(tenant.id, removed)
            await self._remove_tenant(tenant.id, removed)
        for user in users:
            await self._remove_user(user)
            removed.users += 1
        return removed

    async def _signed_up_by(self, user: User) -> list[Tenant]:
        found = await self._tenants.find(SYSTEM, {"created_by": user.id})
        return [stored.record for stored in found]

    async def _check_alone(self, tenant: Tenant) -> None:
        """Refuse a tenant that somebody without the mark belongs to."""
        for stored in await self._memberships.find(SYSTEM, {"tenant_id": tenant.id}):
            user = await self._users.get(SYSTEM, stored.record.user_id)
            if user is not None and not is_rehearsal(user.record.email):
                raise Unmarked(f"{tenant.id} has a member who is no rehearsal's")

    async def _remove_counts(self, tenant_id: str, removed: Removed) -> None:
        for scope in (Scope(tenant_id, env) for env in ENVS):
            for address in COUNTED:
                removed.documents += await self._store.erase(address, scope)

    async def _remove_events(self, tenant_id: str, removed: Removed) -> None:
        for name, sink in self._sinks.items():
            erased = await sink.erase(tenant_id)
            removed.events[name] = removed.events.get(name, 0) + erased.removed
            if erased.left:
                removed.left[name] = removed.left.get(name, 0) + erased.left

    async def _remove_tenant(self, tenant_id: str, removed: Removed) -> None:
        for scope in (Scope(tenant_id, env) for env in ENVS):
            for address in await addresses_of(self._store, scope):
                removed.documents += await self._store.erase(address, scope)
        for audit in await self._audits.find(SYSTEM, limit=1000):
            if audit.record.event.tenantId == tenant_id:
                await self._audits.delete(SYSTEM, audit.record.event_id)
        for stored in await self._memberships.find(SYSTEM, {"tenant_id": tenant_id}):
            await self._memberships.delete(SYSTEM, stored.record.id)
        await self._tenants.delete(SYSTEM, tenant_id)
        removed.tenants += 1

    async def _remove_user(self, user: User) -> None:
        for stored in await self._memberships.find(SYSTEM, {"user_id": user.id}):
            await self._memberships.delete(SYSTEM, stored.record.id)
        for key in email_keys(user.email):
            await self._emails.delete(SYSTEM, key)
        await self._users.delete(SYSTEM, user.id)

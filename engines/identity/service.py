"""Sign-up, login, refresh and the system tenants."""

from datetime import datetime

from engines.common.clock import Clock, utc_now
from engines.common.collection import Collection
from engines.common.documents import SYSTEM, DocumentStore, KeyTaken, Scope, Write
from engines.common.errors import BadRequest, Unauthorized
from engines.common.guessing import Attempt
from engines.common.idempotency import IdempotencyKey
from engines.common.rehearsal_mark import is_rehearsal
from engines.common.storable import NotStorable, check_storable
from engines.identity.addresses import canonical, email_keys, spellings
from engines.identity.models import (
    EMAILS,
    MEMBERSHIPS,
    TENANTS,
    USERS,
    EmailReservation,
    PublicUser,
    Tenant,
    TenantMembership,
    TokenResponse,
    User,
)
from engines.identity.passwords import HashQueue, hash_password, verify_password
from engines.identity.tokens import Tokens
from engines.logging.progress import FIRST_ENV, PROGRESS, Milestone, Progress, Times

SYSTEM_TENANTS = (("t_system", "System Control Plane"), ("t_northstar", "Northstar Corp"))


class IdentityService:
    """Operations on users, tenants and memberships. Every one may raise StoreError."""

    def __init__(
        self, store: DocumentStore, tokens: Tokens, clock: Clock = utc_now, hashes: HashQueue | None = None
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._clock = clock
        self._hashes = hashes or HashQueue()
        self.users = Collection(store, USERS, User)
        self.tenants = Collection(store, TENANTS, Tenant)
        self.memberships = Collection(store, MEMBERSHIPS, TenantMembership)
        self._emails = Collection(store, EMAILS, EmailReservation)
        self._progress = Collection(store, PROGRESS, Progress)

    async def signup(
        self,
        email: str,
        password: str,
        display_name: str | None = None,
        tenant_name: str | None = None,
        key: IdempotencyKey | None = None,
    ) -> TokenResponse:
        """Create a user and, with a tenant name, the tenant and its owner: all of it or nothing.

        Under the same ``key`` and password once: then it signs in what was created before. Raises
        Unprocessable for a key of another request, BadRequest when the address belongs to a user, however it
        is spelled (see ``addresses``).
        """
        _check_text(email=email, display_name=display_name, tenant_name=tenant_name)
        if await self._find_by_email(email):
            return await self._created_before(email, password, key)
        hashed = await hash_password(password, self._hashes)
        now = self._clock()
        user = User(
            email=email, display_name=display_name, password_hash=hashed, created_at=now, updated_at=now
        )
        tenant = owner = None
        if tenant_name:
            tenant = Tenant(name=tenant_name, created_by=user.id, created_at=now, updated_at=now)
            owner = TenantMembership(
                tenant_id=tenant.id, user_id=user.id, role="owner", created_at=now, updated_at=now
            )
        writes = [
            self._emails.write(SYSTEM, email_keys(email)[-1], EmailReservation(user_id=user.id), create=True),
            self.users.write(SYSTEM, user.id, user, create=True),
        ]
        if tenant and owner:
            writes.append(self.tenants.write(SYSTEM, tenant.id, tenant, create=True))
            writes.append(self.memberships.write(SYSTEM, owner.id, owner, create=True))
            began: Times = {"tenant_created": now, "owner_joined": now}
            writes.append(self._beginning(tenant, began, email=email, create=True))
        if key:
            created = [user.id, *([tenant.id] if tenant else [])]
            writes.append(key.write(self._store, SYSTEM, created, now))
        try:
            await self._store.put_all(writes)
        except KeyTaken:
            return await self._created_before(email, password, key)
        return self._response(user, [owner] if owner else [], tenant)

    async def _created_before(self, email: str, password: str, key: IdempotencyKey | None) -> TokenResponse:
        """What an earlier request created under the key. Raises BadRequest for any other user."""
        ids = await key.stored(self._store, SYSTEM) if key else None
        if not ids:
            raise BadRequest("user already exists")
        attempt = Attempt(canonical(email), "wrong_password")
        user = await self.users.get(SYSTEM, ids[0])
        right = user is not None and await verify_password(password, user.record.password_hash, self._hashes)
        attempt.judged(right=right)
        if not right or user is None:
            raise BadRequest("user already exists")
        tenant = await self.tenants.get(SYSTEM, ids[1]) if len(ids) > 1 else None
        memberships = await self._active_memberships(user.record.id)
        return self._response(user.record, memberships, tenant.record if tenant else None)

    async def login(self, email: str, password: str) -> TokenResponse:
        """Sign in. Raises Unauthorized alike for an unknown address and a wrong password.

        Raises TooManyRequests for a caller that was wrong too often, Unavailable when too many sign in.
        """
        attempt = Attempt(canonical(email), "wrong_password")
        user = await self._find_by_email(email)
        stored = user.password_hash if user else None
        right = await verify_password(password, stored, self._hashes) and user is not None
        attempt.judged(right=right)
        if not right or user is None:
            raise Unauthorized("invalid credentials")
        return self._response(user, await self._active_memberships(user.id))

    async def refresh(self, user_id: str) -> TokenResponse:
        """A new token with the memberships as they are now. Raises Unauthorized when the user is gone."""
        stored = await self.users.get(SYSTEM, user_id)
        if stored is None:
            raise Unauthorized("user not found")
        return self._response(stored.record, await self._active_memberships(user_id))

    async def bootstrap_tenants(self) -> list[str]:
        """Create the system tenants that are missing; returns the ids created, in order."""
        return [tenant_id for tenant_id, name in SYSTEM_TENANTS if await self._create_tenant(tenant_id, name)]

    async def _create_tenant(self, tenant_id: str, name: str) -> bool:
        now = self._clock()
        tenant = Tenant(id=tenant_id, name=name, created_at=now, updated_at=now)
        try:
            created = self.tenants.write(SYSTEM, tenant_id, tenant, create=True)
            # The ids of these are fixed: progress of a former tenant of the id gives way.
            began = self._beginning(tenant, {"tenant_created": now}, create=False)
            await self._store.put_all([created, began])
        except KeyTaken:
            return False
        return True

    async def beginning(self, scope: Scope) -> Progress | None:
        """Progress of a tenant in an env where it did nothing yet; None when there is no such tenant."""
        found = await self.tenants.get(SYSTEM, scope.tenant_id)
        if found is None:
            return None
        tenant = found.record
        reached: dict[Milestone, datetime] = {"tenant_created": tenant.created_at}
        owners = await self.memberships.find(
            SYSTEM, {"tenant_id": tenant.id, "role": "owner", "status": "active"}, limit=1
        )
        if owners:
            reached["owner_joined"] = owners[0].record.created_at
        creator = await self.users.get(SYSTEM, tenant.created_by) if tenant.created_by else None
        rehearsed = creator is not None and is_rehearsal(creator.record.email)
        return Progress.of(scope, tenant.name, reached, rehearsal=rehearsed)

    def _beginning(self, tenant: Tenant, reached: Times, *, create: bool, email: str = "") -> Write:
        """The tenant's onboarding begins with the tenant, in the same atomic step."""
        scope = Scope(tenant.id, FIRST_ENV)
        progress = Progress.of(scope, tenant.name, reached, rehearsal=is_rehearsal(email))
        return self._progress.write(scope, "", progress, create=create)

    async def _find_by_email(self, email: str) -> User | None:
        if not _is_text(email):
            return None
        for key in email_keys(email):
            reservation = await self._emails.get(SYSTEM, key)
            if reservation:
                stored = await self.users.get(SYSTEM, reservation.record.user_id)
                return stored.record if stored else None
        # Users written by the existing engines have no reservation.
        for spelling in spellings(email):
            found = await self.users.find(SYSTEM, {"email": spelling}, limit=1)
            if found:
                return found[0].record
        return None

    async def _active_memberships(self, user_id: str) -> list[TenantMembership]:
        found = await self.memberships.find(SYSTEM, {"user_id": user_id, "status": "active"})
        return sorted((stored.record for stored in found), key=lambda m: (m.created_at, m.id))

    def _response(
        self, user: User, memberships: list[TenantMembership], tenant: Tenant | None = None
    ) -> TokenResponse:
        return TokenResponse(
            access_token=self._tokens.issue(user, memberships),
            user=PublicUser.model_validate(user.model_dump()),
            tenant=tenant,
            memberships=memberships,
        )


def _is_text(value: str) -> bool:
    try:
        check_storable({"text": value})
    except NotStorable:
        return False
    return True


def _check_text(**values: str | None) -> None:
    for name, value in values.items():
        if value is not None and not _is_text(value):
            raise BadRequest(f"{name} is not valid Unicode text")

"""Reading and setting training preferences."""

from engines.common.collection import Collection, Stored
from engines.common.documents import DocumentStore, Scalar, Scope
from engines.common.errors import Unprocessable
from engines.common.shared_reads import SharedReads
from engines.logging.milestones import Milestones, Unnoted
from engines.privacy.models import TENANT_WIDE, TRAINING_PREFERENCES, TrainingPreference
from engines.privacy.rules import train_ok


class PrivacyService:
    """Operations on training preferences. Every one may raise StoreError."""

    def __init__(self, store: DocumentStore, milestones: Milestones | None = None) -> None:
        self._milestones = milestones or Unnoted()
        self.preferences = Collection(store, TRAINING_PREFERENCES, TrainingPreference)
        self._opt_outs = SharedReads(self._read_opt_out)

    async def set_preference(self, scope: Scope, user_id: str | None, opt_out: bool) -> TrainingPreference:
        """Set the preference of a user, or of the whole tenant when ``user_id`` is None."""
        if user_id == TENANT_WIDE:
            raise Unprocessable(f"user_id {TENANT_WIDE} is reserved for the tenant-wide preference")
        preference = TrainingPreference(
            tenant_id=scope.tenant_id, env=scope.env, user_id=user_id, opt_out=opt_out
        )
        await self.preferences.put(scope, user_id or TENANT_WIDE, preference)
        self._milestones.reached(scope, "preference_set")
        return preference

    async def list_preferences(self, scope: Scope, user_id: str | None = None) -> list[TrainingPreference]:
        """All preferences of the tenant and env, or only those of one user."""
        where: dict[str, Scalar] = {"user_id": user_id} if user_id else {}
        return [stored.record for stored in await self.preferences.find(scope, where)]

    async def train_ok(self, scope: Scope, user_id: str, has_pii: bool) -> bool:
        """Whether an event of the user may be trained on. Reads the store only where it can matter."""
        if has_pii:
            return False
        user = await self._opt_outs.get((scope, user_id))
        tenant = await self._opt_outs.get((scope, None)) if user is None else None
        return train_ok(has_pii, user, tenant)

    async def stored_preference(self, scope: Scope, user_id: str | None) -> Stored[TrainingPreference] | None:
        """The preference of a user, or of the whole tenant when ``user_id`` is None, and since when."""
        stored = await self.preferences.get(scope, user_id or TENANT_WIDE)
        # The record's own user must match: a user id could spell the tenant-wide key.
        return stored if stored and stored.record.user_id == user_id else None

    async def _read_opt_out(self, whose: tuple[Scope, str | None]) -> bool | None:
        stored = await self.stored_preference(*whose)
        return stored.record.opt_out if stored else None

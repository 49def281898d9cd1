"""The training preference record."""

from pydantic import BaseModel

from engines.common.documents import Address

TENANT_WIDE = "__tenant"
"""Key of the tenant-wide preference, where a user's has the user id."""

TRAINING_PREFERENCES = Address("training_preferences", "{tenant}__{env}__{key}")


class TrainingPreference(BaseModel):
    """An opt-out (or opt-in) of a user, or of the whole tenant when ``user_id`` is null."""

    tenant_id: str
    env: str
    user_id: str | None = None
    opt_out: bool


class TrainingPreferences(BaseModel):
    """All preferences asked for, and what they mean for ``user_id`` before PII is looked at."""

    tenant_id: str
    env: str
    train_ok: bool
    preferences: list[TrainingPreference]

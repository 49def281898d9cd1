"""Which lock decides on an action, and how."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from engines.strategy_lock.models import StrategyLock

ANY_ACTION = "*"
"""The only wildcard: ``temperature:*`` is a plain name."""

LOCK_REQUIRED: Literal["strategy_lock_required"] = "strategy_lock_required"
VERDICT_REQUIRED: Literal["three_wise_verdict_required"] = "three_wise_verdict_required"


@dataclass(frozen=True)
class Decision:
    """Whether an action is allowed; the reason of a refusal; the lock that decided, if any did."""

    allowed: bool
    reason: Literal["strategy_lock_required", "three_wise_verdict_required"] | None = None
    lock_id: str | None = None


def decide(locks: Iterable[StrategyLock], surface: str | None, action: str, now: datetime) -> Decision:
    """The decision of the first approved, valid lock that names the action.

    ``locks`` come in insertion order. Those of the asked surface go first, then all others: a lock of another
    surface authorises too. With no asked surface the insertion order stands.
    """
    for lock in sorted(locks, key=lambda lock: surface is not None and lock.surface != surface):
        if _applies(lock, action, now):
            return _decision_of(lock)
    return Decision(allowed=False, reason=LOCK_REQUIRED)


def _applies(lock: StrategyLock, action: str, now: datetime) -> bool:
    in_window = lock.valid_from <= now and (lock.valid_until is None or now <= lock.valid_until)
    named = ANY_ACTION in lock.allowed_actions or action in lock.allowed_actions
    return lock.status == "approved" and in_window and named


def _decision_of(lock: StrategyLock) -> Decision:
    # Nothing answers three-wise questions, so a lock that needs a verdict can have none.
    if lock.three_wise_id is not None:
        return Decision(allowed=False, reason=VERDICT_REQUIRED, lock_id=lock.id)
    return Decision(allowed=True, lock_id=lock.id)

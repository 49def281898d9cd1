"""Checks of the state store beyond its answer: whether it keeps what it takes, and what its starts lost."""

from collections.abc import Callable, Sequence
from datetime import datetime

from engines.bossman.health import Check, CheckStatus, NamedCheck
from engines.common.clock import Clock
from engines.common.stand_in import StandInReads, StandInStatus
from engines.logging.state_losses import StateLoss

DURABILITY = "document-store:durability"
RESTORED = "document-store:restored"
COMPONENT = "firestore"

MEMORY_WARN_SHARE = 0.75
"""Of the stand-in's limit of memory: what is over it is said."""
DISK_WARN_BYTES = 32 * 1024 * 1024
SAVES_THAT_FIT = 3
"""A disk with less free than this many saves, or than DISK_WARN_BYTES, is called nearly full."""


class StateChecks:
    """See MoreChecks. A store that is no stand-in of this kit has none of these checks."""

    def __init__(
        self, stand_in: StandInReads, losses: Callable[[], Sequence[StateLoss]], clock: Clock
    ) -> None:
        self._stand_in = stand_in
        self._losses = losses
        self._clock = clock

    async def ready(self) -> list[NamedCheck]:
        """Refused writes alone: without them the process can serve nobody who stores something."""
        status = await self._stand_in.status()
        if status is None or status.writes == "accepted":
            return []
        return [(DURABILITY, durability(status, self._clock()))]

    async def all(self) -> list[NamedCheck]:
        """Saving, and what was lost."""
        status, now = await self._stand_in.status(), self._clock()
        saving = [] if status is None else [(DURABILITY, durability(status, now))]
        return saving + [(RESTORED, restored(loss, now)) for loss in self._losses()]


def durability(status: StandInStatus, now: datetime) -> Check:
    """Whether the stand-in keeps what it takes; observed is the age of its newest save."""
    verdict, output = _durability(status)
    age = max(0.0, (now - status.newest_save_at).total_seconds())
    return Check(
        componentId=COMPONENT,
        observedValue=round(age, 1),
        observedUnit="s",
        status=verdict,
        time=now,
        output=output,
    )


def restored(loss: StateLoss, now: datetime) -> Check:
    """A loss that nobody acknowledged yet; observed is how many seconds of writes are gone, 0 = not known."""
    seconds = (loss.until - loss.as_of).total_seconds() if loss.until and loss.as_of else 0.0
    return Check(
        componentId=COMPONENT,
        observedValue=round(max(0.0, seconds), 1),
        observedUnit="s",
        status="warn",
        time=now,
        output=loss.sentence,
    )


def _durability(status: StandInStatus) -> tuple[CheckStatus, str | None]:
    if status.writes == "refused":
        return "fail", f"writes are refused: {status.refused_because or 'no reason given'}"
    if status.saving == "failing":
        since = f" since {status.save_failing_since:%H:%M:%S} UTC" if status.save_failing_since else ""
        return "fail", f"saving fails{since}: {status.save_error or 'no reason given'}"
    near = [said for said in (_memory(status), _disk(status)) if said]
    return ("warn", "; ".join(near)) if near else ("pass", None)


def _memory(status: StandInStatus) -> str | None:
    used, limit = status.memory_used_bytes, status.memory_limit_bytes
    if not used or not limit or used < limit * MEMORY_WARN_SHARE:
        return None
    return f"memory: {used / limit:.0%} of {_mib(limit)} in use; at its limit writes are refused"


def _disk(status: StandInStatus) -> str | None:
    free = status.disk_free_bytes
    if free is None or free >= max(DISK_WARN_BYTES, SAVES_THAT_FIT * (status.saved_bytes or 0)):
        return None
    return f"disk: {_mib(free)} free on its volume; when a save no longer fits, writes are refused"


def _mib(size: int) -> str:
    return f"{size / 1024 / 1024:,.0f} MiB"

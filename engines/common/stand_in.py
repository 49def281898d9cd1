"""What the Firestore stand-in says of itself: where its data came from, and whether it keeps what it takes.

A stand-in keeps its documents in memory and saves them from time to time. Google's own emulator, and the
cloud, say nothing of the kind: then nothing is known, and nothing is said.
"""

from datetime import datetime
from typing import Literal, Protocol

from pydantic import BaseModel

from engines.common.clock import GivenTime


class StandInStatus(BaseModel):
    """The answer to ``GET /kit/status``. Sizes are bytes, times UTC; null where there is none."""

    service: Literal["firestore"]
    generation: str
    """Names this start; every start has another one."""
    started_at: GivenTime
    restored_from: str | None = None
    restored_as_of: GivenTime | None = None
    """When the save began that this start came from."""
    stopped_at: GivenTime | None = None
    """The last moment at which the run before is known to have served."""
    orderly: bool
    """Whether the run before saved everything that it had acknowledged."""
    fell_back: bool = False
    """Whether a newer save was damaged, and an older one was taken."""
    saved_at: GivenTime | None = None
    save_seconds: float | None = None
    saved_bytes: int | None = None
    saving: Literal["ok", "failing"] = "ok"
    save_error: str | None = None
    save_failing_since: GivenTime | None = None
    writes: Literal["accepted", "refused"] = "accepted"
    refused_because: str | None = None
    """Cause and cure in one sentence that begins with ``disk:``, ``memory:`` or ``volume:``."""
    memory_used_bytes: int | None = None
    memory_limit_bytes: int | None = None
    disk_free_bytes: int | None = None

    @property
    def lost(self) -> bool:
        """Whether this start has less than what the run before acknowledged."""
        return not self.orderly or self.fell_back

    @property
    def newest_save_at(self) -> datetime:
        """When the newest save of this run began; its start where there is none, which holds the same."""
        return self.saved_at or self.started_at


class StandInReads(Protocol):
    """Asks the stand-in, bounded to a second; the answer serves for two seconds, whoever asks."""

    async def status(self) -> StandInStatus | None:
        """What it says; None when it does not answer or is no stand-in of this kit. Never raises."""
        ...

    async def generation(self) -> str | None:
        """The name of its start, None as above: another name means that it was started anew."""
        ...

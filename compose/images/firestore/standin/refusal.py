"""Whether writes must be refused, and the sentence that says why and what helps."""

import errno
from dataclasses import dataclass

from standin import disk
from standin.disk import Room
from standin.memory import MemoryWatch

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Findings:
    """One look at everything that writes depend on."""

    room: Room
    last_save: int
    """Bytes of the newest export."""
    reserve: int
    """Bytes that are held back now."""
    memory: MemoryWatch
    volume_error: OSError | None = None
    """Why the volume took no file at this look."""
    save_error: OSError | None = None
    """Why the last save failed."""
    refused: str | None = None
    """Why writes are refused already."""


def reason(found: Findings) -> str | None:
    """Why writes must be refused: volume, disk or memory; None when they need not."""
    for error in (found.volume_error, found.save_error):
        if error:
            return "disk" if error.errno in NO_ROOM else "volume"
    missing = max(0, disk.reserve_size(found.last_save, found.room.total) - found.reserve)
    if disk.is_full(found.room.free, found.last_save, missing, found.refused == "disk"):
        return "disk"
    return "memory" if found.memory.refuse else None


def because(kind: str, found: Findings) -> str:
    """One sentence: the cause and the cure."""
    if kind == "disk":
        return (
            f"disk: the volume is full ({found.room.free // 1024} KiB free): writes are refused until there "
            "is room; free space where Docker keeps its volumes (docker system df)"
        )
    if kind == "volume":
        return (
            f"volume: nothing can be saved to /data ({text(found.volume_error or found.save_error)}): writes "
            "are refused until it can; the volume must belong to uid 10001"
        )
    used, bound = found.memory.in_use // MEGABYTE, found.memory.bound // MEGABYTE
    return (
        f"memory: {used} MB in use of {bound} MB that can be saved: writes are refused; raise mem_limit of "
        "the service firestore in compose/compose.yaml, then ./scripts/up"
    )


def text(error: OSError | None) -> str:
    """An error for people, without its number."""
    return (error.strerror or str(error)) if error else ""

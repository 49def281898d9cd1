"""Room on the volume: what the next save needs, and a reserve that makes the last save possible."""

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

KIB = 1024
SMALLEST_RESERVE = 512 * KIB
LARGEST_RESERVE_SHARE = 4
"""The reserve takes at most this part (a quarter) of the volume."""
CHUNK = 256 * KIB
REHEARSED = Path("/tmp/rehearse-disk-full")
"""While this file is there the volume counts as full: `./scripts/rehearse fault disk-full`."""


class Room(NamedTuple):
    """Bytes of the volume that anybody may still write, and its size."""

    free: int
    total: int


def room(folder: Path) -> Room:
    """What the volume has."""
    found = os.statvfs(folder)
    free = 0 if REHEARSED.exists() else found.f_bavail * found.f_frsize
    return Room(free, found.f_blocks * found.f_frsize)


def save_need(last_save: int) -> int:
    """Bytes that the next save needs, as far as the last one tells."""
    return last_save + last_save // 4 + CHUNK


def reserve_size(last_save: int, total: int) -> int:
    """Bytes to hold back for the last save: a floor for small ones, a ceiling for small volumes."""
    return min(max(save_need(last_save), SMALLEST_RESERVE), total // LARGEST_RESERVE_SHARE)


def is_full(free: int, last_save: int, reserve: int, refused: bool) -> bool:
    """Whether to refuse writes; ``free`` does not count the ``reserve`` bytes that are held back now.

    Once refused, there must be room for the whole reserve and half a save more, so that it does not flap.
    """
    if not refused:
        return free < save_need(last_save)
    return free < save_need(last_save) * 3 // 2 + reserve


class Reserve:
    """A file of real blocks on the volume that is given up when the last save needs them."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def size(self) -> int:
        """Bytes that are held back now."""
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    def hold(self, size: int) -> None:
        """Hold back ``size`` bytes. Raises OSError where there is no room; then nothing is held."""
        if size <= self.size():
            return
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(file, 0, size)
        except OSError:
            self.release()
            raise
        finally:
            os.close(file)

    def release(self) -> None:
        """Give the bytes back, where the volume can be written."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

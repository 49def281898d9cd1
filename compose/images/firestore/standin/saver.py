"""Saves: an export of all data under its final name on the volume."""

import asyncio
import errno
import time
from pathlib import Path

from standin import disk
from standin.door import Door
from standin.emulator import Emulator, ExportFailed
from standin.exports import Exports, Saved
from standin.history import Restored, utc_now
from standin.log import say
from standin.refusal import text
from standin.saves import SaveSchedule
from standin.status import Status


class Saver:
    """Saves what the emulator holds; knows what is saved."""

    def __init__(self, folder: Path, emulator: Emulator, door: Door, restored: Restored) -> None:
        now = utc_now()
        self._folder, self._emulator, self._door = folder, emulator, door
        self._schedule = SaveSchedule()
        self.exports = Exports(folder)
        self.export, self.as_of = restored.export, restored.as_of
        self.last_size = self.exports.size(restored.export) if restored.export else 0
        self.error: OSError | None = None
        self.lock = asyncio.Lock()
        """Held while the emulator exports or collects garbage."""
        self.status = Status(
            generation=f"{now:%Y%m%dT%H%M%S.%fZ}",
            started_at=now,
            restored_from=restored.export,
            restored_as_of=restored.as_of,
            stopped_at=restored.stopped_at,
            orderly=restored.orderly,
            fell_back=restored.fell_back,
        )

    def is_current(self) -> bool:
        """Whether everything that was acknowledged is saved."""
        return self._schedule.is_current(self._door.writes, self._door.is_streaming())

    def is_due(self) -> bool:
        """Whether to save now."""
        return self._schedule.is_due(time.monotonic(), self._door.writes, self._door.is_streaming())

    @property
    def missing(self) -> int:
        """Writes that were finished since the last good save began."""
        return self._door.writes - self._schedule.covered_writes

    async def save(self) -> bool:
        """Export everything and keep it; returns whether that went well."""
        async with self.lock:
            began_at, began, writes = utc_now(), time.monotonic(), self._door.writes
            try:
                folder = await asyncio.to_thread(self.exports.prepare)
                await self._emulator.export(folder)
                saved = await asyncio.to_thread(self.exports.adopt, began_at)
            except (OSError, ExportFailed) as error:
                await asyncio.to_thread(self.exports.discard)
                self._failed(error)
                return False
            self._schedule.succeeded(began, time.monotonic(), writes)
            self.as_of = began_at
            self._succeeded(saved)
        return True

    def _succeeded(self, saved: Saved) -> None:
        if self.error:
            say("saving works again")
        self.export, self.last_size, self.error = saved.name, saved.bytes, None
        status = self.status
        status.saving, status.save_error, status.save_failing_since = "ok", None, None
        status.saved_at, status.saved_bytes = utc_now(), saved.bytes
        status.save_seconds = round(self._schedule.length, 3)

    def _failed(self, error: OSError | ExportFailed) -> None:
        self._schedule.failed(time.monotonic())
        if isinstance(error, ExportFailed):
            # The emulator's own words for a full disk are a status and a Java exception.
            is_full = disk.room(self._folder).free < disk.save_need(self.last_size)
            error = OSError(errno.ENOSPC if is_full else errno.EIO, str(error))
        if self.error is None:
            say(f"could not save, the newest export stays ({self.export}): {error}")
            self.status.save_failing_since = utc_now()
        self.error = error
        self.status.saving, self.status.save_error = "failing", text(error)

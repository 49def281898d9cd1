"""Looks at volume, room and memory, and lets the door refuse writes that could not be saved."""

import asyncio
import time
from datetime import datetime
from pathlib import Path

from standin import disk
from standin.disk import Reserve
from standin.door import STATUS, Door
from standin.emulator import Emulator
from standin.history import Heartbeat, History, utc_now
from standin.log import say
from standin.memory import MemoryWatch
from standin.refusal import Findings, because, reason
from standin.saver import Saver


class Guard:
    """Accepts writes only while they can be saved."""

    def __init__(self, folder: Path, emulator: Emulator, door: Door, saver: Saver) -> None:
        self._folder, self._emulator, self._door, self._saver = folder, emulator, door, saver
        self._history = History(folder)
        self._reserve = Reserve(folder / "reserve")
        self._memory = MemoryWatch()
        self._volume_error: OSError | None = None
        self._has_begun = False
        self._current_since: datetime | None = None

    async def look(self) -> None:
        """One look at volume and room; then refuse or accept, and say so."""
        await asyncio.to_thread(self._beat)
        self.decide()

    async def look_at_memory(self) -> None:
        """One look at the emulator's memory; refuse at once where it must be."""
        memory, written, exporting = self._memory, self._door.written, self._saver.lock.locked()
        refused = memory.refuse
        if memory.look(time.monotonic(), self._emulator.memory(), written, exporting):
            async with self._saver.lock:
                await self._collect_garbage()
            memory.collected(time.monotonic(), self._emulator.memory(), written)
        if memory.refuse != refused:
            self.decide()

    async def _collect_garbage(self) -> None:
        try:
            await self._emulator.collect_garbage()
        except OSError as error:
            say(f"the heap could not be looked at: {error}")

    def _beat(self) -> None:
        """Note on the volume that this run lives; that is also how a volume that takes nothing is noticed."""
        now = utc_now()
        if self._saver.is_current():
            # What was answered before the look before this one has been counted by now.
            if self._current_since:
                self._saver.as_of = self._current_since
            self._current_since = now
        else:
            self._current_since = None
        try:
            self._history.beat(Heartbeat(now, self._saver.export, self._saver.as_of))
            self._volume_error = None
        except OSError as error:
            self._volume_error = error

    def _find(self) -> Findings:
        return Findings(
            room=disk.room(self._folder),
            last_save=self._saver.last_size,
            reserve=self._reserve.size(),
            memory=self._memory,
            volume_error=self._volume_error,
            save_error=self._saver.error,
            refused=self._door.refused,
        )

    def decide(self) -> None:
        """Refuse or accept by what is known now."""
        found = self._find()
        kind = reason(found)
        if kind is None and not self._can_accept(found):
            found = self._find()
            kind = reason(found)
        if kind == "disk":
            self.make_room()
        words = because(kind, found) if kind else None
        if kind != self._door.refused:
            say(f"writes are refused: {words}" if kind else "writes are accepted again")
        self._door.refuse(kind)
        self._publish(found, words)

    def _can_accept(self, found: Findings) -> bool:
        """Hold the reserve, and take back that the last stop was orderly: only then may a write come in."""
        try:
            self._reserve.hold(disk.reserve_size(found.last_save, found.room.total))
            if not self._has_begun:
                self._history.begin()
                self._has_begun = True
        except OSError as error:
            self._volume_error = error
            return False
        return True

    def make_room(self) -> None:
        """For the last save: give up the reserve, and where saving failed all exports but the newest."""
        self._reserve.release()
        if self._saver.error:
            self._saver.exports.keep(1)

    def _publish(self, found: Findings, words: str | None) -> None:
        status = self._saver.status
        status.writes = "refused" if words else "accepted"
        status.refused_because, status.disk_free_bytes = words, found.room.free
        status.memory_used_bytes, status.memory_limit_bytes = self._memory.in_use, self._memory.bound
        status.write(STATUS)

    def end(self) -> str | None:
        """Note that the stop was orderly; returns why that could not be noted."""
        now = utc_now()
        try:
            self._history.beat(Heartbeat(now, self._saver.export, now))
            self._history.end(self._saver.export)
            self._reserve.release()
        except OSError as error:
            return str(error)
        return None

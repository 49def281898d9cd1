"""A run of the stand-in from the restored export to the last save."""

import asyncio
from pathlib import Path

from standin.door import Door
from standin.emulator import Emulator
from standin.guard import Guard
from standin.history import Restored
from standin.log import say
from standin.saver import Saver

TICK_SECONDS = 1.0
MEMORY_SECONDS = 0.2
"""Between looks at the memory: a second of writes as fast as possible is a tenth of the heap."""
LOOK_SECONDS = 0.2
"""How often it is looked whether a save is due."""
LAST_TRIES = 3


class Supervisor:
    """Saves, and watches over what saving needs."""

    def __init__(self, folder: Path, emulator: Emulator, door: Door, restored: Restored) -> None:
        self._door = door
        self._saver = Saver(folder, emulator, door, restored)
        self._guard = Guard(folder, emulator, door, self._saver)
        self._stopping = False

    async def begin(self) -> None:
        """Decide whether writes can be accepted; before the door opens."""
        await self._guard.look_at_memory()
        await self._guard.look()

    async def run(self) -> None:
        """Save and watch until ``finish``."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch())
            tasks.create_task(self._watch_memory())
            tasks.create_task(self._save_when_due())

    async def _watch(self) -> None:
        while not self._stopping:
            await self._guard.look()
            await asyncio.sleep(TICK_SECONDS)

    async def _watch_memory(self) -> None:
        while not self._stopping:
            await self._guard.look_at_memory()
            await asyncio.sleep(MEMORY_SECONDS)

    async def _save_when_due(self) -> None:
        while not self._stopping:
            if self._saver.is_due() and not await self._saver.save():
                self._guard.decide()
            await asyncio.sleep(LOOK_SECONDS)

    async def finish(self) -> bool:
        """Close the door, save, note that the stop was orderly; returns whether nothing is lost."""
        self._stopping = True
        await self._door.close()
        for _ in range(LAST_TRIES):
            why = await self._save_and_end()
            if why is None:
                return True
            self._guard.make_room()
        since = f" since {self._saver.as_of:%Y-%m-%dT%H:%M:%SZ}" if self._saver.as_of else ""
        missing = self._saver.missing
        lost = f"up to {missing} writes that were acknowledged{since}" if missing else "nothing"
        say(f"stopped, but not saved: {why}. Lost: {lost}")
        return False

    async def _save_and_end(self) -> str | None:
        """Why the stop is not in order; None when it is."""
        if not await self._saver.save() and self._saver.missing:
            return str(self._saver.error)
        # A save that failed costs nothing where the one before has everything.
        return self._guard.end()

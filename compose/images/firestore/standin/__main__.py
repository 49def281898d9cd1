"""The container's process: restore, serve, and at TERM close the door, save, stop."""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Any

from standin.door import Door
from standin.emulator import DATA, Emulator
from standin.exports import Exports
from standin.history import History
from standin.log import say
from standin.restore import CannotStart, restore
from standin.supervisor import Supervisor

OUT_OF_MEMORY = (
    "it ran out of memory: more of it helps (mem_limit of the service firestore in compose/compose.yaml, "
    "then ./scripts/up)"
)


async def main() -> int:
    """Run until TERM or a fault; returns the exit code."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    Door.prepare()
    emulator, door = Emulator(), Door()
    exports, history = Exports(DATA), History(DATA)
    exports.discard()
    restoring = asyncio.create_task(restore(exports, history, emulator))
    await _first(stop.wait(), restoring)
    if not restoring.done():
        await emulator.stop()
        say("stopped before it was ready: nothing to save")
        return 0
    try:
        supervisor = Supervisor(DATA, emulator, door, restoring.result())
    except CannotStart as error:
        say(str(error))
        return 1
    return await _serve(supervisor, emulator, door, stop)


async def _serve(supervisor: Supervisor, emulator: Emulator, door: Door, stop: asyncio.Event) -> int:
    await supervisor.begin()
    await door.open()
    say("ready, saving as often as saves are cheap")
    running = asyncio.create_task(supervisor.run())
    await _first(stop.wait(), running, emulator.ended(), door.ended())
    if emulator.exit_code is not None:
        await door.close()
        say(f"the emulator died (exit {emulator.exit_code}); the next start has what was saved last")
        if emulator.is_out_of_memory:
            say(OUT_OF_MEMORY)
        return emulator.exit_code if emulator.exit_code > 0 else 1
    if not stop.is_set():
        why = f"supervisor: {running.exception()!r}" if running.done() else "door, see above"
        say(f"stopping in good order because of a fault of the {why}")
    is_saved = await supervisor.finish()
    await emulator.stop()
    if is_saved:
        say("saved and stopped")
    return 0 if is_saved and stop.is_set() else 1


async def _first(*waits: Coroutine[Any, Any, Any] | asyncio.Task[Any]) -> None:
    """Wait for the first of them. The others go on: a save under way must not be cut."""
    tasks = [wait if isinstance(wait, asyncio.Task) else asyncio.create_task(wait) for wait in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

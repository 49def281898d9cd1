"""Which export a start comes from. Only a damaged one is passed over; a good one is tried again."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from standin.emulator import Emulator
from standin.exports import Exports
from standin.history import History, Restored, judge, utc_now
from standin.log import say

TRIES = 3
MEGABYTE = 1_000_000


class CannotStart(Exception):
    """The text says why, and what helps."""


class Choice(NamedTuple):
    """The export to import, None to start empty, and the newer ones that are damaged."""

    export: str | None
    damaged: list[str]


def choose(newest_first: Sequence[str], is_good: Callable[[str], bool]) -> Choice:
    """The newest good export. Raises CannotStart when there are exports and all are damaged."""
    damaged: list[str] = []
    for name in newest_first:
        if is_good(name):
            return Choice(name, damaged)
        say(f"{name} is damaged (its checksums are wrong); trying the one before")
        damaged.append(name)
    if damaged:
        # Healthy but empty would hide the loss, so this stops here; nothing is deleted.
        raise CannotStart(f"no export can be read ({' '.join(damaged)}); reset the stack to start empty")
    return Choice(None, [])


async def restore(exports: Exports, history: History, emulator: Emulator) -> Restored:
    """Start the emulator from the newest good export. Raises CannotStart."""
    choice = choose(exports.newest_first(), exports.is_good)
    await _start(exports, emulator, choice.export)
    if choice.export:
        say(f"imported {choice.export}")
    for name in choice.damaged:
        try:
            exports.set_aside(name, utc_now())
        except OSError as error:
            say(f"{name} stays where it is: {error}")
    began_at = exports.began_at(choice.export) if choice.export else None
    return judge(choice.export, began_at, bool(choice.damaged), history.last(), history.orderly_export())


async def _start(exports: Exports, emulator: Emulator, export: str | None) -> None:
    what = f"while it imported {export}, whose checksums are right" if export else "at its start"
    for attempt in range(1, TRIES + 1):
        if await emulator.start(export):
            return
        say(f"the emulator died (exit {emulator.exit_code}) {what} (try {attempt} of {TRIES})")
        if emulator.is_out_of_heap:
            break
    if export and emulator.is_out_of_memory:
        size = exports.size(export) / MEGABYTE
        raise CannotStart(
            f"out of memory {what} ({size:.0f} MB): nothing is lost. Give it more: mem_limit of the service "
            "firestore in compose/compose.yaml (twice of what is there), then ./scripts/up"
        )
    raise CannotStart(f"the emulator died {what}, see above; nothing was deleted")

"""Rebuilds the roll-ups of usage from its events, exactly, while usage is recorded.

Whoever records usage writes events and roll-ups in one atomic step, so by how much the two differ never
changes with it: a difference found at one moment can be added at any later one. To find it, a slot is read
before and after what it is compared with. While it stays the same nothing was recorded in it, as each event
counts, and all that was read in between is of one moment. The minutes of an hour and their instants are
compared with its events, then the hour with its minutes: three short reads, however many events there are. A
slot that moved is compared again; the present minute stands still as soon as it is over.

Every correction counts one up in the same atomic step, on condition that the count is as it was before the
reading. So of two repairs at once, or of one and its repetition after an answer was lost, one corrects.

Not found: instants in a minute that has neither events nor a sum in its hour. Nothing writes such.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel

from engines.budget.buckets import bucket, slot_of
from engines.budget.models import REPAIRS, Dims
from engines.budget.repair_reads import MINUTE, Instants, RepairReads, Slots, end_of
from engines.budget.rollups import Tally, rollup_write
from engines.common.documents import DocumentStore, Fields, Scope, StoreUnavailable, Write

ONLY_KEY = "sums"
STEP = 500
"""Most roll-ups that one atomic step corrects."""

ROUNDS = 120
PAUSE_SECONDS = 1.0
"""A slot is compared so often, so long apart: for more than a minute, after which it is over."""

Key = TypeVar("Key", bound=Hashable)
Sleep = Callable[[float], Awaitable[object]]


class Rebuilt(BaseModel):
    """What was found of a tenant in one env, and how many roll-ups were wrong; none when all was right.

    ``unreadable`` events are in no sum: they have no time, no provider or no cost that a sum can hold.
    """

    tenant_id: str
    env: str
    events: int = 0
    corrected: int = 0
    unreadable: int = 0


class Overtaken(Exception):
    """Another repair of the same sums corrected something meanwhile."""


async def rebuild(store: DocumentStore, scope: Scope, sleep: Sleep = asyncio.sleep) -> Rebuilt:
    """Correct every roll-up of the scope that its events contradict; may be repeated at any time.

    Raises StoreError; StoreUnavailable also when a slot never stands still. What was corrected by then stays.
    """
    reads = RepairReads(store, scope)
    rebuilt = Rebuilt(tenant_id=scope.tenant_id, env=scope.env, unreadable=await reads.undated())
    for hour in await reads.hours():
        repair = _HourRepair(store, reads, hour, rebuilt)
        for compare in (repair.compare_minutes, repair.compare_hour):
            await _until_still(compare, sleep, f"usage of the hour from {hour.isoformat()}")
    return rebuilt


async def _until_still(compare: Callable[[], Awaitable[bool]], sleep: Sleep, what: str) -> None:
    for _ in range(ROUNDS):
        try:
            if await compare():
                return
        except Overtaken:
            pass
        await sleep(PAUSE_SECONDS)
    raise StoreUnavailable(f"{what} is recorded all the time: run the repair again")


class _HourRepair:
    """The repair of one hour. A comparison returns whether nothing moved, so that all is right now."""

    def __init__(self, store: DocumentStore, reads: RepairReads, hour: datetime, rebuilt: Rebuilt) -> None:
        self._store = store
        self._reads = reads
        self._hour = hour
        self._rebuilt = rebuilt
        self._open = set(range(60))

    async def compare_minutes(self) -> bool:
        """Correct the open minutes that stand still, and their instants, by the events."""
        steps = await self._steps()
        before = await self._reads.minutes(self._hour)
        start, last = (self._hour + minute * MINUTE for minute in (min(self._open), max(self._open)))
        events, unreadable = await self._reads.events(start, end_of(last, MINUTE))
        used = {minute for minute, _ in before} | {self._minute_of(moment) for moment, _ in events}
        stored = await self._reads.instants(self._hour, used & self._open)
        moved = {minute for minute, _ in differences(await self._reads.minutes(self._hour), before)}
        still = self._open - moved
        events = {key: tally for key, tally in events.items() if self._minute_of(key[0]) in still}
        stored = {key: tally for key, tally in stored.items() if self._minute_of(key[0]) in still}
        before = {key: tally for key, tally in before.items() if key[0] in still}
        await self._correct(self._of_minutes(events, stored, before), steps)
        self._rebuilt.events += sum(tally.count for tally in events.values())
        self._rebuilt.unreadable += sum(self._minute_of(moment) in still for moment in unreadable)
        self._open &= moved
        return not self._open

    async def compare_hour(self) -> bool:
        """Correct the hour in the roll-ups of its day by its minutes, where it stands still."""
        steps = await self._steps()
        before = await self._reads.of_day(self._hour)
        sums: dict[Dims, Tally] = defaultdict(Tally)
        for (_, dims), tally in (await self._reads.minutes(self._hour)).items():
            sums[dims].add(tally.count, tally.smallest)
        moved = differences(await self._reads.of_day(self._hour), before).keys()
        day, slot = bucket(self._hour, "day"), slot_of(self._hour, "day")
        wrong = {dims: tally for dims, tally in differences(sums, before).items() if dims not in moved}
        writes = [
            rollup_write(self._reads.scope, "day", day, dims, {slot: tally}) for dims, tally in wrong.items()
        ]
        await self._correct(writes, steps)
        return not moved

    def _of_minutes(self, events: Instants, stored: Instants, before: Slots) -> list[Write]:
        sums: Slots = defaultdict(Tally)
        for (moment, dims), tally in events.items():
            sums[self._minute_of(moment), dims].add(tally.count, tally.smallest)
        minutes: dict[Dims, dict[int, Tally]] = defaultdict(dict)
        for (minute, dims), tally in differences(sums, before).items():
            minutes[dims][minute] = tally
        scope, hour = self._reads.scope, self._hour
        instants = differences(events, stored).items()
        return [
            *(rollup_write(scope, "instant", moment, dims, {0: tally}) for (moment, dims), tally in instants),
            *(rollup_write(scope, "hour", hour, dims, slots) for dims, slots in minutes.items()),
        ]

    async def _correct(self, writes: Sequence[Write], steps: int) -> None:
        for first in range(0, len(writes), STEP):
            correction = writes[first : first + STEP]
            await self._store.mutate(REPAIRS, self._reads.scope, ONLY_KEY, _next_step(steps), also=correction)
            self._rebuilt.corrected += len(correction)
            steps += 1

    async def _steps(self) -> int:
        document = await self._store.get(REPAIRS, self._reads.scope, ONLY_KEY)
        return _count_of(document.fields if document else None)

    def _minute_of(self, moment: datetime) -> int:
        return slot_of(moment, "hour")


def differences(truth: Mapping[Key, Tally], held: Mapping[Key, Tally]) -> dict[Key, Tally]:
    """What has to be added to ``held`` to make it ``truth``; nothing where they agree."""
    found = {}
    for key in truth.keys() | held.keys():
        wanted, present = truth.get(key, Tally()), held.get(key, Tally())
        if wanted != present:
            found[key] = Tally(wanted.count - present.count, wanted.smallest - present.smallest)
    return found


def _next_step(steps: int) -> Callable[[Fields | None], Fields]:
    def counted(present: Fields | None) -> Fields:
        if _count_of(present) != steps:
            raise Overtaken
        return {"steps": steps + 1}

    return counted


def _count_of(fields: Fields | None) -> int:
    return int(fields["steps"]) if fields else 0

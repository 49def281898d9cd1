"""The roll-ups of usage events: sums per bucket, slot and dimensions, written together with the events.

A summary reads roll-ups instead of events, so its cost follows the window and the number of combinations
of dimensions, not the number of events. Increments in the same atomic batch keep both in step for good, and
concurrent writers do not wait for each other. Events that something else wrote have none: see ``repair``.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from engines.budget.buckets import SLOTS, Part, bucket, rollups_of, slot_of
from engines.budget.models import Dims, Level, Rollup, UsageEvent, dims_of
from engines.budget.money import LIMBS, to_limbs, to_smallest
from engines.common.documents import Fields, Increment, Scope, Write


@dataclass
class Tally:
    """Count and cost, the cost in smallest units."""

    count: int = 0
    smallest: int = 0

    def add(self, count: int, smallest: int) -> None:
        """Add to both."""
        self.count += count
        self.smallest += smallest


def rollup_writes(scope: Scope, events: Iterable[UsageEvent]) -> list[Write]:
    """One merging write per roll-up that the events touch, however many of them touch it."""
    touched: dict[tuple[Level, datetime, Dims], dict[int, Tally]] = {}
    for event in events:
        dims, smallest, moment = dims_of(event), to_smallest(event.cost), event.created_at
        for level in SLOTS:
            slots = touched.setdefault((level, bucket(moment, level), dims), defaultdict(Tally))
            slots[slot_of(moment, level)].add(1, smallest)
    return [rollup_write(scope, *place, slots) for place, slots in touched.items()]


def tally_of(rollup: Rollup, part: Part) -> Tally:
    """The sum of the roll-up's slots that belong to the part."""
    tally = Tally()
    for slot, count, smallest in _sums(rollup):
        if part.holds(rollup.start, slot):
            tally.add(count, smallest)
    return tally


def slot_tallies(rollup: Rollup) -> dict[int, Tally]:
    """The sum of each slot of the roll-up that is not zero."""
    slots: dict[int, Tally] = defaultdict(Tally)
    for slot, count, smallest in _sums(rollup):
        slots[slot].add(count, smallest)
    return {slot: tally for slot, tally in slots.items() if tally != Tally()}


def rollup_write(
    scope: Scope, level: Level, start: datetime, dims: Dims, slots: Mapping[int, Tally]
) -> Write:
    """Adds the tallies to the slots of one roll-up."""
    fields: Fields = {"start": start, **dims._asdict()}
    for slot, tally in slots.items():
        sums = {"count": tally.count} | to_limbs(tally.smallest)
        # Most costs need two limbs of five; without the zeros a full batch takes a third less time.
        fields |= {f"s{slot:02}_{what}": Increment(by) for what, by in sums.items() if by}
    return Write(rollups_of(level, start), scope, rollup_key(start, dims), fields, merge=True)


def _sums(rollup: Rollup) -> Iterator[tuple[int, int, int]]:
    for name, value in rollup.sums.items():
        slot, _, what = name.partition("_")
        yield (int(slot[1:]), value, 0) if what == "count" else (int(slot[1:]), 0, value * LIMBS[what])


def rollup_key(start: datetime, dims: Dims) -> str:
    """Document id of a roll-up: readable in time, hashed in what clients name."""
    # JSON tells null from text and needs no separator that a name could contain.
    digest = hashlib.sha256(json.dumps(dims).encode()).hexdigest()
    return f"{start.isoformat()}_{digest[:32]}"

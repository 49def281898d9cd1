"""The roll-ups of usage events: sums per level, bucket and dimensions, written together with the events.

A summary reads buckets instead of events, so its cost follows the window and the number of combinations
of dimensions, not the number of events. Increments in the same atomic batch keep both in step for good:
nothing has to be rebuilt, and concurrent writers do not wait for each other.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from engines.budget.buckets import LEVELS, bucket, rollups_of
from engines.budget.models import Dims, Level, UsageEvent, dims_of
from engines.budget.money import to_limbs, to_smallest
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
    tallies: dict[tuple[Level, datetime, Dims], Tally] = defaultdict(Tally)
    for event in events:
        dims, smallest = dims_of(event), to_smallest(event.cost)
        for level in LEVELS:
            tallies[level, bucket(event.created_at, level), dims].add(1, smallest)
    return [_write(scope, *place, tally) for place, tally in tallies.items()]


def _write(scope: Scope, level: Level, start: datetime, dims: Dims, tally: Tally) -> Write:
    sums = {"count": tally.count} | to_limbs(tally.smallest)
    # Most costs need two limbs of five; without the zeros a full batch takes a third less time.
    added = {name: Increment(by) for name, by in sums.items() if by}
    fields: Fields = {"start": start, **dims._asdict(), **added}
    return Write(rollups_of(level, start), scope, rollup_key(start, dims), fields, merge=True)


def rollup_key(start: datetime, dims: Dims) -> str:
    """Document id of a roll-up: readable in time, hashed in what clients name."""
    # JSON tells null from text and needs no separator that a name could contain.
    digest = hashlib.sha256(json.dumps(dims).encode()).hexdigest()
    return f"{start.isoformat()}_{digest[:32]}"

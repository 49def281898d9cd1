"""What is missing, and which hours are to be compared next. Pure: nothing here reads or waits.

Only minutes that are over are compared, so that nothing under way counts as missing; and what is missing must
be so at two comparisons, some seconds apart, before it is said.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from engines.logging.arrival_hours import HOUR, hour_of
from engines.reconciliation.models import HourCheck

SETTLED = timedelta(seconds=15)
"""A minute is compared when it is over for this long: its counts are written, its events can be read."""

APART = timedelta(seconds=5)
"""Two comparisons that are at least so far apart must find the same events missing."""

WINDOW_HOURS = 24
"""Hours that are looked at by themselves, before the present one."""

AGAIN_AFTER = timedelta(minutes=5)
"""An older hour that agreed is looked at again after this time, AGAIN_AT_ONCE hours of a scope together; the
present hour and the one before it always."""
AGAIN_AT_ONCE = 2

ON_THE_WAY = timedelta(seconds=30)
"""How much later an event may begin to wait than it says of itself."""


@dataclass(frozen=True)
class Figures:
    """Events of one hour up to ``until``: accepted, stored, refused after all, and acknowledged as lost."""

    start: datetime
    until: datetime
    accepted: int
    stored: int
    refused: int = 0
    acknowledged: int = 0

    @property
    def unexplained(self) -> int:
        """How many were accepted and are nowhere, unless they wait for the sink."""
        return max(0, self.accepted - self.stored - self.refused - self.acknowledged)


def settled(now: datetime) -> datetime:
    """The end of the minutes that can be compared."""
    return (now - SETTLED).replace(second=0, microsecond=0)


def end_of(start: datetime, now: datetime) -> datetime:
    """The end of what can be compared of the hour; ``start`` when nothing can yet."""
    return max(start, min(start + HOUR, settled(now)))


def suspects(
    figures: Iterable[Figures], waiting: int, oldest_waiting: datetime | None
) -> dict[datetime, int]:
    """How many events of each hour are nowhere, 0 included; what waits explains the newest hours first."""
    found = {one.start: one.unexplained for one in figures}
    for start in sorted(found, reverse=True):
        if oldest_waiting is None or start + HOUR > oldest_waiting - ON_THE_WAY:
            explained = min(waiting, found[start])
            found[start] -= explained
            waiting -= explained
    return found


def check(figures: Figures, suspected: int, before: HourCheck | None, now: datetime) -> HourCheck:
    """The hour as it stands after a comparison; ``before`` is the comparison before it."""
    made = HourCheck(
        start=figures.start,
        until=figures.until,
        accepted=figures.accepted,
        stored=figures.stored,
        checked_at=now,
    )
    if suspected == 0:
        return made
    if before is None or before.suspected_at is None:
        return made.model_copy(update={"suspected": suspected, "suspected_at": now})
    again = min(before.suspected, suspected)
    if abs(now - before.suspected_at) < APART:
        missing = min(before.missing, suspected)
        return made.model_copy(
            update={"suspected": again, "suspected_at": before.suspected_at, "missing": missing}
        )
    return made.model_copy(update={"suspected": suspected, "suspected_at": now, "missing": again})


def due(checks: Mapping[datetime, HourCheck], now: datetime) -> list[datetime]:
    """The hours to compare now, oldest first; bounded by the window and the hours with a suspicion."""
    window = window_of(now)
    recent = window[-2:]
    unsettled = [start for start in window if _is_unsettled(checks.get(start), start)]
    doubtful = [start for start, one in checks.items() if one.suspected]
    sure = {*recent, *unsettled, *doubtful}
    agreed = [checks[start] for start in window if start not in sure]
    unseen = [one for one in agreed if abs(now - one.checked_at) >= AGAIN_AFTER]
    # An hour without events can only be wrong where the counts were.
    unseen.sort(key=lambda one: (one.accepted == 0, one.checked_at, one.start))
    return sorted({*sure, *(one.start for one in unseen[:AGAIN_AT_ONCE])})


def window_of(now: datetime) -> list[datetime]:
    """The present hour and those before it that are looked at by themselves, oldest first."""
    present = hour_of(now)
    return [present - back * HOUR for back in reversed(range(WINDOW_HOURS + 1))]


def kept(checks: Mapping[datetime, HourCheck], now: datetime) -> list[HourCheck]:
    """What is worth keeping: the window, and older hours that lack events, oldest first."""
    oldest = window_of(now)[0]
    return [checks[start] for start in sorted(checks) if start >= oldest or checks[start].suspected]


def _is_unsettled(found: HourCheck | None, start: datetime) -> bool:
    return found is None or found.until < start + HOUR

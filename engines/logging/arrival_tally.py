"""What one process counted and still remembers, and the writes that keep it.

Counts are absolute: a write says how many events this process has counted, so repeating it changes nothing.
A tally that was forgotten must not begin at zero under the same name: the ones after it have another writer.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

from engines.common.documents import Fields, Scope, Write
from engines.common.identity import ENVS
from engines.logging.arrival_days import day_write
from engines.logging.arrival_hours import HOURS, KINDS, hour_of
from engines.nexus.backends.sink import Envelope

MAX_REMEMBERED = 5_000
"""Most hours of scopes that a process remembers, about 10 KB each when all minutes have events; while the
store fails, counts of further ones are dropped."""

Place = tuple[Scope, datetime]

_NAMES = [{kind: f"m{minute:02}_{kind}" for kind in KINDS} for minute in range(60)]


@dataclass
class Tally:
    """Events of one scope and hour: how many of each slot, and the slots that were not written since."""

    writer: str
    counts: Counter[str] = field(default_factory=Counter)
    unwritten: set[str] = field(default_factory=set)

    def add(self, envelope: Envelope, *, again: bool) -> None:
        """Count one event."""
        event, names = envelope.event, _NAMES[envelope.ingested_at.minute]
        is_flagged = bool(event.pii_flags.get("flags"))
        kinds = zip(KINDS, (True, event.train_ok, is_flagged, again), strict=True)
        for name in (names[kind] for kind, counts in kinds if counts):
            self.counts[name] += 1
            self.unwritten.add(name)

    def writes(self, place: Place, slots: Iterable[str]) -> list[Write]:
        """The slots as a merging write to the hour, and the hour as one to its day."""
        scope, start = place
        fields: Fields = {"start": start} | {f"{name}~{self.writer}": self.counts[name] for name in slots}
        hour = Write(HOURS, scope, start.isoformat(), fields, merge=True)
        return [hour, day_write(scope, start, self.counts, self.writer)]


class Tallies:
    """The tallies of one process by scope and hour; the oldest first when any must be forgotten."""

    def __init__(self, sink: str) -> None:
        self._sink = sink
        self._writer = self._new_writer()
        self._of: dict[Place, Tally] = {}
        self._active: set[Scope] = set()

    def add(self, envelope: Envelope, *, again: bool) -> None:
        """Count one event. An event's env is free text; only an env that somebody can look at is counted."""
        event = envelope.event
        if event.env not in ENVS:
            return
        place = Scope(event.tenantId, event.env), hour_of(envelope.ingested_at)
        tally = self._of.get(place)
        if tally is None:
            if len(self._of) >= MAX_REMEMBERED and not self._make_room():
                return
            tally = self._of[place] = Tally(self._writer)
        tally.add(envelope, again=again)
        self._active.add(place[0])

    def take_active(self) -> set[Scope]:
        """The scopes with an event since the last time somebody asked."""
        active, self._active = self._active, set()
        return active

    def scopes(self) -> set[Scope]:
        """The scopes that are remembered."""
        return {scope for scope, _ in self._of}

    def take(self) -> dict[Place, tuple[Tally, set[str]]]:
        """What was not written, taken to be written now."""
        taken = {}
        for place, tally in self._of.items():
            if tally.unwritten:
                taken[place] = tally, tally.unwritten
                tally.unwritten = set()
        return taken

    def write_again(self, places: Iterable[Place] | None = None) -> None:
        """All that is remembered, of these places or of all, is to be written again."""
        for place in self._of.keys() if places is None else places:
            if tally := self._of.get(place):
                tally.unwritten.update(tally.counts)

    def forget_before(self, start: datetime) -> None:
        """Forget the hours before ``start`` that are written."""
        self._forget([p for p, tally in self._of.items() if p[1] < start and not tally.unwritten])

    @property
    def is_written(self) -> bool:
        """Whether nothing waits."""
        return not any(tally.unwritten for tally in self._of.values())

    def _make_room(self) -> bool:
        written = sorted((p for p, tally in self._of.items() if not tally.unwritten), key=lambda p: p[1])
        self._forget(written[: MAX_REMEMBERED // 10])
        return bool(written)

    def _forget(self, places: list[Place]) -> None:
        for place in places:
            del self._of[place]
        if places:
            self._writer = self._new_writer()

    def _new_writer(self) -> str:
        return self._sink + uuid4().hex[:8]

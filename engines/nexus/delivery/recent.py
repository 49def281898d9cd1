"""What was accepted lately, kept so that a sink or an outbox that lost it can be given it again."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

from engines.common.clock import Clock
from engines.nexus.backends.sink import Envelope

KEEP = timedelta(minutes=5)
"""How long an accepted event is kept: longer than a stand-in goes without saving what it holds."""
KEEP_BYTES = 16_000_000
"""Most bytes of JSON that are kept; the oldest events go first."""


@dataclass(frozen=True)
class AcceptedEvent:
    """One event as it was sent, and when it was accepted. ``text`` is what ``to_text`` made of it."""

    tenant_id: str
    env: str
    event_id: str
    ingested_at: datetime
    accepted_at: datetime
    text: str


class RecentEvents:
    """The events that this process accepted or drained lately, oldest first. Bounded in bytes and time."""

    def __init__(self, clock: Clock, keep: timedelta = KEEP, keep_bytes: int = KEEP_BYTES) -> None:
        self._clock = clock
        self._keep = keep
        self._keep_bytes = keep_bytes
        self._events: deque[AcceptedEvent] = deque()
        self._bytes = 0

    def add(self, envelope: Envelope, text: str) -> None:
        """Keep an event that the sink or the outbox acknowledged just now."""
        event, now = envelope.event, self._clock()
        self._events.append(
            AcceptedEvent(event.tenantId, event.env, envelope.event_id, envelope.ingested_at, now, text)
        )
        self._bytes += len(text)
        self._forget(now - self._keep)

    def all(self) -> list[AcceptedEvent]:
        """What is kept now, oldest first."""
        self._forget(self._clock() - self._keep)
        return list(self._events)

    def _forget(self, before: datetime) -> None:
        while self._events and (self._bytes > self._keep_bytes or self._events[0].accepted_at < before):
            self._bytes -= len(self._events.popleft().text)

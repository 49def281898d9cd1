"""What delivery looks like from outside: for the sink indicator."""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from engines.common.clock import Clock
from engines.common.documents import Scope
from engines.nexus.backends.sink import FailureReason, SinkError


@dataclass(frozen=True)
class LastError:
    """The newest failed write of this process."""

    at: datetime
    kind: FailureReason
    message: str


@dataclass(frozen=True)
class DeliveryState:
    """What writing looks like from this process."""

    last_error: LastError | None = None
    consecutive_failures: int = 0


class Score:
    """Keeps the state. ``down`` is the error since which the sink took nothing; a probe may clear it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.state = DeliveryState()
        self.down: SinkError | None = None
        self.failed_batches = 0
        self.stored: Counter[Scope] = Counter()
        """How many events of each scope the sink took from this process's callers."""

    def failed(self, error: SinkError) -> None:
        """Count a batch that the sink did not take."""
        last = LastError(self._clock(), error.reason, str(error))
        self.state = DeliveryState(last, self.state.consecutive_failures + 1)
        self.down = error
        self.failed_batches += 1

    def succeeded(self) -> None:
        """The sink took a batch and judged its events, whatever it said of each."""
        self.state = DeliveryState(self.state.last_error, 0)
        self.down = None


@dataclass(frozen=True)
class Undelivered:
    """A scope's events that the sink does not hold.

    ``depth`` and ``oldest_at`` are those that wait: in the outbox, and in this process until durable.
    ``dead_letters`` are those that the sink refused; None when refused events are not kept.
    """

    depth: int
    oldest_at: datetime | None
    dead_letters: int | None


@dataclass(frozen=True)
class Totals:
    """Events of all scopes in the outbox and among the dead letters; None where there is no such store."""

    outbox: int | None
    dead_letters: int | None


class DeliveryReads(Protocol):
    """The reading half of Delivery: all that a dashboard gets to hold."""

    @property
    def state(self) -> DeliveryState:
        """What writing looks like from this process."""
        ...

    def changes(self, scope: Scope) -> Hashable:
        """Another value as soon as this process knows of a change in the sink or in ``undelivered``."""
        ...

    @property
    def queued(self) -> int:
        """How many events of callers this process holds."""
        ...

    async def totals(self) -> Totals:
        """What lies in the stores, of all scopes. Raises StoreError when it cannot be read."""
        ...

    async def undelivered(self, scope: Scope) -> Undelivered:
        """What the sink does not hold of the scope's events. Raises StoreError when it cannot be read."""
        ...

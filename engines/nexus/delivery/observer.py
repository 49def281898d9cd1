"""What delivery tells of its work, for whoever counts it."""

from typing import Literal, Protocol

from engines.nexus.backends.sink import FailureKind

Result = Literal["stored", "duplicate", "outbox", "refused", "overloaded", "failed"]
"""What became of one event for its caller: in the sink now or before, in the outbox, or not accepted."""

Outcome = FailureKind | Literal["taken"]
"""What became of one batch: the sink judged its events one by one, or failed as a whole."""


class Observer(Protocol):
    """Is told; never raises, never waits."""

    def delivered(self, result: Result) -> None:
        """One event was answered to its caller."""
        ...

    def sent(self, events: int, seconds: float, outcome: Outcome) -> None:
        """One batch went to the sink, from callers or from the outbox; all its retries included."""
        ...

    def retried(self) -> None:
        """A batch is sent to the sink once more."""
        ...

    def resent(self, events: int) -> None:
        """So many events that were accepted before were missing in the sink, and were sent again."""
        ...


class Unobserved:
    """Nobody counts."""

    def delivered(self, result: Result) -> None:
        """See Observer."""

    def sent(self, events: int, seconds: float, outcome: Outcome) -> None:
        """See Observer."""

    def retried(self) -> None:
        """See Observer."""

    def resent(self, events: int) -> None:
        """See Observer."""

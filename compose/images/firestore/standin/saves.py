"""When to save: as often as saves are cheap. Pure decisions over a clock in seconds."""

from dataclasses import dataclass

SHORTEST_SECONDS = 1.0
"""Between the starts of two saves, however cheap they are."""
USUAL_LONGEST_SECONDS = 10.0
"""Between the starts of two saves while one takes less than a third of it."""
SHARE = 10
"""A save takes at most a tenth of the time, up to the usual longest interval."""
LONG_SHARE = 3
"""A save that takes long takes at most a third of the time."""
RETRY_SECONDS = 1.0
"""After a failed save, the pause before the next try."""


def interval(length: float) -> float:
    """Seconds from the start of one save to the start of the next, after one that took ``length``."""
    return min(max(SHORTEST_SECONDS, SHARE * length), max(USUAL_LONGEST_SECONDS, LONG_SHARE * length))


@dataclass
class SaveSchedule:
    """What is known of the last save, and whether the next one is due.

    ``writes`` is the door's count of finished writes: a save covers those that were counted when it began.
    """

    began: float = 0.0
    length: float = 0.0
    covered_writes: int = 0
    failed_at: float | None = None

    def is_current(self, writes: int, streaming: bool) -> bool:
        """Whether the last good save holds everything that was acknowledged."""
        return self.failed_at is None and writes == self.covered_writes and not streaming

    def is_due(self, now: float, writes: int, streaming: bool) -> bool:
        """Whether to save now; ``streaming`` is an open stream of writes, whose writes nobody counts."""
        if self.failed_at is not None:
            return now >= self.failed_at + RETRY_SECONDS
        return not self.is_current(writes, streaming) and now >= self.began + interval(self.length)

    def succeeded(self, began: float, ended: float, covered_writes: int) -> None:
        """Note a good save."""
        self.began, self.length, self.covered_writes = began, ended - began, covered_writes
        self.failed_at = None

    def failed(self, now: float) -> None:
        """Note a failed save."""
        self.failed_at = now

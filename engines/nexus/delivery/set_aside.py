"""Queues that failed for a reason of their own: left alone for a while that grows, so that others go on."""

from collections import Counter
from datetime import datetime, timedelta

from engines.common.clock import Clock
from engines.nexus.delivery.outbox_records import OutboxQueue

FIRST_WAIT_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 60.0
EVIDENCE_SECONDS = 10.0
"""So long after the sink took something of another queue a failure is taken for the queue's own."""


class SetAside:
    """What one process leaves alone, by key of the queue."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[str, tuple[datetime, float]] = {}
        self._taken: dict[str, datetime] = {}
        self._failures: Counter[str] = Counter()

    def ready(self, queue: OutboxQueue) -> bool:
        """Whether the queue may be tried now."""
        return queue.key not in self._until or self._until[queue.key][0] <= self._clock()

    def failures(self, queue: OutboxQueue) -> int:
        """How often the queue failed since the sink took something of it."""
        return self._failures[queue.key]

    def failed(self, queue: OutboxQueue) -> bool:
        """Count a failure. When it is the queue's own it is set aside; returns whether it is."""
        self._failures[queue.key] += 1
        own = self._others_pass(queue)
        if own:
            self.add(queue)
        return own

    def add(self, queue: OutboxQueue) -> None:
        """Leave the queue alone, twice as long as the last time."""
        _, last = self._until.get(queue.key, (None, 0.0))
        wait = min(LONGEST_WAIT_SECONDS, 2 * last or FIRST_WAIT_SECONDS)
        self._until[queue.key] = self._clock() + timedelta(seconds=wait), wait

    def took(self, queue: OutboxQueue) -> None:
        """The sink took something of the queue."""
        if not self._others_pass():
            # The sink is back: what failed meanwhile says nothing about any queue.
            self._failures.clear()
            self._until.clear()
        self._failures.pop(queue.key, None)
        self._until.pop(queue.key, None)
        self._taken[queue.key] = self._clock()

    def _others_pass(self, queue: OutboxQueue | None = None) -> bool:
        """Whether the sink took something lately, of another queue than this one."""
        since = self._clock() - timedelta(seconds=EVIDENCE_SECONDS)
        self._taken = {key: at for key, at in self._taken.items() if at >= since}
        return any(queue is None or key != queue.key for key in self._taken)

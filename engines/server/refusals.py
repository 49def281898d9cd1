"""What was refused is counted by its reason, and logged now and then: an attack must not fill the log."""

import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Literal, get_args

log = logging.getLogger(__name__)

Reason = Literal[
    "malformed",
    "connections",
    "head_size",
    "head_time",
    "body_size",
    "body_time",
    "unread_answer",
    "bytes_under_way",
    "tenant_bytes_under_way",
    "caller_requests",
    "hashes",
    "wrong_password",
    "wrong_system_key",
    "guessing",
]
REASONS: tuple[Reason, ...] = get_args(Reason)

QUIET_SECONDS = 10.0
"""Between two lines for one reason."""


class Refusals:
    """Counts refusals. Holds no address, account or secret."""

    def __init__(self, count: Callable[[Reason], None], now: Callable[[], float] = time.monotonic) -> None:
        self._count = count
        self._now = now
        self._since_line: Counter[Reason] = Counter()
        self._next_line: dict[Reason, float] = {}

    def add(self, reason: Reason) -> None:
        """Count one; the first of a reason is logged at once, further ones as a sum."""
        self._count(reason)
        self._since_line[reason] += 1
        if self._now() >= self._next_line.get(reason, 0.0):
            fields = {"reason": reason, "refused": self._since_line.pop(reason)}
            log.warning("refused %(refused)s requests: %(reason)s", fields, extra={"fields": fields})
            self._next_line[reason] = self._now() + QUIET_SECONDS

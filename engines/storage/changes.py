"""How often this process wrote to a collection of a scope: tells a reader that what it has may be old."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from engines.common.documents import Address, Scope

Place = tuple[Address, Scope]


class Changes:
    """Counts of writes by collection and scope, one object per store."""

    def __init__(self) -> None:
        self._counts: Counter[Place] = Counter()

    def of(self, address: Address, scope: Scope) -> int:
        """How many writes there were, failed ones included."""
        return self._counts[address, scope]

    @contextmanager
    def counted(self, places: Iterable[Place]) -> Iterator[None]:
        """Count a write to the places when it ends, however it ends: a failed one may have been stored."""
        try:
            yield
        finally:
            self._counts.update(set(places))

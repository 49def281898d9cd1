"""Readings that are shared: however many look at a tenant, a section is read once in two seconds.

A reading serves for TTL, as long as this process has written nothing to what it was read from. So who
changes something sees it at once, and sees what other processes change at most TTL later; ``observed_at``
in the section's freshness says when it was read. A reading that failed serves nobody after it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

from engines.bossman.parts import Read
from engines.common.clock import Clock
from engines.common.tracing import background

Value = TypeVar("Value")

TTL = timedelta(seconds=2)


@dataclass(frozen=True)
class _Shared:
    changes: Hashable
    at: datetime
    task: asyncio.Task[Read[Any]]

    def serves(self, changes: Hashable, now: datetime) -> bool:
        return self.changes == changes and abs(now - self.at) < TTL


class SharedReadings:
    """The readings of one process. Holds what was read in the last TTL, nothing older."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._shared: dict[Hashable, _Shared] = {}

    async def get(
        self, key: Hashable, changes: Hashable, read: Callable[[], Awaitable[Read[Value]]]
    ) -> Read[Value]:
        """What ``read`` brings, or brought for the same key and changes. Raises what ``read`` raises."""
        now = self._clock()
        found = self._shared.get(key)
        if found is None or not found.serves(changes, now):
            self._forget(now)
            found = self._shared[key] = _Shared(changes, now, background(_read(read, now)))
            found.task.add_done_callback(lambda task: self._drop_failed(key, task))
        # A caller that goes away must not cancel the reading of the others.
        return cast("Read[Value]", await asyncio.shield(found.task))

    def _forget(self, now: datetime) -> None:
        self._shared = {key: one for key, one in self._shared.items() if abs(now - one.at) < TTL}

    def _drop_failed(self, key: Hashable, task: asyncio.Task[Read[Any]]) -> None:
        failed = task.cancelled() or task.exception() is not None
        if failed and key in self._shared and self._shared[key].task is task:
            del self._shared[key]


async def _read(read: Callable[[], Awaitable[Read[Value]]], now: datetime) -> Read[Value]:
    return replace(await read(), observed_at=now)

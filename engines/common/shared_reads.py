"""Reads of the same thing at the same time as one read."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from engines.common.tracing import background

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

LONGEST_WAIT_SECONDS = 0.05
"""How long a read waits for the one before it, so that a slow store does not make two slow reads of one."""


class SharedReads(Generic[Key, Value]):
    """Shares a read among all who asked for its key before it began, and never with anybody after that.

    So nobody gets an older value than by a read of its own: a write that was done when a caller asked was
    done when the read began. While one read is under way, those who ask gather for the next.
    """

    def __init__(self, read: Callable[[Key], Awaitable[Value]]) -> None:
        self._read = read
        self._next: dict[Key, asyncio.Task[Value]] = {}
        self._under_way: dict[Key, asyncio.Task[Value]] = {}

    async def get(self, key: Key) -> Value:
        """What a read that begins from now on finds. Raises what it raises."""
        task = self._next.get(key)
        if task is None:
            task = self._next[key] = background(self._begin(key, self._under_way.get(key)))
        # A caller that leaves takes the read from nobody.
        return await asyncio.shield(task)

    async def _begin(self, key: Key, before: asyncio.Task[Value] | None) -> Value:
        if before:
            await asyncio.wait([before], timeout=LONGEST_WAIT_SECONDS)
        task = self._under_way[key] = self._next.pop(key)
        try:
            return await self._read(key)
        finally:
            if self._under_way.get(key) is task:
                del self._under_way[key]

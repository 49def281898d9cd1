"""How many bytes of bodies a process holds, in all and for each tenant, and whose turn it is."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cached_property
from math import inf
from weakref import WeakValueDictionary

from engines.common.errors import TooManyRequests, Unavailable
from engines.server.limits import ServerLimits
from engines.server.refusals import Refusals

NOBODY = ""
"""Stands for the tenant of all callers without a usable token."""

MOST_PACED = 1_000
"""Tenants that are kept in mind before those that need no pause are forgotten."""

BUSY = "too many bodies are under way; try again later"
BUSY_TENANT = "this tenant has too many bodies under way; try again later"


class Body:
    """A body; ``size`` is 0 until it is larger than small. Its tenant is found out when it is asked for."""

    def __init__(self, tenant: Callable[[], str], deadline: asyncio.Timeout) -> None:
        self._tenant = tenant
        self.size = 0
        self._deadline = deadline

    @cached_property
    def tenant(self) -> str:
        """Whose it is."""
        return self._tenant()

    def give_way(self) -> None:
        """End its reading."""
        self._deadline.reschedule(asyncio.get_running_loop().time())


class Bodies:
    """All bodies of a process that are larger than small, from their reading to the answer."""

    def __init__(self, limits: ServerLimits, refusals: Refusals) -> None:
        self._limits = limits
        self._refusals = refusals
        self._held: Counter[str] = Counter()
        self._total = 0
        self._of_nobody: dict[Body, None] = {}
        """Those that are still being read, oldest first."""
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._free_at: dict[str, float] = {}
        """The loop's time at which a tenant's last body is paid for."""
        self._at_once = asyncio.Semaphore(limits.large_bodies)

    def grow(self, body: Body, size: int) -> None:
        """Take ``size`` bytes more. Raises TooManyRequests over the tenant's share, Unavailable over all.

        Bodies of nobody that are still being read give way, oldest first.
        """
        if body.tenant == NOBODY:
            self._of_nobody.setdefault(body)
        elif self._held[body.tenant] + size > self._limits.tenant_bytes_under_way:
            self._refusals.add("tenant_bytes_under_way")
            raise TooManyRequests(BUSY_TENANT)
        while not self._has_room(body.tenant, size):
            victim = next(iter(self._of_nobody), body)
            self.release(victim)
            if victim is body:
                raise self.refusal()
            victim.give_way()
        body.size += size
        self._held[body.tenant] += size
        self._total += size

    def refusal(self) -> Unavailable:
        """Counts and makes the answer of a body that has no room."""
        self._refusals.add("bytes_under_way")
        return Unavailable(BUSY)

    def complete(self, body: Body) -> None:
        """It was read and no longer gives way."""
        self._of_nobody.pop(body, None)

    def release(self, body: Body) -> None:
        """It was answered or refused. May be called again."""
        self.complete(body)
        if not body.size:
            return
        self._total -= body.size
        self._held[body.tenant] -= body.size
        if not self._held[body.tenant]:
            del self._held[body.tenant]
        body.size = 0

    @asynccontextmanager
    async def turn(self, body: Body) -> AsyncIterator[None]:
        """Wait until it is the body's turn to be parsed and handled; tenants take turns."""
        lock = self._turns.setdefault(body.tenant, asyncio.Lock())
        async with lock:
            await asyncio.sleep(self._pace(body))
            if body.size > self._limits.large_body_bytes:
                async with self._at_once:
                    yield
                return
        yield

    def _pace(self, body: Body) -> float:
        """Seconds until a body of the tenant may begin, so that the others keep most of the processor."""
        limits, now = self._limits, asyncio.get_running_loop().time()
        rate = limits.tenant_bytes_per_second
        earliest = max(self._free_at.get(body.tenant, -inf), now - limits.tenant_burst_bytes / rate)
        if len(self._free_at) > MOST_PACED:
            self._free_at = {tenant: at for tenant, at in self._free_at.items() if at > now}
        self._free_at[body.tenant] = earliest + body.size / rate
        return max(0.0, earliest - now)

    def _has_room(self, tenant: str, size: int) -> bool:
        limits = self._limits
        of_nobody = tenant != NOBODY or self._held[tenant] + size <= limits.tenant_bytes_under_way
        return of_nobody and self._total + size <= limits.bytes_under_way

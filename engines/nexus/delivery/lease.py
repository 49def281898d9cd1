"""The lease on the outbox: one process at a time drains it, and writes to it only while it holds the lease.

``until`` is compared with each process's own clock: clocks that differ by more than the margin between two
renewals can give two holders. Then a batch is sent twice under the same ids, which stores it once.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from pydantic import BaseModel

from engines.common.clock import Clock
from engines.common.collection import Collection
from engines.common.documents import SYSTEM, Address, DocumentStore, Write

LEASES = Address("nexus_outbox_lease")
KEY = "drain"
LEASE_SECONDS = 10.0
"""Longer than sending one batch and settling it, between which the lease is not renewed."""


class LeaseRecord(BaseModel):
    """Who drains until when. ``sending`` is of the earlier layout: keys of the batch that was being sent."""

    holder: str
    until: datetime
    sending: list[str] = []


class LeaseHeld(Exception):
    """Another process holds the lease."""


class Lease:
    """This process's hold on the outbox."""

    def __init__(self, store: DocumentStore, clock: Clock) -> None:
        self._records = Collection(store, LEASES, LeaseRecord)
        self._clock = clock
        self._holder = uuid4().hex

    async def take(self) -> list[str]:
        """Take or renew; returns the keys that were being sent last. Raises LeaseHeld, StoreError."""
        now = self._clock()

        def change(present: LeaseRecord | None) -> LeaseRecord:
            if present and present.holder != self._holder and present.until > now:
                raise LeaseHeld
            return self._record(present.sending if present else [])

        return (await self._records.mutate(SYSTEM, KEY, change)).sending

    async def renew(self, also: Sequence[Write] = (), seconds: float = LEASE_SECONDS) -> None:
        """Renew and write ``also`` in one step. Raises LeaseHeld, StoreError; nothing is done then.

        While the holder is this process nobody else has held the lease since, also when it ran out.
        """

        def change(present: LeaseRecord | None) -> LeaseRecord:
            if present is None or present.holder != self._holder:
                raise LeaseHeld
            return self._record([], seconds)

        await self._records.mutate(SYSTEM, KEY, change, also)

    async def release(self) -> None:
        """Let others take it at once. Raises LeaseHeld, StoreError."""
        await self.renew(seconds=0)

    def _record(self, sending: list[str], seconds: float = LEASE_SECONDS) -> LeaseRecord:
        until = self._clock() + timedelta(seconds=seconds)
        return LeaseRecord(holder=self._holder, until=until, sending=sending)

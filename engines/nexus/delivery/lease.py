"""The lease on the outbox: one process at a time drains it, and what it was sending outlives it.

``until`` is compared with each process's own clock: clocks that differ by more than the margin between two
renewals can give two holders. Then a batch is sent twice under the same ids, which stores it once.
"""

from collections.abc import Callable, Sequence
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
    """Who drains until when, and the keys of the batch that it was sending."""

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

    async def mark(self, sending: list[str]) -> None:
        """Renew, and note what is about to be sent. Raises LeaseHeld, StoreError."""
        await self._change_own(lambda _: self._record(sending))

    async def settle(self, deletes: list[Write]) -> None:
        """Renew and delete what was sent, in one step. Raises LeaseHeld, StoreError; nothing is done then."""
        await self._change_own(lambda _: self._record([]), deletes)

    async def release(self) -> None:
        """Let others take it at once. Raises LeaseHeld, StoreError."""
        await self._change_own(lambda present: present.model_copy(update={"until": self._clock()}))

    def _record(self, sending: list[str]) -> LeaseRecord:
        until = self._clock() + timedelta(seconds=LEASE_SECONDS)
        return LeaseRecord(holder=self._holder, until=until, sending=sending)

    async def _change_own(
        self, change: Callable[[LeaseRecord], LeaseRecord], also: Sequence[Write] = ()
    ) -> None:
        def change_own(present: LeaseRecord | None) -> LeaseRecord:
            if present is None or present.holder != self._holder:
                raise LeaseHeld
            return change(present)

        await self._records.mutate(SYSTEM, KEY, change_own, also)

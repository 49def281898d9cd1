"""The way out of the outbox: oldest first, one process at a time, the same batch under the same ids again."""

import asyncio
from collections.abc import Sequence

from engines.common.documents import StoreUnavailable
from engines.nexus.backends.sink import EventSink, SinkPermanent, WriteReceipt
from engines.nexus.delivery.attempt import send
from engines.nexus.delivery.dead_letters import DeadLetters
from engines.nexus.delivery.lease import Lease, LeaseHeld
from engines.nexus.delivery.observer import Observer
from engines.nexus.delivery.outbox import Outbox, OutboxEntry
from engines.nexus.delivery.recent import RecentEvents


class Drain:
    """Sends what waits in the outbox."""

    def __init__(
        self,
        sink: EventSink,
        outbox: Outbox,
        letters: DeadLetters | None,
        lease: Lease,
        seconds: float,
        observer: Observer,
        recent: RecentEvents,
    ) -> None:
        self._sink = sink
        self._outbox = outbox
        self._letters = letters
        self._lease = lease
        self._seconds = seconds
        self._observer = observer
        self._recent = recent
        self._alone = asyncio.Lock()

    async def send_next(self) -> int:
        """Send the oldest events; returns how many left, 0 when none waits or another process drains.

        Raises SinkError when the sink does not take them, StoreError; they stay in the outbox then.
        """
        # The lease keeps other processes out, not a second call of this one.
        async with self._alone:
            try:
                return await self._send_next()
            except LeaseHeld:
                return 0

    async def _send_next(self) -> int:
        if await self._outbox.is_empty():
            return 0
        group = await self._outbox.next_group(await self._lease.take())
        if not group:
            return 0
        await self._lease.mark([entry.key for entry in group])
        batch = [entry.opened() for entry in group]
        receipts = await send(self._sink, batch, self._seconds, self._observer)
        await self._keep_refused(group, receipts)
        await self._lease.settle([self._outbox.deletion(entry) for entry in group])
        for entry, envelope, receipt in zip(group, batch, receipts, strict=True):
            if receipt.error is None:
                self._recent.add(envelope, entry.envelope)
        return len(group)

    async def release(self) -> None:
        """Let another process drain at once."""
        try:
            await self._lease.release()
        except LeaseHeld:
            return

    async def _keep_refused(self, group: Sequence[OutboxEntry], receipts: Sequence[WriteReceipt]) -> None:
        """Refused events become dead letters before they leave the outbox."""
        for entry, receipt in zip(group, receipts, strict=True):
            if receipt.error is None:
                continue
            if not isinstance(receipt.error, SinkPermanent):
                raise receipt.error
            if self._letters is None:
                raise StoreUnavailable("a refused event waits: there is no store for dead letters")
            await self._letters.keep(entry.opened(), receipt.error, self._sink.describe())

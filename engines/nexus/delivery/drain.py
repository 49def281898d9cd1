"""The way out of the outbox: every tenant in its turn, oldest first, one process at a time.

What was sent together of one queue goes out together again, under the same ids. A queue that fails while the
sink takes others is set aside; only a sink that takes nothing stops the others.
"""

import asyncio
import logging
from collections.abc import Sequence

from engines.common.clock import Clock
from engines.common.documents import StoreError, StoreTimeout, StoreUnavailable
from engines.nexus.backends.sink import Envelope, EventSink, SinkError, SinkPermanent, WriteReceipt
from engines.nexus.delivery.attempt import send
from engines.nexus.delivery.dead_letters import DeadLetters
from engines.nexus.delivery.lease import Lease, LeaseHeld
from engines.nexus.delivery.observer import Observer
from engines.nexus.delivery.outbox import Outbox
from engines.nexus.delivery.outbox_records import OutboxQueue
from engines.nexus.delivery.recent import RecentEvents
from engines.nexus.delivery.set_aside import SetAside
from engines.nexus.delivery.text import to_text
from engines.nexus.delivery.turn import Group, Turns
from engines.nexus.delivery.uncounted import Uncounted

log = logging.getLogger(__name__)

PROBE_SECONDS = 2.5
FAILURES = 2
"""After so many queues failed one by one and none was taken, it is the sink's failure."""
LOOKS = 12
"""Of so many looks at an outbox where nobody waits, one is at its entries too."""


Failure = tuple[Group, Exception]
"""A group that stays in the outbox, and why."""


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
        clock: Clock,
    ) -> None:
        self._sink = sink
        self._outbox = outbox
        self._letters = letters
        self._lease = lease
        self._seconds = seconds
        self._observer = observer
        self._recent = recent
        self._turns = Turns(outbox)
        self._uncounted = Uncounted(outbox)
        self._aside = SetAside(clock)
        self._alone = asyncio.Lock()
        self._holds = False
        self._looks = 0

    async def send_next(self) -> int:
        """Send some events of every tenant that waits; returns how many left, 0 when there is nothing to do.

        Raises SinkError when the sink takes nothing, StoreError; what was not taken stays in the outbox.
        """
        # The lease keeps other processes out, not a second call of this one.
        async with self._alone:
            try:
                sent = await self._send_next()
            except LeaseHeld:
                self._holds = False
                return 0
            if not sent and self._holds:
                await self.release()
            return sent

    async def release(self) -> None:
        """Let another process drain at once."""
        self._holds = False
        try:
            await self._lease.release()
        except LeaseHeld:
            return

    async def _send_next(self) -> int:
        failure: Exception | None = None
        while queues := await self._queues():
            groups = await self._turns.next(queues)
            if not groups:
                break
            for group in groups:
                if group.stuck:
                    self._aside.add(group.queue)
            sent, failed = await self._send_turn([group for group in groups if group.ready])
            if sent:
                return sent
            failure = failed or failure
        if failure:
            raise failure
        return 0

    async def _queues(self) -> list[OutboxQueue]:
        """The queues that can be tried now, read under the lease; none when nobody waits."""
        queues = await self._outbox.queues()
        looks = not self._looks % LOOKS
        if looks or any(queue.depth for queue in queues):
            queues = await self._under_lease(queues, looks)
        if looks or not any(queue.depth for queue in queues):
            self._looks += 1
        await asyncio.gather(*(self._outbox.forget(queue) for queue in queues if not queue.depth))
        return [queue for queue in queues if queue.depth and self._aside.ready(queue)]

    async def _under_lease(self, queues: list[OutboxQueue], looks: bool) -> list[OutboxQueue]:
        """The queues as they are once this process holds the lease, with all entries counted."""
        sending: list[str] = []
        if not self._holds:
            sending = await self._lease.take()
            self._holds = True
            queues = await self._outbox.queues()
        if (looks or sending) and await self._count_uncounted(queues, sending):
            queues = await self._outbox.queues()
        return queues

    async def _count_uncounted(self, queues: Sequence[OutboxQueue], sending: Sequence[str]) -> bool:
        try:
            return await self._uncounted.count_in(queues, sending)
        except StoreTimeout as error:
            # The stand-in takes the longer the more waits. What has a queue is sent all the same.
            log.warning("the outbox was not looked through for entries without a queue: %s", error)
            return False

    async def _send_turn(self, groups: Sequence[Group]) -> tuple[int, Exception | None]:
        """Send the groups; returns how many events left, and the error of a queue that is set aside.

        Raises SinkError or StoreError when nothing left and it is not the failure of some queues alone.
        """
        usual = [group for group in groups if not self._aside.failures(group.queue)]
        # A queue that failed goes alone, so that it delays the others once and not each time.
        suspects = [group for group in groups if self._aside.failures(group.queue)][:1]
        if not usual and not suspects:
            return 0, None
        await self._mark([*usual, *suspects])
        sent, failed = await self._send(usual, suspects)
        own = [self._aside.failed(group.queue) for group, _ in failed]
        for group, error in failed:
            log.warning("events of %s stay in the outbox: %s", group.queue.tenant_id, error)
        if not sent and not all(own):
            raise failed[own.index(False)][1]
        return sent, failed[-1][1] if failed else None

    async def _mark(self, groups: Sequence[Group]) -> None:
        """Note what is sent together, in one step with the proof that the lease is held."""
        unmarked = [group for group in groups if group.queue.sending != group.length]
        await self._lease.renew([self._outbox.marked(group.queue, group.length) for group in unmarked])

    async def _send(self, usual: Sequence[Group], suspects: Sequence[Group]) -> tuple[int, list[Failure]]:
        """Send the usual ones together, or one by one if the sink refuses that, and the suspects alone."""
        sent, failed = 0, list[Failure]()
        try:
            sent, failed = await self._send_together(usual)
        except SinkError as error:
            if not await self._passes_a_probe():
                raise
            if len(usual) == 1:
                failed = [(usual[0], error)]
            else:
                suspects = [*usual, *suspects]
        for group in suspects:
            if len(failed) >= FAILURES and not sent:
                break
            await self._lease.renew()
            try:
                more, errors = await self._send_together([group])
            except SinkError as error:
                more, errors = 0, [(group, error)]
            sent += more
            failed += errors
        return sent, failed

    async def _send_together(self, groups: Sequence[Group]) -> tuple[int, list[Failure]]:
        """Send as one batch; what was taken leaves the outbox. Returns how many did, and who stays."""
        batch = [envelope for group in groups for envelope in group.envelopes]
        answers = await send(self._sink, batch, self._seconds, self._observer) if batch else []
        receipts = iter(answers)
        taken, failed = list[Group](), list[Failure]()
        for group in groups:
            try:
                await self._keep_refused([(envelope, next(receipts)) for envelope in group.envelopes])
            except (SinkError, StoreError) as error:
                failed.append((group, error))
            else:
                taken.append(group)
        await self._settle(taken)
        for envelope, receipt in zip(batch, answers, strict=True):
            if receipt.error is None:
                self._recent.add(envelope, to_text(envelope))
        return sum(len(group.keys) for group in taken), failed

    async def _settle(self, groups: Sequence[Group]) -> None:
        """What was taken leaves the outbox, in one step with the proof that the lease is held."""
        if not groups:
            return
        leaving = [self._outbox.taken_out(group.queue, group.length, group.keys) for group in groups]
        await self._lease.renew([write for writes in leaving for write in writes])
        for group in groups:
            if group.keys:
                self._aside.took(group.queue)

    async def _keep_refused(self, receipts: Sequence[tuple[Envelope, WriteReceipt]]) -> None:
        """Refused events become dead letters before they leave the outbox."""
        for envelope, receipt in receipts:
            if receipt.error is None:
                continue
            if not isinstance(receipt.error, SinkPermanent):
                raise receipt.error
            if self._letters is None:
                raise StoreUnavailable("a refused event waits: there is no store for dead letters")
            await self._letters.keep(envelope, receipt.error, self._sink.describe(), accepted=True)

    async def _passes_a_probe(self) -> bool:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self._sink.probe()
        except (SinkError, TimeoutError):
            return False
        return True

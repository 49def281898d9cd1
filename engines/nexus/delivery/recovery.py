"""Recovery: a sink or a store that came back with less than it had acknowledged is given it again.

A break is a batch that the sink did not take, or a stand-in that started again (another ``generation``).
After it, what was accepted lately is read back from the sink, and what is missing is sent again under the
same ids. What is no longer kept cannot be sent again: the comparison of accepted and stored events counts it.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Protocol

from engines.common.documents import Scope, StoreError
from engines.nexus.backends.sink import Envelope, EventSink, SinkError, SinkPermanent
from engines.nexus.delivery.attempt import send
from engines.nexus.delivery.observer import Observer
from engines.nexus.delivery.recent import AcceptedEvent, RecentEvents
from engines.nexus.delivery.text import from_text, plain

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
"""How often a break is looked for."""
RETRY_SECONDS = 10.0
"""How long to wait before another try, when the last one could not be finished."""
PROBE_SECONDS = 2.5
SEND_SECONDS = 30.0
BATCH_EVENTS = 500
BATCH_BYTES = 4_000_000

Generation = Callable[[], Awaitable[str | None]]
"""Identifies the present start of the store behind; None while it is unknown. Never raises."""

Restore = Callable[[Sequence[Envelope]], Awaitable[None]]
"""Stores again what belongs beside the events, where it is missing. Raises StoreError."""


class Breaks(Protocol):
    """What delivery knows of the sink's failures."""

    @property
    def failed_batches(self) -> int:
        """How many batches the sink did not take since the start of this process."""
        ...

    async def waiting(self, scope: Scope) -> int:
        """How many of the scope's events wait in the outbox. Raises StoreError."""
        ...


class Recovery:
    """Watches for breaks and mends what they left. ``sink`` is the caller's."""

    def __init__(
        self,
        sink: EventSink,
        recent: RecentEvents,
        breaks: Breaks,
        observer: Observer,
        generation: Generation | None = None,
        restore: Sequence[Restore] = (),
    ) -> None:
        self._sink = sink
        self._recent = recent
        self._breaks = breaks
        self._observer = observer
        self._generation = generation
        self._restore = restore
        self._known: str | None = None
        self._failed_before = 0
        self._due = False
        self._store_came_back = False
        self._running: asyncio.Task[None] | None = None

    def found_missing(self, scope: Scope) -> None:
        """Look again, if anything of the scope is kept: accepted events of it were found missing."""
        kept = (Scope(event.tenant_id, event.env) for event in self._recent.all())
        self._due = self._due or scope in kept

    def start(self) -> None:
        """Watch from now on."""
        self._running = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Stop watching."""
        if self._running:
            self._running.cancel()
            await asyncio.wait([self._running])

    async def look(self) -> bool:
        """Mend what a break left, if there was one; returns whether all is mended now."""
        await self._notice()
        if not self._due:
            return True
        if not await self._sink_answers():
            return False
        self._due = mended = False  # whoever finds something missing meanwhile makes it due again
        try:
            mended = await self._mend()
        except (SinkError, StoreError) as error:
            log.warning("what was accepted lately cannot be compared with the sink yet: %s", error)
        finally:
            self._due = self._due or not mended
        return mended

    async def _watch(self) -> None:
        while True:
            try:
                mended = await self.look()
            except Exception as error:
                # Whatever it was, the next look must come.
                log.error("recovery failed in an unforeseen way: %s", type(error).__name__)
                mended = False
            await asyncio.sleep(LOOK_SECONDS if mended else RETRY_SECONDS)

    async def _notice(self) -> None:
        failed = self._breaks.failed_batches
        if failed != self._failed_before:
            self._failed_before, self._due = failed, True
        found = await self._generation() if self._generation else None
        if found is not None and found != self._known:
            if self._known is not None:
                self._due = self._store_came_back = True
            self._known = found

    async def _sink_answers(self) -> bool:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self._sink.probe()
        except (SinkError, TimeoutError):
            return False
        return True

    async def _mend(self) -> bool:
        """Send again what is missing; returns whether nothing is left to be looked at again."""
        events = self._recent.all()
        missing, is_done = await self._missing(events)
        for batch in _batches(missing):
            is_done = await self._send(batch) and is_done
        if self._store_came_back:
            envelopes = [from_text(event.text) for event in events]
            for restore in self._restore:
                await restore(envelopes)
            self._store_came_back = False
        return is_done

    async def _missing(self, events: Sequence[AcceptedEvent]) -> tuple[list[AcceptedEvent], bool]:
        """The events that the sink does not hold, and whether all could be compared."""
        if self._sink.describe().discards:
            return [], True
        by_place: dict[tuple[str, str], list[AcceptedEvent]] = defaultdict(list)
        for event in events:
            by_place[event.tenant_id, event.env].append(event)
        missing: list[AcceptedEvent] = []
        all_compared = True
        for (tenant_id, env), accepted in by_place.items():
            if await self._breaks.waiting(Scope(tenant_id, plain(env))):
                all_compared = False  # what waits in the outbox is not missing, and leaves it later
                continue
            since = min(event.ingested_at for event in accepted)
            there = {
                record.fields.get("event_id")
                async for record in self._sink.records(tenant_id, env, since)
                if record.fields
            }
            missing += [event for event in accepted if event.event_id not in there]
        return missing, all_compared

    async def _send(self, batch: Sequence[AcceptedEvent]) -> bool:
        """Send the batch; returns whether the sink judged every event of it. Raises SinkError."""
        receipts = await send(self._sink, [from_text(event.text) for event in batch], SEND_SECONDS)
        resent = sum(receipt.outcome == "stored" for receipt in receipts)
        if resent:
            log.warning("%d accepted events were missing in the sink and were sent again", resent)
            self._observer.resent(resent)
        errors = [(receipt.event_id, receipt.error) for receipt in receipts if receipt.error]
        for event_id, error in errors:
            log.error("accepted event %s is not sent again: %s", event_id, error)
        return all(isinstance(error, SinkPermanent) for _, error in errors)


def _batches(events: Sequence[AcceptedEvent]) -> Iterator[list[AcceptedEvent]]:
    """Cut into batches that a sink takes, in order."""
    batch: list[AcceptedEvent] = []
    size = 0
    for event in events:
        if batch and (len(batch) == BATCH_EVENTS or size + len(event.text) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += len(event.text)
    if batch:
        yield batch

"""The object-store sink: newline-delimited JSON in a bucket, laid out as object_store_layout says.

Every object is written create-only under a name made of its events, so the same batch again meets the same
names and is answered ``duplicate``. The same id in another batch is stored again and answered ``stored``:
readers keep the first by ``ingested_at``, as ``scan`` does.
"""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from engines.common.storable import NotStorable
from engines.nexus.backends import object_store_counting as counting
from engines.nexus.backends.object_store_bucket import Bucket
from engines.nexus.backends.object_store_layout import (
    Line,
    Part,
    Stored,
    decode,
    encode,
    folder,
    parts,
    stored,
)
from engines.nexus.backends.object_store_records import may_hold, records_of, time_of
from engines.nexus.backends.sink import (
    NOT_AN_EVENT,
    UNDATED,
    Envelope,
    Erased,
    Record,
    SinkDescription,
    SinkError,
    SinkPermanent,
    SinkRetryable,
    WriteReceipt,
)

WRITE_SECONDS = 4.0
READ_SECONDS = 2.0
SCAN_SECONDS = 10.0
"""Longest time for one step of a scan: a listing, or a few objects read at once."""
COUNT_SECONDS = 30.0
"""Longest time for a count: a busy hour may have tens of thousands of names."""
READ_AHEAD = 8
"""Objects read at once by a scan."""


class ObjectStoreSink:
    """Events in one bucket, which the sink closes."""

    def __init__(self, bucket: Bucket, prefix: str, target: str, *, stand_in: bool) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._target = target
        self._stand_in = stand_in
        self._bucket_seen = False

    def describe(self) -> SinkDescription:
        """See SinkReads.describe."""
        return SinkDescription("object_store", type(self).__name__, self._target, self._stand_in)

    async def write(self, batch: Sequence[Envelope]) -> list[WriteReceipt]:
        """See EventSink.write. One object for each tenant, env and hour of the batch."""
        receipts: dict[int, WriteReceipt] = {}
        lines: dict[tuple[str, str], Line] = {}
        for position, envelope in enumerate(batch):
            key = envelope.event.tenantId, envelope.event_id
            try:
                line = Line(position, envelope, encode(envelope))
            except NotStorable as error:
                receipts[position] = self._refused(envelope, str(error))
                continue
            if lines.setdefault(key, line) is not line:
                receipts[position] = WriteReceipt(envelope.event_id, "duplicate")
        for part, created in await self._create(list(parts(self._prefix, lines.values()))):
            for line in part.lines:
                outcome = WriteReceipt(line.envelope.event_id, "stored" if created else "duplicate")
                receipts[line.position] = outcome
        return [receipts[position] for position in range(len(batch))]

    async def latest(self, tenant_id: str, env: str) -> datetime | None:
        """See SinkReads.latest. Three listings: the days, the hours of the newest, its first name."""
        root = folder(self._prefix, tenant_id, env)
        async with self._bounded(READ_SECONDS):
            async for hour in self._hours(root, newest_first=True):
                async for name in self._bucket.names(hour, page=10):
                    if found := stored(name):
                        return found.newest
            async for _ in self._bucket.names(root, page=1):
                raise SinkError(self._target, UNDATED)
        return None

    async def probe(self) -> None:
        """List what a write would create: the bucket is there, and this process may reach it."""
        self._bucket_seen = False
        async with self._bounded(READ_SECONDS):
            async for _ in self._bucket.names(folder(self._prefix, "probe", "probe"), page=1):
                break
        self._bucket_seen = True

    async def scan(self, tenant_id: str, env: str, since: datetime | None = None) -> AsyncIterator[Envelope]:
        """See SinkReads.scan. An id that comes again in the same or the next hour is left out."""
        root = folder(self._prefix, tenant_id, env)
        first = f"{root}{since.astimezone(UTC):%Y-%m-%d/%H}/" if since else root
        before: set[str] = set()
        async for hour in self._hours(root, first=first):
            seen: set[str] = set()
            async for envelope in self._events(hour):
                known = envelope.event_id in seen or envelope.event_id in before
                seen.add(envelope.event_id)
                if not known and (since is None or envelope.ingested_at >= since):
                    yield envelope
            before = seen

    async def count(self, tenant_id: str, env: str, start: datetime, end: datetime) -> int:
        """See SinkReads.count. From the names; opens what lies across an end, or does not say how many.

        An id that was stored again in another batch counts again.
        """
        async with self._bounded(COUNT_SECONDS):
            return await counting.count(self._bucket, folder(self._prefix, tenant_id, env), start, end)

    async def records(
        self, tenant_id: str, env: str | None = None, since: datetime | None = None
    ) -> AsyncIterator[Record]:
        """See SinkReads.records. One object at a time; one that the sink did not write is not opened."""
        async for name in self._names(self._root(tenant_id, env)):
            if stored(name) is None:
                yield Record(name, None)
            elif may_hold(name, since):
                async with self._bounded(SCAN_SECONDS):
                    body = await self._bucket.read(name)
                for record in records_of(self._prefix, tenant_id, name, body):
                    at = time_of(record.fields or {}) if since else None
                    if since is None or at is None or at >= since:
                        yield record

    async def erase(self, tenant_id: str) -> Erased:
        """See ErasableSink.erase. Counts objects, each of which holds events of this tenant alone."""
        async with self._bounded(SCAN_SECONDS):
            names = [name async for name in self._bucket.names(f"{self._prefix}{tenant_id}/")]
        for start in range(0, len(names), READ_AHEAD):
            async with self._bounded(SCAN_SECONDS):
                await asyncio.gather(*map(self._bucket.delete, names[start : start + READ_AHEAD]))
        return Erased(len(names))

    async def close(self) -> None:
        """Close the bucket."""
        await self._bucket.close()

    def _refused(self, envelope: Envelope, words: str) -> WriteReceipt:
        return WriteReceipt(envelope.event_id, "refused", SinkPermanent(self._target, words, "refused"))

    async def _create(self, batch: list[Part]) -> list[tuple[Part, bool]]:
        """Create every object. Raises when one is not known to be stored, so that all are sent again."""
        async with self._bounded(WRITE_SECONDS):
            if batch and not self._bucket_seen:
                await self.probe()  # a stand-in creates a bucket that is missing, and so hides its loss
            creations = (self._bucket.create(part.name, part.body) for part in batch)
            results = await asyncio.gather(*creations, return_exceptions=True)
        errors = [result for result in results if isinstance(result, BaseException)]
        if errors:
            raise self._worst(errors, len(batch))
        return [(part, result is True) for part, result in zip(batch, results, strict=True)]

    def _worst(self, errors: list[BaseException], total: int) -> BaseException:
        """What to raise: anything but a failure of all parts alike is worth sending the batch again."""
        worst = next((error for error in errors if not isinstance(error, SinkRetryable)), errors[0])
        if len(errors) == total or not isinstance(worst, SinkError):
            return worst
        return SinkRetryable(self._target, f"stored in part: {worst.cause}", worst.reason)

    def _root(self, tenant_id: str, env: str | None) -> str:
        return f"{self._prefix}{tenant_id}/" if env is None else folder(self._prefix, tenant_id, env)

    async def _names(self, root: str) -> AsyncIterator[str]:
        """All names below ``root``, however many pages there are; each is waited for alone."""
        names = self._bucket.names(root)
        while True:
            async with self._bounded(SCAN_SECONDS):
                name = await anext(names, None)
            if name is None:
                return
            yield name

    async def _hours(self, root: str, first: str = "", newest_first: bool = False) -> AsyncIterator[str]:
        """Folders of hours below ``root``, from ``first`` on."""
        for day in sorted(await self._listed(root), reverse=newest_first):
            if f"{root}{day}/" < first[: len(root) + 11]:
                continue
            for hour in sorted(await self._listed(f"{root}{day}/"), reverse=newest_first):
                if (path := f"{root}{day}/{hour}/") >= first:
                    yield path

    async def _listed(self, prefix: str) -> list[str]:
        async with self._bounded(SCAN_SECONDS):
            return await self._bucket.folders(prefix)

    async def _events(self, hour: str) -> AsyncIterator[Envelope]:
        """Events of an hour, oldest first; holds READ_AHEAD objects and what overlaps with them in time."""
        waiting: list[tuple[datetime, str, int, Envelope]] = []
        order = itertools.count()
        async for item, envelopes in self._objects(hour):
            while waiting and waiting[0][0] < item.oldest:
                yield heapq.heappop(waiting)[-1]
            for envelope in envelopes:
                heapq.heappush(waiting, (envelope.ingested_at, envelope.event_id, next(order), envelope))
        while waiting:
            yield heapq.heappop(waiting)[-1]

    async def _objects(self, hour: str) -> AsyncIterator[tuple[Stored, list[Envelope]]]:
        """Objects of an hour with their events, in order of their oldest event."""
        async with self._bounded(SCAN_SECONDS):
            found = [item async for name in self._bucket.names(hour) if (item := stored(name))]
        found.sort(key=lambda item: item.oldest)
        for start in range(0, len(found), READ_AHEAD):
            group = found[start : start + READ_AHEAD]
            async with self._bounded(SCAN_SECONDS):
                bodies = await asyncio.gather(*(self._bucket.read(item.name) for item in group))
            for item, body in zip(group, bodies, strict=True):
                yield item, self._decoded(body)

    def _decoded(self, body: bytes) -> list[Envelope]:
        try:
            return decode(body)
        except (ValueError, TypeError, RecursionError):
            raise SinkError(self._target, NOT_AN_EVENT) from None

    @asynccontextmanager
    async def _bounded(self, seconds: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            raise SinkRetryable(self._target, "no answer in time", "timeout") from error

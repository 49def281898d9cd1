"""The sink that discards every event. The dashboard shows it as ``off``."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from engines.nexus.backends.sink import (
    Envelope,
    Erased,
    Record,
    SinkDescription,
    SinkMisconfigured,
    WriteReceipt,
)


class NoopSink:
    """Stores nothing."""

    def describe(self) -> SinkDescription:
        """See SinkReads.describe."""
        return SinkDescription("noop", type(self).__name__, "nowhere", stand_in=False, discards=True)

    async def write(self, batch: Sequence[Envelope]) -> list[WriteReceipt]:
        """Discard the batch."""
        return [WriteReceipt(envelope.event_id, "stored") for envelope in batch]

    async def latest(self, tenant_id: str, env: str) -> datetime | None:
        """Never anything."""
        return None

    async def probe(self) -> None:
        """Always passes."""

    async def scan(self, tenant_id: str, env: str, since: datetime | None = None) -> AsyncIterator[Envelope]:
        """Never anything."""
        nothing: tuple[Envelope, ...] = ()
        for envelope in nothing:
            yield envelope

    async def count(self, tenant_id: str, env: str, start: datetime, end: datetime) -> int:
        """Raises SinkMisconfigured: nothing is kept, so nothing can be counted."""
        raise SinkMisconfigured(self.describe().target, "every event is discarded (NEXUS_BACKEND=noop)")

    async def records(
        self, tenant_id: str, env: str | None = None, since: datetime | None = None
    ) -> AsyncIterator[Record]:
        """Never anything."""
        nothing: tuple[Record, ...] = ()
        for record in nothing:
            yield record

    async def erase(self, tenant_id: str) -> Erased:
        """Nothing is kept."""
        return Erased(0)

    async def close(self) -> None:
        """Nothing to close."""

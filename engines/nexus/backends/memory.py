"""The sink in process memory: for tests only, NEXUS_BACKEND does not select it.

Same semantics as the real sinks, proven by the same conformance suite.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from engines.common.storable import NotStorable, check_event
from engines.nexus.backends.sink import (
    Envelope,
    Erased,
    Record,
    SinkDescription,
    SinkPermanent,
    WriteReceipt,
)


class MemorySink:
    """Events in a dict per tenant."""

    def __init__(self) -> None:
        self._tenants: dict[str, dict[str, Envelope]] = {}

    def describe(self) -> SinkDescription:
        """See SinkReads.describe."""
        return SinkDescription("memory", type(self).__name__, "process memory", stand_in=True)

    async def write(self, batch: Sequence[Envelope]) -> list[WriteReceipt]:
        """See EventSink.write."""
        return [self._write_one(envelope) for envelope in batch]

    async def latest(self, tenant_id: str, env: str) -> datetime | None:
        """See SinkReads.latest."""
        return max((envelope.ingested_at for envelope in self._of(tenant_id, env)), default=None)

    async def probe(self) -> None:
        """Always passes."""

    async def scan(self, tenant_id: str, env: str, since: datetime | None = None) -> AsyncIterator[Envelope]:
        """See SinkReads.scan."""
        for envelope in sorted(self._of(tenant_id, env), key=lambda item: item.ingested_at):
            if since is None or envelope.ingested_at >= since:
                yield envelope

    async def count(self, tenant_id: str, env: str, start: datetime, end: datetime) -> int:
        """See SinkReads.count."""
        return sum(start <= envelope.ingested_at < end for envelope in self._of(tenant_id, env))

    async def records(
        self, tenant_id: str, env: str | None = None, since: datetime | None = None
    ) -> AsyncIterator[Record]:
        """See SinkReads.records."""
        for event_id, envelope in self._tenants.get(tenant_id, {}).items():
            wanted = env is None or envelope.event.env == env
            if wanted and (since is None or envelope.ingested_at >= since):
                fields = envelope.event.model_dump() | envelope.model_dump(exclude={"event"})
                yield Record(f"process memory/{tenant_id}/{event_id}", fields)

    async def erase(self, tenant_id: str) -> Erased:
        """See ErasableSink.erase."""
        return Erased(len(self._tenants.pop(tenant_id, {})))

    async def close(self) -> None:
        """Nothing to close."""

    def _of(self, tenant_id: str, env: str) -> list[Envelope]:
        return [item for item in self._tenants.get(tenant_id, {}).values() if item.event.env == env]

    def _write_one(self, envelope: Envelope) -> WriteReceipt:
        stored = self._tenants.setdefault(envelope.event.tenantId, {})
        if envelope.event_id in stored:
            return WriteReceipt(envelope.event_id, "duplicate")
        try:
            check_event(dict(envelope.event))
        except NotStorable as error:
            refusal = SinkPermanent("process memory", str(error), "refused")
            return WriteReceipt(envelope.event_id, "refused", refusal)
        stored[envelope.event_id] = envelope.model_copy(deep=True)
        return WriteReceipt(envelope.event_id, "stored")

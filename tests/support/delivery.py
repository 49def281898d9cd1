"""Several deliveries over one faulty sink and one outbox, as processes share them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from engines.common.documents import SYSTEM, Fields
from engines.nexus.backends.sink import Envelope, SinkError, SinkRetryable, WriteReceipt
from engines.nexus.delivery import Delivered, Delivery, Limits
from engines.nexus.delivery.dead_letters import DEAD_LETTERS
from engines.nexus.delivery.outbox import Outbox
from engines.nexus.delivery.outbox_records import OUTBOX
from engines.nexus.delivery.queue import Waiting
from engines.nexus.delivery.text import from_text, to_text
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import QUICK, MovableClock
from tests.support.faults import FaultySink, FaultyStore
from tests.support.records import dataset_event, stored_events

AWAY = SinkRetryable("memory/events", "away", "unreachable")


class WatchedSink(FaultySink):
    """Remembers every batch that it was asked to write, and can be made to wait until ``gate`` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[str]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def write(self, batch: Sequence[Envelope]) -> list[WriteReceipt]:
        self.batches.append([envelope.event_id for envelope in batch])
        self.asked.set()
        await self.gate.wait()
        return await super().write(batch)


class PickySink(WatchedSink):
    """Fails for a batch that holds an event of a tenant in ``refuses``, and takes any other."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses: dict[str, SinkError] = {}

    async def write(self, batch: Sequence[Envelope]) -> list[WriteReceipt]:
        for tenant_id in {envelope.event.tenantId for envelope in batch} & self.refuses.keys():
            self.batches.append([envelope.event_id for envelope in batch])
            raise self.refuses[tenant_id]
        return await super().write(batch)


@dataclass
class Processes:
    """What the processes share, and what tests ask of it."""

    clock: MovableClock = field(default_factory=MovableClock)
    sink: WatchedSink = field(default_factory=WatchedSink)
    store: FaultyStore = field(init=False)

    def __post_init__(self) -> None:
        self.store = FaultyStore(MemoryDocumentStore(self.clock))

    def process(self, limits: Limits = QUICK) -> Delivery:
        """One more process with the shared outbox."""
        return Delivery(self.sink, self.clock, outbox=self.store, letters=self.store, limits=limits)

    def alone(self, limits: Limits = QUICK) -> Delivery:
        """A process without an outbox."""
        return Delivery(self.sink, self.clock, letters=self.store, limits=limits)

    def envelope(self, event_id: str, **event: object) -> Envelope:
        return Envelope(event_id=event_id, ingested_at=self.clock.now, event=dataset_event(**event))

    async def deliver(self, process: Delivery, *event_ids: str) -> list[Delivered | BaseException]:
        """Deliver all at the same time; each with its answer or its error, in order."""
        calls = [process.deliver(self.envelope(event_id)) for event_id in event_ids]
        return await asyncio.gather(*calls, return_exceptions=True)

    async def put_aside(
        self, *event_ids: str, tenant_id: str = "t_acme", env: str = "dev", tried: bool = False
    ) -> None:
        """One batch of the tenant into the outbox, as a process does that does not drain."""
        loop = asyncio.get_running_loop()
        batch = []
        for event_id in event_ids:
            envelope = self.envelope(event_id, tenantId=tenant_id, env=env)
            answer: asyncio.Future[Delivered] = loop.create_future()
            batch.append(Waiting(envelope, to_text(envelope), loop.time(), self.clock.now, answer))
        await Outbox(self.store, self.clock).add(batch, tried=tried)

    async def waiting(self) -> list[Fields]:
        """What lies in the outbox, oldest first."""
        return [document.fields for document in await self.store.scan(OUTBOX, SYSTEM)]

    async def held(self) -> set[str]:
        """Ids of t_acme that are durable: in the sink or in the outbox."""
        opened = {from_text(entry["envelope"]).event_id for entry in await self.waiting()}
        return opened | set(await self.stored())

    async def letters(self) -> list[Fields]:
        return [document.fields for document in await self.store.scan(DEAD_LETTERS, SYSTEM)]

    async def stored(self) -> list[str]:
        """Ids that the sink holds for t_acme in dev."""
        return sorted(envelope.event_id for envelope in await stored_events(self.sink))

    def sink_down(self, error: SinkError = AWAY) -> None:
        self.sink.faults["write"] = error

    def sink_up(self) -> None:
        self.sink.faults.clear()

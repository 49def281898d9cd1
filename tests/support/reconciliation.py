"""Processes that accept events of one tenant, a sink that can lose them, and reconciliation over both."""

from dataclasses import dataclass, field
from datetime import datetime

from engines.common.collection import Collection
from engines.common.documents import Scope
from engines.logging.arrivals import Arrivals
from engines.logging.progress import PROGRESS, Progress
from engines.nexus.backends.sink import Envelope, SinkRetryable
from engines.nexus.delivery import Delivery
from engines.reconciliation.acknowledging import acknowledged
from engines.reconciliation.comparison import Comparison
from engines.reconciliation.models import Loss, Reconciliation
from engines.reconciliation.service import Reconciler
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import QUICK, MovableClock
from tests.support.faults import FaultySink, FaultyStore
from tests.support.records import dataset_event

ACME = Scope("t_acme", "dev")
AWAY = SinkRetryable("memory/events", "away", "unreachable")
CLEAN = {"flags": [], "policy_reason": "no_pii_detected"}


@dataclass
class World:
    """Everything that accepted events touch, with a clock that tests move."""

    clock: MovableClock = field(default_factory=MovableClock)
    sink: FaultySink = field(default_factory=FaultySink)
    tenants: set[str] = field(default_factory=lambda: {"t_acme"})
    healed: list[tuple[Scope, Loss]] = field(default_factory=list)
    taken: dict[str, Envelope] = field(default_factory=dict)
    """What was deleted from the sink behind everybody's back."""

    def __post_init__(self) -> None:
        self.store = FaultyStore(MemoryDocumentStore(self.clock))
        self.delivery = Delivery(self.sink, self.clock, outbox=self.store, letters=self.store, limits=QUICK)
        self.arrivals = self.counter()
        self.reconciler = self.process()
        self.number = 0

    def counter(self) -> Arrivals:
        """The counts of one more process."""
        return Arrivals(self.store, self.clock, sink=self.sink.describe().tag)

    def process(self) -> Reconciler:
        """Reconciliation of one more process."""
        comparison = Comparison(self.arrivals.hours, acknowledged(self.store), self.sink, self.delivery)
        progress = Collection(self.store, PROGRESS, Progress)

        async def exists(tenant_id: str) -> bool:
            return tenant_id in self.tenants

        async def on_missing(scope: Scope, loss: Loss) -> None:
            self.healed.append((scope, loss))

        return Reconciler(self.store, comparison, self.arrivals, progress, exists, self.clock, on_missing)

    def envelope(self, event_id: str | None = None, at: datetime | None = None) -> Envelope:
        self.number += 1
        identity = event_id or f"e{self.number}"
        return Envelope(
            event_id=identity,
            ingested_at=at or self.clock.now,
            event=dataset_event(pii_flags=CLEAN, train_ok=True),
        )

    async def accept(self, number: int = 1, arrivals: Arrivals | None = None) -> list[Envelope]:
        """Events that the sink took, counted as the pipeline does."""
        made = [self.envelope() for _ in range(number)]
        await self.sink.inner.write(made)
        for one in made:
            (arrivals or self.arrivals).add(one)
        return made

    async def put_aside(self, envelope: Envelope, *, again: bool = False) -> None:
        """An event that goes to the outbox, since the sink is away."""
        self.delivery._score.down = AWAY
        assert (await self.delivery.deliver(envelope)).durable_in == "outbox"
        self.delivery._score.down = None
        self.arrivals.add(envelope, again=again)

    def lose(self, *event_ids: str) -> None:
        """Delete events from the sink behind everybody's back."""
        held = self.sink.inner._tenants.get("t_acme", {})
        for event_id in event_ids:
            self.taken[event_id] = held.pop(event_id)

    async def heal(self, *event_ids: str) -> None:
        """Send lost events again under their ids."""
        await self.sink.inner.write([self.taken.pop(event_id) for event_id in event_ids])

    async def compare(self, times: int = 1, reconciler: Reconciler | None = None) -> Reconciliation:
        """Compare now, and again some seconds later as often as asked."""
        await self.arrivals.flush()
        for _ in range(times):
            self.clock.advance(seconds=10)
            found = await (reconciler or self.reconciler).compare(ACME)
        return found

    async def settle(self) -> None:
        """Until every minute so far can be compared."""
        await self.arrivals.flush()
        self.clock.advance(minutes=2)


async def loss(world: World) -> Loss | None:
    """What is shown as missing now."""
    found = await world.reconciler.result(ACME)
    return found.loss if found else None

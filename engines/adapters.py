"""The adapters of a process, opened as Settings ask: the only module that knows each of them."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from time import monotonic

from engines.common.clock import Clock, utc_now
from engines.common.documents import DocumentStore
from engines.common.stand_in import StandInReads
from engines.config.runtime_config import Settings, StateSelector
from engines.nexus.backends import get_backend
from engines.nexus.backends.sink import EventSink
from engines.nexus.delivery import Limits
from engines.reconciliation.service import ROUND_SECONDS
from engines.storage.firestore import FirestoreDocumentStore
from engines.storage.firestore_client import close_client, open_client
from engines.storage.firestore_stand_in import FirestoreStandIn
from engines.storage.memory import MemoryDocumentStore


@dataclass(frozen=True)
class Adapters:
    """What the process talks to. Tests hand in their own."""

    state: Mapping[StateSelector, DocumentStore]
    sink: EventSink
    clock: Clock = utc_now
    outbox: DocumentStore | None = None
    """Keeps accepted events while the sink is down; None where it would be down with the sink."""
    letters: DocumentStore | None = None
    """Keeps refused events; None where nothing outlives the process."""
    limits: Limits | None = None
    stand_in: StandInReads | None = None
    """Firestore's stand-in; None where there is none, as in the cloud."""
    reconcile_seconds: float = ROUND_SECONDS
    """How long reconciliation waits between two rounds."""
    seconds: Callable[[], float] = monotonic
    """Counts the waits of those who guess: no correction of the time sets it back."""

    @property
    def stores(self) -> dict[str, DocumentStore]:
        """The distinct stores by source."""
        return {store.source: store for store in self.state.values()}

    @property
    def shared_store(self) -> DocumentStore:
        """The store that processes share, if there is one."""
        return self.stores.get("firestore") or next(iter(self.stores.values()))


def open_adapters(settings: Settings, stack: AsyncExitStack) -> Adapters:
    """Open what the settings ask for; ``stack`` closes it."""
    client = stand_in = None
    if settings.needs_firestore:
        client = open_client(settings.gcp_project or "", settings.firestore_emulator_host)
        stack.push_async_callback(close_client, client)
        if settings.firestore_emulator_host:
            stand_in = FirestoreStandIn(settings.firestore_emulator_host)
            stack.push_async_callback(stand_in.close)
    memory = MemoryDocumentStore()
    kept = FirestoreDocumentStore(client) if client else None
    durable: DocumentStore = kept or memory
    sink = get_backend(settings, client)
    stack.push_async_callback(sink.close)
    asked = settings.state_backends.items()
    state = {name: durable if kind == "firestore" else memory for name, kind in asked}
    outbox = outbox_beside(sink, kept)
    return Adapters(state, sink, outbox=outbox, letters=kept, stand_in=stand_in)


def outbox_beside(sink: EventSink, kept: DocumentStore | None) -> DocumentStore | None:
    """The durable store as outbox of a sink that can fail alone: not one in the same database."""
    description = sink.describe()
    return None if description.discards or description.backend == "firestore" else kept

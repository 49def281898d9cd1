"""The event sinks and the choice between them."""

from google.cloud.firestore import AsyncClient

from engines.config.runtime_config import Settings
from engines.nexus.backends.firestore import FirestoreSink
from engines.nexus.backends.noop import NoopSink
from engines.nexus.backends.sink import EventSink


def get_backend(settings: Settings, firestore: AsyncClient | None) -> EventSink:
    """The sink that NEXUS_BACKEND names; ``firestore`` is the process's client where it has one."""
    match settings.nexus_backend:
        case "firestore":
            assert firestore is not None, "Settings refuse the firestore sink without a project"
            return FirestoreSink(firestore, stand_in=settings.firestore_emulator_host is not None)
        case "noop":
            return NoopSink()

"""The Firestore sink keeps the conformance suite, against the real stand-in."""

from collections.abc import AsyncIterator

import pytest
from google.cloud.firestore import AsyncClient

from engines.nexus.backends.firestore import FirestoreSink
from engines.nexus.backends.sink import EventSink
from engines.storage.firestore_client import close_client, open_client
from tests.contracts.event_sink import NOT_IN_A_DOCUMENT, START, RemoteSinkContract, envelope, tenant
from tests.support.docker import free_port

__all__ = ["tenant"]


class TestFirestoreSink(RemoteSinkContract):
    impossible = NOT_IN_A_DOCUMENT | {"size": ({"input": {"text": "x" * 1_100_000}}, "too large")}

    @pytest.fixture
    def sink(self, client: AsyncClient) -> EventSink:
        return FirestoreSink(client, stand_in=True)

    @pytest.fixture
    async def unreachable(self) -> AsyncIterator[EventSink]:
        client = open_client("northstar-local", f"127.0.0.1:{free_port()}")
        yield FirestoreSink(client, stand_in=True)
        await close_client(client)

    async def test_the_record_lies_in_the_tenants_own_collection(
        self, sink: EventSink, client: AsyncClient, tenant: str
    ) -> None:
        await sink.write([envelope(tenant, "e1")])
        snapshot = await client.document(f"nexus_events_{tenant}/e1").get()
        stored = snapshot.to_dict() or {}
        assert stored["event_id"] == "e1"
        assert stored["ingested_at"] == START
        assert stored["pii_flags"] == {"flags": ["email"], "policy_reason": "pii_masked"}
        assert stored["train_ok"] is False
        assert stored["tenantId"] == tenant

"""The Firestore sink keeps the conformance suite, against the real stand-in."""

import pytest
from google.cloud.firestore import AsyncClient

from engines.nexus.backends.firestore import FirestoreSink
from engines.nexus.backends.sink import EventSink
from tests.contracts.event_sink import START, EventSinkContract, envelope, tenant

__all__ = ["tenant"]


class TestFirestoreSink(EventSinkContract):
    @pytest.fixture
    def sink(self, client: AsyncClient) -> EventSink:
        return FirestoreSink(client, stand_in=True)

    async def test_an_event_over_the_size_limit_is_refused(self, sink: EventSink, tenant: str) -> None:
        [receipt] = await sink.write([envelope(tenant, "big", input={"text": "x" * 1_100_000})])
        assert receipt.outcome == "refused"
        assert "too large" in str(receipt.error)

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

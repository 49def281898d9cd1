"""The Firestore sink keeps the conformance suite, against the real stand-in."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.cloud.firestore import AsyncClient

from engines.nexus.backends.firestore import FirestoreSink
from engines.nexus.backends.sink import EventSink, SinkError
from engines.storage.firestore_client import close_client, open_client
from tests.contracts.event_sink import NOT_IN_A_DOCUMENT, START, RemoteSinkContract, envelope, stored, tenant
from tests.support.docker import free_port

__all__ = ["tenant"]


class TestFirestoreSink(RemoteSinkContract):
    impossible = NOT_IN_A_DOCUMENT | {
        "size": ({"input": {"text": "x" * 1_100_000}}, "too large"),
        "name": ({"input": {"k" * 1_501: 1}}, "longer than 1500 bytes"),
    }

    @pytest.fixture
    def sink(self, client: AsyncClient) -> EventSink:
        return FirestoreSink(client, stand_in=True)

    @pytest.fixture
    async def unreachable(self) -> AsyncIterator[EventSink]:
        client = open_client("northstar-local", f"127.0.0.1:{free_port()}")
        yield FirestoreSink(client, stand_in=True)
        await close_client(client)

    async def test_an_event_over_the_limit_stops_no_other_of_its_batch(
        self, sink: EventSink, tenant: str
    ) -> None:
        big = [envelope(tenant, f"big{n}", n, input={"text": "x" * 1_040_000}) for n in range(12)]
        over = envelope(tenant, "over", 20, input={"text": "x" * 1_100_000})
        receipts = await sink.write([big[0], over, *big[1:], envelope(tenant, "small", 21)])
        assert [receipt.outcome for receipt in receipts] == ["stored", "refused", *["stored"] * 12]

    async def test_the_same_id_twice_in_one_batch_is_stored_once(self, sink: EventSink, tenant: str) -> None:
        receipts = await sink.write([envelope(tenant, "e1"), envelope(tenant, "e1"), envelope(tenant, "e2")])
        assert sorted(receipt.outcome for receipt in receipts) == ["duplicate", "stored", "stored"]
        assert [item.event_id for item in await stored(sink, tenant)] == ["e1", "e2"]

    async def test_a_batch_of_known_and_new_events_has_its_own_answer_for_each(
        self, sink: EventSink, tenant: str
    ) -> None:
        await sink.write([envelope(tenant, "e1"), envelope(tenant, "e3")])
        receipts = await sink.write([envelope(tenant, f"e{n}") for n in range(4)])
        assert [receipt.outcome for receipt in receipts] == ["stored", "duplicate", "stored", "duplicate"]

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

    @pytest.mark.parametrize(
        "time",
        [{}, {"ingested_at_by_env": {"dev": START}}, {"ingested_at_by_env": {"dev": "soon"}}],
        ids=["older engines", "half", "text"],
    )
    async def test_a_record_without_a_time_is_neither_no_event_nor_a_fresh_one(
        self, sink: EventSink, client: AsyncClient, tenant: str, time: dict[str, Any]
    ) -> None:
        await client.document(f"nexus_events_{tenant}/by-hand").set({"env": "dev", "input": "secret"} | time)
        with pytest.raises(SinkError, match="none says when it was stored") as caught:
            await sink.latest(tenant, "dev")
        assert "secret" not in str(caught.value)
        assert await sink.latest(tenant, "prod") is None

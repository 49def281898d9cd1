"""The Firestore document store keeps the contract, against the real stand-in."""

import asyncio

import pytest
from google.cloud.firestore import AsyncClient
from pydantic import BaseModel

from engines.common.collection import Collection, last_stored
from engines.common.documents import Address, DocumentStore, KeyTaken, Scope, StoreRefused, Write
from engines.storage.firestore import FirestoreDocumentStore
from tests.contracts.document_store import DocumentStoreContract, address

__all__ = ["address"]


class Numbered(BaseModel):
    """A record."""

    n: int


class TestFirestoreDocumentStore(DocumentStoreContract):
    @pytest.fixture
    def store(self, client: AsyncClient) -> DocumentStore:
        return FirestoreDocumentStore(client)

    async def test_a_record_over_the_size_limit_is_refused(
        self, store: DocumentStore, address: Address
    ) -> None:
        with pytest.raises(StoreRefused, match="too large"):
            await store.put(Write(address, Scope("t_a", "dev"), "x", {"text": "x" * 1_100_000}))

    async def test_a_value_too_long_to_be_asked_for_says_so(
        self, store: DocumentStore, address: Address
    ) -> None:
        with pytest.raises(StoreRefused, match="asked for is too long"):
            await store.scan(address, Scope("t_a", "dev"), {"name": "x" * 3_000})

    async def test_creates_that_come_together_each_get_their_own_answer(
        self, store: DocumentStore, address: Address
    ) -> None:
        scope = Scope("t_a", "dev")
        await store.put(Write(address, scope, "taken", {"n": 0}))
        texts = {f"fits-{n}": "x" for n in range(1_200)} | {"taken": "x", "large": "x" * 1_100_000}
        creates = [
            store.put(Write(address, scope, key, {"text": text}, create=True)) for key, text in texts.items()
        ]
        twice = store.put(Write(address, scope, "fits-7", {"text": "again"}, create=True))
        answers = await asyncio.gather(*creates, twice, return_exceptions=True)
        outcomes = dict(zip([*texts, "twice"], map(type, answers), strict=True))
        taken = {key for key, kind in outcomes.items() if kind is KeyTaken}
        assert taken - {"fits-7", "twice"} == {"taken"}
        assert len(taken) == 2, "of two creates of one document one is told that it came too late"
        assert {key for key, kind in outcomes.items() if kind is StoreRefused} == {"large"}
        stored = await store.get(address, scope, "fits-7")
        assert stored is not None
        assert stored.fields == {
            "text": "x" if "twice" in taken else "again",
            "tenant_id": "t_a",
            "env": "dev",
        }
        assert await store.count(address, scope) == 1_201

    async def test_a_create_has_the_servers_time(self, store: DocumentStore, address: Address) -> None:
        scope = Scope("t_a", "dev")
        await store.put(Write(address, scope, "created", {"n": 1}, create=True))
        await store.put(Write(address, scope, "replaced", {"n": 1}))
        created, replaced = [await store.get(address, scope, key) for key in ("created", "replaced")]
        assert created is not None
        assert replaced is not None
        assert 0 <= (replaced.stored_at - created.stored_at).total_seconds() < 5

    async def test_row_19_a_record_that_another_program_wrote_was_stored_once(
        self, store: DocumentStore, address: Address, client: AsyncClient
    ) -> None:
        scope, records = Scope("t_a", "dev"), Collection(store, address, Numbered)
        assert await last_stored(records, scope) is None
        fields = {"n": 1, "tenant_id": "t_a", "env": "dev"}
        written = await client.document(f"{address.name}/by-hand").set(fields)
        assert await last_stored(records, scope) == written.update_time
        await store.put(Write(address, scope, "ours", {"n": 2}))
        ours = await store.get(address, scope, "ours")
        assert ours is not None
        assert await last_stored(records, scope) == ours.stored_at

    async def test_a_caller_that_leaves_takes_no_create_from_the_others(
        self, store: DocumentStore, address: Address
    ) -> None:
        scope = Scope("t_a", "dev")
        tasks = [
            asyncio.create_task(store.put(Write(address, scope, f"k{n}", {"n": n}, create=True)))
            for n in range(20)
        ]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for number in range(1, 20, 2):
            assert await store.get(address, scope, f"k{number}") is not None

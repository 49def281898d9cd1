"""The Firestore document store keeps the contract, against the real stand-in."""

import pytest
from google.cloud.firestore import AsyncClient

from engines.common.documents import Address, DocumentStore, Scope, StoreRefused, Write
from engines.storage.firestore import FirestoreDocumentStore
from tests.contracts.document_store import DocumentStoreContract, address

__all__ = ["address"]


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

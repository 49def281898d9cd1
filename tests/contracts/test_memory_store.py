"""The in-memory document store keeps the contract."""

import pytest

from engines.common.documents import DocumentStore
from engines.storage.memory import MemoryDocumentStore
from tests.contracts.document_store import DocumentStoreContract, address

__all__ = ["address"]


class TestMemoryDocumentStore(DocumentStoreContract):
    @pytest.fixture
    def store(self) -> DocumentStore:
        return MemoryDocumentStore()

"""SEO pages in Firestore: see the contract suite."""

import pytest
from google.cloud.firestore import AsyncClient

from engines.common.documents import DocumentStore
from engines.storage.firestore import FirestoreDocumentStore
from tests.contracts.seo_pages import SeoPagesContract, scope, seo

__all__ = ["scope", "seo"]


class TestSeoPages(SeoPagesContract):
    @pytest.fixture
    def store(self, client: AsyncClient) -> DocumentStore:
        return FirestoreDocumentStore(client)

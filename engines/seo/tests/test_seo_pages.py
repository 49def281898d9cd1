"""SEO pages in memory: see the contract suite."""

import pytest

from engines.common.documents import DocumentStore
from engines.storage.memory import MemoryDocumentStore
from tests.contracts.seo_pages import SeoPagesContract, scope, seo

__all__ = ["scope", "seo"]


class TestSeoPages(SeoPagesContract):
    @pytest.fixture
    def store(self) -> DocumentStore:
        return MemoryDocumentStore()

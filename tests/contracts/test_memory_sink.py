"""The in-memory sink keeps the conformance suite."""

import pytest

from engines.nexus.backends.memory import MemorySink
from engines.nexus.backends.sink import EventSink
from tests.contracts.event_sink import EventSinkContract, tenant

__all__ = ["tenant"]


class TestMemorySink(EventSinkContract):
    @pytest.fixture
    def sink(self) -> EventSink:
        return MemorySink()

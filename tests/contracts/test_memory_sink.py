"""The in-memory sink keeps the conformance suite."""

import pytest

from engines.nexus.backends.memory import MemorySink
from engines.nexus.backends.sink import EventSink
from tests.contracts.event_sink import NOT_IN_A_DOCUMENT, EventSinkContract, tenant

__all__ = ["tenant"]


class TestMemorySink(EventSinkContract):
    impossible = NOT_IN_A_DOCUMENT

    @pytest.fixture
    def sink(self) -> EventSink:
        return MemorySink()

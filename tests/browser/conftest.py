"""A Chromium per module, and an app over stores and a sink that tests break."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from engines.adapters import Adapters
from engines.config.runtime_config import STATE_SELECTORS
from engines.storage.memory import MemoryDocumentStore
from tests.support.faults import FaultySink, FaultyStore
from tests.support.page import Server, browser, serving_page


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    # Not for the session: the driver runs a loop in this thread, beside which no async test can run.
    with browser() as running:
        yield running


@pytest.fixture
def store() -> FaultyStore:
    return FaultyStore(MemoryDocumentStore())


@pytest.fixture
def sink() -> FaultySink:
    return FaultySink()


@pytest.fixture
def server(store: FaultyStore, sink: FaultySink) -> Iterator[Server]:
    with serving_page(None, Adapters(dict.fromkeys(STATE_SELECTORS, store), sink)) as running:
        yield running

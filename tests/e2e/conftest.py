"""One stack for all end-to-end tests; each test leaves it healthy."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.stack import Stack, checkout


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "e2e" in item.path.parts:
            item.add_marker(pytest.mark.docker)
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    with checkout("e2e") as fresh:
        fresh.first_up = fresh.up("--port", str(fresh.port))
        yield fresh


@pytest.fixture
def http(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as client:
        yield client

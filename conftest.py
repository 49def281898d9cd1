"""Fixtures for every test: an in-memory app and two tenants on it."""

from collections.abc import AsyncIterator

import pytest

pytest.register_assert_rewrite("tests.contracts", "tests.support")

from tests.support.app import Login, MemoryKit, running, sign_up  # noqa: E402 - after the rewrite

STACKS = ("e2e", "docs")


@pytest.hookimpl(tryfirst=True)  # before the plugin reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Among several workers a file's tests stay together, as their containers do; so do all with a stack."""
    for item in items:
        folder = item.path.parent.name
        item.add_marker(pytest.mark.xdist_group("stack" if folder in STACKS else str(item.path)))


@pytest.fixture
async def kit() -> AsyncIterator[MemoryKit]:
    """A running in-memory app with a movable clock."""
    async with running(MemoryKit()) as kit:
        yield kit


@pytest.fixture
async def acme(kit: MemoryKit) -> Login:
    """The owner of tenant Acme."""
    return await sign_up(kit.client, "acme")


@pytest.fixture
async def globex(kit: MemoryKit) -> Login:
    """The owner of tenant Globex."""
    return await sign_up(kit.client, "globex")

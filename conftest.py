"""Fixtures for every test: an in-memory app and two tenants on it."""

from collections.abc import AsyncIterator

import pytest

pytest.register_assert_rewrite("tests.contracts", "tests.support")

from tests.support.app import Login, MemoryKit, running, sign_up  # noqa: E402 - after the rewrite


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

"""A browser's part of HTTP."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.support.app import Login, MemoryKit


@pytest.fixture
async def browser(kit: MemoryKit, acme: Login) -> AsyncIterator[httpx.AsyncClient]:
    """A client with cookies of its own that follows no redirect."""
    transport = kit.client._transport
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client

"""Few password hashes at once."""

import asyncio

import pytest

from engines.common.errors import Unavailable
from engines.identity.passwords import HashQueue
from engines.server.limits import ServerLimits


async def test_hashes_beyond_the_queue_are_503() -> None:
    queue = HashQueue(ServerLimits(hashes=1, hashes_waiting=2))
    asked = await asyncio.gather(*(queue.derive("p", "s") for _ in range(10)), return_exceptions=True)
    refused = [one for one in asked if isinstance(one, Unavailable)]
    assert len(refused) == 7
    assert refused[0].headers == {"Retry-After": "5"}
    assert len({one for one in asked if isinstance(one, str)}) == 1


async def test_the_queue_takes_more_when_it_was_emptied() -> None:
    queue = HashQueue(ServerLimits(hashes=1, hashes_waiting=0))
    for _ in range(3):
        await queue.derive("p", "s")
    waiting = asyncio.create_task(queue.derive("p", "s"))
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await queue.derive("p", "s")
    await waiting

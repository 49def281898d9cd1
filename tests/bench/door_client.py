"""Calls both ends in turn, from inside the stand-in's own network: runs in Bossman's image, see door.py."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

from engines.storage.firestore_client import close_client, open_client

ENDS = {"door": "127.0.0.1:8080", "direct": "127.0.0.1:8081"}
FEW, BATCH = 200, 500
EACH = {"get": 20, "add": 20, "batch of 500": 1, "query": 5}
"""How often an operation is done for one figure."""


class End:
    """A client of one end."""

    def __init__(self, name: str, host: str) -> None:
        self.name = name
        self.client: Any = open_client("northstar-bench", host)
        self._collection = self.client.collection(f"bench_{name}")

    async def fill(self) -> None:
        for number in range(FEW):
            await self._collection.document(str(number)).set({"n": number, "text": "x" * 200})

    def operations(self) -> dict[str, Callable[[], Awaitable[Any]]]:
        return dict(zip(EACH, (self._get, self._add, self._batch, self._query), strict=True))

    async def _get(self) -> None:
        await self._collection.document("7").get()

    async def _add(self) -> None:
        await self.client.collection(f"added_{self.name}").add({"n": 1, "text": "x" * 200})

    async def _batch(self) -> None:
        batch = self.client.batch()
        for _ in range(BATCH):
            batch.set(self.client.collection(f"batch_{self.name}").document(), {"n": 1, "text": "x" * 200})
        await batch.commit()

    async def _query(self) -> None:
        await self._collection.order_by("n", direction="DESCENDING").limit(50).get()


async def timed(call: Callable[[], Awaitable[Any]], times: int) -> float:
    """Milliseconds of one call."""
    started = time.perf_counter()
    for _ in range(times):
        await call()
    return (time.perf_counter() - started) * 1000 / times


async def main(rounds: int) -> None:
    """Print the medians and their ratio, one line per operation."""
    ends = [End(name, host) for name, host in ENDS.items()]
    for end in ends:
        await end.fill()
    for operation, times in EACH.items():
        found: dict[str, list[float]] = {name: [] for name in ENDS}
        for number in range(rounds + 2):
            for end in ends if number % 2 else reversed(ends):
                took = await timed(end.operations()[operation], times)
                if number >= 2:  # the first warm up
                    found[end.name].append(took)
        door, direct = median(found["door"]), median(found["direct"])
        print(f"{operation}: door {door:.2f} ms, direct {direct:.2f} ms, {door / direct:.2f}x", flush=True)
    for end in ends:
        await close_client(end.client)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))

"""Clients of Firestore that write at a steady pace and remember what was acknowledged, and when."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from google.api_core.exceptions import GoogleAPICallError, ResourceExhausted
from google.cloud.firestore import AsyncClient

from engines.storage.firestore_client import close_client, open_client
from tests.support.standin import PROJECT, Standin

WRITE_SECONDS = 5.0
COLLECTION = "written"


@dataclass
class Written:
    """What became of the writes."""

    acknowledged: dict[str, datetime] = field(default_factory=dict)
    """Document id → when its acknowledgement arrived."""
    refused: int = 0
    failed: int = 0

    def missing(self, found: set[str]) -> dict[str, datetime]:
        """Acknowledged writes that are not among those found."""
        return {key: at for key, at in self.acknowledged.items() if key not in found}


class Writers:
    """Several clients, each with its own connection, that go on through every fault until ``stop``."""

    def __init__(self, host: str, per_second: float, clients: int, size: int, collection: str) -> None:
        self._clients = [open_client(PROJECT, host) for _ in range(clients)]
        self._pause = clients / per_second
        self._text, self._collection = "x" * size, collection
        self._stopping = False
        self.written = Written()

    async def run(self) -> None:
        await asyncio.gather(*(self._write(number, client) for number, client in enumerate(self._clients)))
        for client in self._clients:
            await close_client(client)

    def stop(self) -> None:
        self._stopping = True

    async def more(self, count: int, seconds: float = 60.0) -> None:
        """Wait until so many more were acknowledged."""
        goal = len(self.written.acknowledged) + count
        await self.until(lambda: len(self.written.acknowledged) >= goal, seconds)

    async def until(self, holds: Callable[[], bool], seconds: float = 60.0) -> None:
        """Wait while the writers go on."""
        until = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < until, f"not within {seconds} s: {self.written.refused} refused"
            await asyncio.sleep(0.05)

    async def _write(self, number: int, client: AsyncClient) -> None:
        written, count = self.written, 0
        while not self._stopping:
            count += 1
            key = f"w{number}-{count:06}"
            document: Any = client.collection(self._collection).document(key)
            try:
                await document.create({"n": count, "text": self._text}, retry=None, timeout=WRITE_SECONDS)
                written.acknowledged[key] = datetime.now(UTC)
            except ResourceExhausted:
                written.refused += 1
            except GoogleAPICallError:
                written.failed += 1
            await asyncio.sleep(self._pause)


@asynccontextmanager
async def writers(
    host: str, per_second: float = 50, clients: int = 5, size: int = 200, collection: str = COLLECTION
) -> AsyncIterator[Writers]:
    """Writers that run until the end of the block, and have stopped after it."""
    running = Writers(host, per_second, clients, size, collection)
    task = asyncio.create_task(running.run())
    try:
        yield running
    finally:
        running.stop()
        await task


async def found(host: str, collection: str = COLLECTION) -> set[str]:
    """Ids of the documents that are there, past everything but the stand-in."""
    client = open_client(PROJECT, host)
    try:
        return {snapshot.id async for snapshot in client.collection(collection).select([]).stream()}
    finally:
        await close_client(client)


async def all_saved(standin: Standin, load: Writers, seconds: float = 60.0) -> None:
    """Wait until everything that was acknowledged by now is saved; the writers go on."""
    newest = max(load.written.acknowledged.values())

    def saved() -> bool:
        status = standin.status()
        if status["saving"] != "ok" or not status["saved_at"]:
            return False
        began = datetime.fromisoformat(status["saved_at"]) - timedelta(seconds=status["save_seconds"])
        return began > newest

    until = time.monotonic() + seconds
    while not await asyncio.to_thread(saved):
        assert time.monotonic() < until, f"not saved within {seconds} s: {standin.status()}"
        await asyncio.sleep(0.1)

"""A stand-in's status as tests set it, in the process and over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from engines.common.stand_in import StandInStatus

ORDERLY: dict[str, Any] = {
    "service": "firestore",
    "generation": "20260115T115000.000000Z",
    "started_at": "2026-01-15T11:50:00.000000Z",
    "restored_from": "export-00000012",
    "restored_as_of": "2026-01-15T11:49:51Z",
    "stopped_at": "2026-01-15T11:49:58Z",
    "orderly": True,
    "fell_back": False,
    "saved_at": "2026-01-15T11:59:55Z",
    "save_seconds": 0.2,
    "saved_bytes": 123456,
    "saving": "ok",
    "save_error": None,
    "save_failing_since": None,
    "writes": "accepted",
    "refused_because": None,
    "memory_used_bytes": 100 * 1024 * 1024,
    "memory_limit_bytes": 400 * 1024 * 1024,
    "disk_free_bytes": 10 * 1024 * 1024 * 1024,
}
"""A stand-in in good order at MovableClock's noon, as the agreed shape has it."""

KILLED = {"orderly": False}


class SaidStandIn:
    """StandInReads that says what a test sets; ``said`` None = it does not answer."""

    def __init__(self, **said: Any) -> None:
        self.said: dict[str, Any] | None = ORDERLY | said

    def set(self, **said: Any) -> None:
        self.said = ORDERLY | said

    async def status(self) -> StandInStatus | None:
        return StandInStatus.model_validate(self.said) if self.said else None

    async def generation(self) -> str | None:
        return self.said["generation"] if self.said else None


@dataclass
class Door:
    """A small HTTP server: answers every request with ``status`` and ``body``; hangs when ``hanging``."""

    host: str = ""
    status: int = 200
    body: str = json.dumps(ORDERLY)
    hanging: bool = False
    asked: int = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        assert request.startswith(b"GET /kit/status HTTP/1.1\r\n")
        self.asked += 1
        if self.hanging:
            await reader.read()  # until the caller gives up
        else:
            length = f"Content-Length: {len(self.body)}"
            head = f"HTTP/1.1 {self.status} any\r\n{length}\r\nConnection: close\r\n\r\n"
            writer.write((head + self.body).encode())
            await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def opened_door() -> AsyncIterator[Door]:
    """A door on a free loopback port."""
    door = Door()
    server = await asyncio.start_server(door.answer, "127.0.0.1", 0)
    door.host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield door
    finally:
        server.close()

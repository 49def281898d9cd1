"""Requests byte by byte through a real socket, where a client library would tidy them up."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

PATIENCE = 30.0
"""Seconds for what has to come at some time; a verdict never depends on them."""

STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


@dataclass
class Answer:
    """An answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Socket:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Send; a far end that has closed is no error: what it answered is still to be read."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except ConnectionError:
            pass

    async def answer(self) -> Answer:
        """The next answer."""
        async with asyncio.timeout(PATIENCE):
            head = await self._reader.readuntil(b"\r\n\r\n")
            found = STATUS.match(head)
            assert found, head
            lines = head.decode().split("\r\n")[1:-2]
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(found[1]), headers, body)

    async def rest(self) -> bytes:
        """All until the far end closes."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._reader.read(-1)
        except ConnectionError:
            return b""

    def close(self) -> None:
        self._writer.close()


@asynccontextmanager
async def connected(port: int, count: int = 1) -> AsyncIterator[list[Socket]]:
    """So many connections to a loopback port, closed at the end."""
    async with AsyncExitStack() as stack:
        sockets = []
        for _ in range(count):
            socket = Socket(*await asyncio.open_connection("127.0.0.1", port))
            stack.callback(socket.close)
            sockets.append(socket)
        yield sockets


def head(path: str, *lines: str, method: str = "GET") -> bytes:
    """A complete head."""
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: localhost", *lines, "", "")).encode()

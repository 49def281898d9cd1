"""A TCP proxy between an app and its sink that fails where a test says so."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

RESET_ON_CLOSE = struct.pack("ii", 1, 0)
CHUNK = 65_536

Connection = tuple[asyncio.StreamWriter, asyncio.StreamWriter]


class TcpProxy:
    """Passes bytes on to a port of this machine. A fault holds until ``heal``, also on open connections."""

    def __init__(self, far_port: int) -> None:
        self._home = self._far_port = far_port
        self._delay = 0.0
        self._resets = False
        self._flows = asyncio.Event()
        self._flows.set()
        self._connections: dict[asyncio.Task[Any], Connection] = {}
        self._server: asyncio.Server | None = None
        self.port = 0

    @property
    def host(self) -> str:
        """Where to connect, host:port."""
        return f"127.0.0.1:{self.port}"

    async def open(self) -> None:
        """Listen; on the same port as before, if there was one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Nobody listens, and what was open is cut."""
        if self._server:
            self._server.close()
            self._server = None
        self._cut()

    def delay(self, seconds: float) -> None:
        """Every answer comes ``seconds`` late."""
        self._delay = seconds

    def hang(self) -> None:
        """Connections are taken, nothing is passed on."""
        self._flows.clear()

    def reset(self) -> None:
        """Connections are taken and reset."""
        self._resets = True
        self._cut()

    def turn_to(self, far_port: int) -> None:
        """Another far end, from now on."""
        self._far_port = far_port
        self._cut()

    async def heal(self) -> None:
        """Undo whatever a test did."""
        self._delay, self._resets = 0.0, False
        self._flows.set()
        if self._far_port != self._home:
            self.turn_to(self._home)
        if self._server is None:
            await self.open()

    async def close(self) -> None:
        """End everything."""
        await self.refuse()
        for task in (tasks := list(self._connections)):
            task.cancel()
        await asyncio.gather(*tasks)

    def _cut(self) -> None:
        for near, far in self._connections.values():
            near.transport.abort()
            far.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        if self._resets:
            near.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            near.transport.abort()
            return
        try:
            far_reader, far = await asyncio.open_connection("127.0.0.1", self._far_port)
        except OSError:
            near.transport.abort()
            return
        connection = near, far
        task = asyncio.current_task()
        assert task
        self._connections[task] = connection
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, far, late=False))
                both.create_task(self._pump(far_reader, near, late=True))
        except asyncio.CancelledError:
            pass  # asyncio would report it as an error of its own callback
        finally:
            del self._connections[task]
            for writer in connection:
                writer.transport.abort()
                with suppress(OSError):
                    await writer.wait_closed()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, late: bool) -> None:
        """Pass on until either side closes. A chunk that waits holds up none that is still to be read."""
        chunks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        async with asyncio.TaskGroup() as both:
            both.create_task(self._send(chunks, writer))
            data = b"first"
            while data:
                data = await _read(reader)
                due = asyncio.get_running_loop().time() + (self._delay if late else 0)
                chunks.put_nowait((due, data))

    async def _send(self, chunks: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        while True:
            due, data = await chunks.get()
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
            await self._flows.wait()
            if not data:
                writer.close()
                return
            with suppress(OSError):
                writer.write(data)
                await writer.drain()


async def _read(reader: asyncio.StreamReader) -> bytes:
    """The next chunk; nothing when the connection ended in any way."""
    try:
        return await reader.read(CHUNK)
    except OSError:
        return b""


@asynccontextmanager
async def tcp_proxy(far_port: int) -> AsyncIterator[TcpProxy]:
    """A proxy to ``far_port``, open until the block ends."""
    proxy = TcpProxy(far_port)
    await proxy.open()
    try:
        yield proxy
    finally:
        await proxy.close()

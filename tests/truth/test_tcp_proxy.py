"""The proxy that the cells rely on really does what each fault says."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from tests.support.tcp_proxy import TcpProxy, tcp_proxy


@asynccontextmanager
async def far_end(greeting: bytes = b"") -> AsyncIterator[int]:
    """The port of a server that greets and echoes."""
    open_ones: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones.append(writer)
        writer.write(greeting)
        with suppress(OSError):
            while data := await reader.read(100):
                writer.write(data)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
    for writer in open_ones:
        with suppress(OSError):
            await writer.wait_closed()


@pytest.fixture
async def proxy() -> AsyncIterator[TcpProxy]:
    async with far_end() as port, tcp_proxy(port) as proxy:
        yield proxy


class Caller:
    """One connection through the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def connected(cls, proxy: TcpProxy) -> "Caller":
        return cls(*await asyncio.open_connection("127.0.0.1", proxy.port))

    async def ask(self) -> bytes:
        """Send two bytes; what comes back within half a second, nothing when the far side closed."""
        self._writer.write(b"hi")
        async with asyncio.timeout(0.5):
            return await self._reader.read(100)

    async def close(self) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


async def test_delay_hang_and_heal_on_an_open_connection(proxy: TcpProxy) -> None:
    caller = await Caller.connected(proxy)
    assert await caller.ask() == b"hi"
    proxy.delay(0.2)
    started = time.monotonic()
    assert await caller.ask() == b"hi"
    assert time.monotonic() - started >= 0.2
    await proxy.heal()
    proxy.hang()
    with pytest.raises(TimeoutError):
        await caller.ask()
    await proxy.heal()
    assert (await caller.ask()).startswith(b"hi")
    await caller.close()


async def test_reset_and_refuse_end_what_is_open_and_what_comes(proxy: TcpProxy) -> None:
    caller = await Caller.connected(proxy)
    assert await caller.ask() == b"hi"
    proxy.reset()
    assert await _ended(caller)
    assert await _ended(await Caller.connected(proxy))
    await proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await Caller.connected(proxy)
    await proxy.heal()
    healed = await Caller.connected(proxy)
    assert await healed.ask() == b"hi"
    await healed.close()


async def test_another_far_end(proxy: TcpProxy) -> None:
    async with far_end(b"other") as port:
        proxy.turn_to(port)
        caller = await Caller.connected(proxy)
        assert await caller.ask() == b"other"
        await proxy.heal()
        assert await _ended(caller)
    caller = await Caller.connected(proxy)
    assert await caller.ask() == b"hi"
    await caller.close()


async def _ended(caller: Caller) -> bool:
    """Whether the connection is closed or reset."""
    try:
        return await caller.ask() == b""
    except ConnectionError:
        return True
    finally:
        await caller.close()

"""A small load client: HTTP/1.1 over kept connections, at full speed or at a steady pace."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import quantiles
from typing import NamedTuple

from tests.support.app import Login

CLIENTS = 64
ANSWER_SECONDS = 15.0
RETRY_SECONDS = 0.2
PAGEVIEW = json.dumps({"surface": "squared", "page_type": "home", "url": "https://acme.example/"}).encode()


class Answer(NamedTuple):
    """An answer whose body was read."""

    status: int
    head: bytes
    body: bytes


class Connection:
    """One connection to 127.0.0.1, opened when it is needed and kept as long as it holds."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, request: bytes) -> Answer:
        """Send a request. Raises OSError, EOFError or TimeoutError: then nobody knows what became of it."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._send(request)
        except BaseException:
            self.close()
            raise

    async def _send(self, request: bytes) -> Answer:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        return Answer(int(head[9:12]), head, await reader.readexactly(length))

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
            self._streams = None


@asynccontextmanager
async def connections(ports: Sequence[int], count: int = CLIENTS) -> AsyncIterator[list[Connection]]:
    """As many connections, spread over the ports."""
    opened = [Connection(ports[number % len(ports)]) for number in range(count)]
    try:
        yield opened
    finally:
        for connection in opened:
            connection.close()


def pageview(login: Login) -> bytes:
    """A request that sends one page view of the login's tenant."""
    return post("/analytics/events/pageview", login.headers(), PAGEVIEW)


def post(path: str, headers: dict[str, str], body: bytes) -> bytes:
    """A POST of JSON."""
    sent = {"Host": "bossman", "Content-Type": "application/json", "Content-Length": str(len(body))} | headers
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


@dataclass
class Pace:
    """What one stretch at full speed gave. ``latencies`` are in seconds."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds

    @property
    def p50_ms(self) -> float:
        return quantiles(self.latencies, n=100)[49] * 1000

    @property
    def p99_ms(self) -> float:
        return quantiles(self.latencies, n=100)[98] * 1000


async def at_full_speed(port: int, request: bytes, seconds: float) -> Pace:
    """CLIENTS at once, each sending again as soon as it is answered. Raises unless every answer is 200."""
    pace, started = Pace(), time.perf_counter()

    async def visit(connection: Connection) -> None:
        while (sent := time.perf_counter()) < started + seconds:
            answer = await connection.send(request)
            if answer.status != 200:
                raise AssertionError(f"answered {answer.status}: {answer.body[:200]!r}")
            pace.latencies.append(time.perf_counter() - sent)

    async with connections([port]) as opened:
        await asyncio.gather(*map(visit, opened))
    pace.seconds = time.perf_counter() - started
    return pace


@dataclass
class Tally:
    """What became of the events of a steady load."""

    sent: int = 0
    accepted: dict[str, str] = field(default_factory=dict)
    """Event id → where it is durable."""
    refused: int = 0
    """Answers 503; each carried Retry-After."""
    unanswered: int = 0
    others: Counter[int] = field(default_factory=Counter)

    def durable_in(self, place: str) -> int:
        return sum(found == place for found in self.accepted.values())

    def add(self, answer: Answer) -> None:
        if answer.status == 200:
            body = json.loads(answer.body)
            assert body["status"] == "accepted", body
            assert body["event_id"] not in self.accepted, "an id was given twice"
            self.accepted[body["event_id"]] = body["durable_in"]
        elif answer.status == 503 and b"retry-after:" in answer.head:
            self.refused += 1
        else:
            self.others[answer.status] += 1


async def steadily(
    ports: Sequence[int], request: bytes, per_second: float, stop: asyncio.Event, tally: Tally
) -> None:
    """Send ``per_second`` requests a second until ``stop``; again, as another event, what got no answer."""
    due = _due(per_second)

    async def visit(connection: Connection) -> None:
        for moment in due:
            await asyncio.sleep(max(0.0, moment - time.monotonic()))
            await _until_answered(connection, request, stop, tally)
            if stop.is_set():
                return

    async with connections(ports) as opened:
        await asyncio.gather(*map(visit, opened))


async def _until_answered(connection: Connection, request: bytes, stop: asyncio.Event, tally: Tally) -> None:
    while not stop.is_set():
        tally.sent += 1
        try:
            answer = await connection.send(request)
        except (OSError, EOFError, TimeoutError):
            tally.unanswered += 1
            await asyncio.sleep(RETRY_SECONDS)
        else:
            tally.add(answer)
            return


def _due(per_second: float) -> Iterator[float]:
    """When the next request is due; after a delay those that are late are left out."""
    moment = time.monotonic()
    while True:
        yield moment
        moment = max(moment + 1 / per_second, time.monotonic() - 1)

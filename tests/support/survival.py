"""A sink that goes away under load and comes back, while somebody looks at the dashboard."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.bench.load import Tally, pageview, steadily
from tests.support.app import Login, dashboard, sign_up
from tests.support.bossman import Bossman
from tests.support.docker import OUTPUT
from tests.support.far_ends import FarEnd

PER_SECOND = 100
STORED_BEFORE = 120
STORED_BEFORE_SECONDS = 30.0
AFTER_SECONDS = 2.0
DRAIN_SECONDS = 60.0
LOOK_SECONDS = 0.5


@dataclass
class Watch:
    """What the dashboard showed from time to time, of one process."""

    statuses: Counter[str] = field(default_factory=Counter)
    highest_backlog: int = 0
    most_missing: int = 0

    def add(self, indicator: dict[str, Any]) -> bool:
        """Note an indicator; returns whether it says that nothing waits and all is well."""
        self.statuses[indicator["status"]] += 1
        depth = indicator["backlog"]["depth"]
        self.highest_backlog = max(self.highest_backlog, depth or 0)
        self.most_missing = max(self.most_missing, (indicator["missing"] or {"events": 0})["events"])
        return bool(indicator["status"] == "up" and depth == 0)


@dataclass
class Outcome:
    """What one outage did."""

    tally: Tally
    watch: Watch
    drain_seconds: float
    read: Counter[str]
    """Event id → how often the sink's readers see it."""
    raw: Counter[str]
    """Event id → how many records there are."""

    @property
    def lost(self) -> set[str]:
        return set(self.tally.accepted) - set(self.read)

    @property
    def seen_twice(self) -> set[str]:
        return {event_id for event_id, times in self.read.items() if times > 1}

    @property
    def stored_twice(self) -> set[str]:
        return {event_id for event_id, times in self.raw.items() if times > 1}

    def figures(self) -> str:
        tally = self.tally
        return (
            f"sent {tally.sent}, accepted in sink {tally.durable_in('sink')}, "
            f"in outbox {tally.durable_in('outbox')}, refused 503 {tally.refused}, "
            f"unanswered {tally.unanswered}, other {dict(tally.others)}; "
            f"highest backlog {self.watch.highest_backlog}, drained in {self.drain_seconds:.1f} s; "
            f"lost {len(self.lost)}, read {len(self.read)}, read twice {len(self.seen_twice)}, "
            f"stored twice {len(self.stored_twice)}, "
            f"said to be missing {self.watch.most_missing}; shown {dict(self.watch.statuses)}"
        )


async def outage(
    far_end: FarEnd,
    processes: Sequence[Bossman],
    seconds: float,
    midway: Callable[[], Awaitable[None]] | None = None,
) -> Outcome:
    """Send events, take the sink away for ``seconds``, bring it back, wait until nothing waits, count."""
    urls = [process.url for process in processes]
    async with httpx.AsyncClient(base_url=urls[0], timeout=15) as client:
        login = await sign_up(client, f"survivor{time.time_ns()}")
    tally, watch, stop = Tally(), Watch(), asyncio.Event()
    ports = [process.port for process in processes]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(steadily(ports, pageview(login), PER_SECOND, stop, tally))
        tasks.create_task(_look_on(urls[-1], login, watch, stop))
        await _until_stored(tally)
        await asyncio.to_thread(far_end.away)
        await asyncio.sleep(seconds / 2)
        if midway:
            await midway()
        await asyncio.sleep(seconds / 2)
        await asyncio.to_thread(far_end.back)
        returned = time.monotonic()
        await asyncio.sleep(AFTER_SECONDS)
        stop.set()
    for url in urls:
        await _calm(url, login, watch)
    drained = time.monotonic() - returned
    async with far_end.sink() as sink:
        read = Counter([envelope.event_id async for envelope in sink.scan(login.tenant_id, "dev")])
    raw = Counter(await far_end.raw_ids(login.tenant_id))
    return Outcome(tally, watch, drained, read, raw)


async def _until_stored(tally: Tally) -> None:
    """Wait until the sink has taken enough for its loss to show, however busy the machine is."""
    until = time.monotonic() + STORED_BEFORE_SECONDS
    while tally.durable_in("sink") < STORED_BEFORE:
        assert time.monotonic() < until, f"only {tally.durable_in('sink')} events reached the sink"
        await asyncio.sleep(0.1)


async def _look_on(url: str, login: Login, watch: Watch, stop: asyncio.Event) -> None:
    """Look at the dashboard until ``stop``. Without its state, or killed, a process shows none."""
    async with httpx.AsyncClient(base_url=url, timeout=15) as client:
        while not stop.is_set():
            try:
                watch.add((await dashboard(client, login))["event_sink"])
            except httpx.HTTPStatusError as error:
                watch.statuses[str(error.response.status_code)] += 1
            except httpx.TransportError:
                watch.statuses["no answer"] += 1
            await asyncio.sleep(LOOK_SECONDS)


async def _calm(url: str, login: Login, watch: Watch) -> None:
    """Wait until the dashboard says that nothing waits and the sink is up."""
    until = time.monotonic() + DRAIN_SECONDS
    async with httpx.AsyncClient(base_url=url, timeout=15) as client:
        while True:
            shown = (await dashboard(client, login))["event_sink"]
            if watch.add(shown):
                return
            assert time.monotonic() < until, f"not calm after {DRAIN_SECONDS} s: {shown}"
            await asyncio.sleep(LOOK_SECONDS)


def tell(what: str, outcome: Outcome) -> None:
    """Print the figures, and keep them under test-output."""
    note(f"{what}: {outcome.figures()}")


def note(line: str) -> None:
    """Print the line, and keep it under test-output."""
    print(line)  # noqa: T201 - shown with pytest -s, and when a test fails
    OUTPUT.mkdir(exist_ok=True)
    with (OUTPUT / "survival.txt").open("a") as file:
        file.write(f"{line}\n")

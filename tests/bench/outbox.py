"""What waiting events cost: a look at the dashboard, what callers get, and how fast they leave.

One run on one sink's stand-in, with one Bossman process and then with two, each filled anew. Most events are
of one tenant, the one that is looked at; another tenant has a single one. While the outbox is to stay full,
the bench holds the lease of the drain. State and outbox lie in the Firestore stand-in.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import httpx
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_fixed

from engines.common.clock import utc_now
from engines.nexus.backends.sink import Envelope
from engines.nexus.delivery.lease import Lease
from engines.nexus.delivery.outbox import Outbox
from engines.nexus.delivery.queue import Delivered, Waiting
from engines.nexus.delivery.text import to_text
from engines.storage.firestore import FirestoreDocumentStore
from engines.storage.firestore_client import close_client, open_client
from tests.bench.load import Tally, pageview, steadily
from tests.support.app import Login, sign_up
from tests.support.bigquery import PROJECT
from tests.support.bossman import Bossman, bossman
from tests.support.docker import Firestore, firestore
from tests.support.far_ends import KINDS, FarEnd, far_end
from tests.support.records import dataset_event

WAITING = 50_000
BATCH = 500
LOOKS = 30
ADDS_PER_SECOND = 20.0
DRAIN_SECONDS = 600.0
AIM_RATIO = 2.0


@dataclass
class Looks:
    """Looks at the dashboard one after another; milliseconds, and the backlogs they showed."""

    times: list[float] = field(default_factory=list)
    depths: list[int | None] = field(default_factory=list)
    failed: int = 0

    def show(self, what: str) -> None:
        if not self.times:
            print(f"  {what:<44} no answer, {self.failed} failed", flush=True)
            return
        unknown = sum(depth is None for depth in self.depths)
        print(
            f"  {what:<44} median {median(self.times):7.1f} ms   longest {max(self.times):7.1f} ms   "
            f"backlog {self.depths[-1]}, unknown {unknown} of {len(self.depths)}, failed {self.failed}",
            flush=True,
        )


class Stack:
    """Some Bossmen on one sink, a large tenant and a small one."""

    def __init__(
        self, processes: Sequence[Bossman], store: FirestoreDocumentStore, large: Login, small: Login
    ) -> None:
        self._processes = processes
        self._store = store
        self._large = large
        self._small = small

    async def fill(self, count: int) -> None:
        """``count`` events of the large tenant, then one of the small one."""
        outbox, started = Outbox(self._store), time.perf_counter()
        for first in range(0, count, BATCH):
            await _add(outbox, self._large.tenant_id, min(BATCH, count - first))
        await _add(outbox, self._small.tenant_id, 1)
        print(f"  filled with {count} events in {time.perf_counter() - started:.0f} s", flush=True)

    @asynccontextmanager
    async def kept(self) -> Any:
        """Nobody drains meanwhile: the lease is held here."""
        lease, seconds = Lease(self._store, utc_now), 3.0

        async def hold() -> None:
            while True:
                # What the lease says of a bench that came too late is that somebody drains.
                await lease.take()
                await asyncio.sleep(seconds)

        await lease.take()
        holding = asyncio.create_task(hold())
        try:
            yield
        finally:
            holding.cancel()
            await lease.release()

    async def look(self, who: Login, looks: Looks, number: int = 0) -> int | None:
        """Look once, at the processes in turn; returns the backlog shown."""
        process = self._processes[number % len(self._processes)]
        started = time.perf_counter()
        async with httpx.AsyncClient(base_url=process.url, timeout=30) as client:
            try:
                answer = await client.get("/bossman/tenant-dashboard", headers=who.headers())
                answer.raise_for_status()
            except httpx.HTTPError:
                looks.failed += 1
                return None
        looks.times.append((time.perf_counter() - started) * 1000)
        depth: int | None = answer.json()["event_sink"]["backlog"]["depth"]
        looks.depths.append(depth)
        return depth

    async def looks_under_load(self, what: str) -> Looks:
        """Look LOOKS times while events of the tenant come."""
        looks, tally, stop = Looks(), Tally(), asyncio.Event()
        ports = [process.port for process in self._processes]
        load = asyncio.create_task(steadily(ports, pageview(self._large), ADDS_PER_SECOND, stop, tally))
        try:
            for number in range(LOOKS):
                await self.look(self._large, looks, number)
                await asyncio.sleep(0.2)
        finally:
            stop.set()
            await load
        looks.show(what)
        print(
            f"    callers meanwhile: {tally.durable_in('sink')} in the sink, {tally.durable_in('outbox')} in "
            f"the outbox, {tally.refused} refused, {tally.unanswered} unanswered, "
            f"{tally.others.total()} others"
        )
        return looks

    async def drain(self, count: int) -> None:
        """Wait until nothing waits, and say how fast it went and how long the small tenant waited."""
        looks, started, small_after = Looks(), time.perf_counter(), None
        while time.perf_counter() < started + DRAIN_SECONDS:
            if small_after is None and await self.look(self._small, Looks()) == 0:
                small_after = time.perf_counter() - started
            if await self.look(self._large, looks) == 0:
                break
            await asyncio.sleep(0.3)
        seconds = time.perf_counter() - started
        looks.show("looks while it drains")
        left = looks.depths[-1] if looks.depths else None
        rate = (count - (left or 0)) / seconds
        small = "not yet" if small_after is None else f"{small_after:.1f} s"
        print(
            f"  drained {rate:.0f} events/s, {left} left after {seconds:.0f} s; the small tenant's: {small}"
        )
        peaks = ", ".join(f"{process.peak_megabytes():.0f} MB" for process in self._processes)
        print(f"  peak memory: {peaks}", flush=True)


@retry(retry=retry_if_exception_type(httpx.HTTPStatusError), wait=wait_fixed(2), stop=stop_after_attempt(9))
async def _sign_up(client: httpx.AsyncClient, name: str) -> Login:
    """A stand-in that has just started answers slowly on a busy machine; each try is another tenant."""
    return await sign_up(client, f"{name}{time.time_ns()}")


async def _add(outbox: Outbox, tenant_id: str, count: int) -> None:
    loop = asyncio.get_running_loop()
    batch = []
    for number in range(count):
        event = dataset_event(
            tenantId=tenant_id, input={"url": f"https://acme.example/{number}", "x": "x" * 900}
        )
        envelope = Envelope(event_id=f"bench-{time.time_ns()}-{number}", ingested_at=utc_now(), event=event)
        answer: asyncio.Future[Delivered] = loop.create_future()
        batch.append(Waiting(envelope, to_text(envelope), loop.time(), utc_now(), answer))
    await outbox.add(batch, tried=False)


async def measure(stack: Stack, end: FarEnd, count: int) -> None:
    """Looks with an empty and a full outbox, with the sink up and away, then the drain."""
    await stack.looks_under_load("to warm up")
    empty = await stack.looks_under_load("look, outbox empty, sink up")
    async with stack.kept():
        await stack.fill(count)
        full = await stack.looks_under_load(f"look, {count} waiting, sink up")
        end.away()
        await stack.looks_under_load(f"look, {count} waiting, sink away")
        end.back()
    await stack.drain(count)
    again = await stack.looks_under_load("look, outbox empty again, sink up")
    if full.times:
        ratio = median(full.times) / median(empty.times + again.times)
        print(f"  full/empty {ratio:.2f} (aim <= {AIM_RATIO:.0f})", flush=True)


async def bench(end: FarEnd, processes: Sequence[Bossman], state: Firestore, count: int) -> None:
    client = open_client(PROJECT, state.host)
    try:
        async with httpx.AsyncClient(base_url=processes[0].url, timeout=15) as http:
            large, small = [await _sign_up(http, name) for name in ("large", "small")]
        stack = Stack(processes, FirestoreDocumentStore(client), large, small)
        await measure(stack, end, count)
    finally:
        with suppress(Exception):  # the end of a bench that failed already
            await close_client(client)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.outbox", description=__doc__)
    parser.add_argument("--sink", choices=[kind for kind in KINDS if kind != "firestore"], default="gs")
    parser.add_argument("--events", type=int, default=WAITING, help="how many wait")
    parser.add_argument("--processes", type=int, action="append", help="how many Bossmen; may be given again")
    asked = parser.parse_args()
    # The emulator saves an empty project instead of the events: an export would take the CPU.
    with firestore(_JAVA_OPTIONS="-Xmx2g", GOOGLE_CLOUD_PROJECT="not-saved") as state:
        for number in asked.processes or (1, 2):
            with ExitStack() as stack:
                end = stack.enter_context(far_end(asked.sink, state))
                processes = [stack.enter_context(bossman(end.variables)) for _ in range(number)]
                print(f"{asked.sink}, {number} process{'es' if number > 1 else ''}", flush=True)
                asyncio.run(bench(end, processes, state, asked.events))


if __name__ == "__main__":
    main()

"""What an event costs on its way in: through the route, through delivery, and one write for each.

Side by side in one run, in interleaved rounds, for every sink: (a) page views over HTTP against a Bossman
process, (b) one event per write straight at the sink, (c) the route with a sink that takes no time, and
delivery without HTTP. Each with 64 at once; medians of the rounds. State lies in the Firestore stand-in.
"""

import argparse
import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median
from uuid import uuid4

import httpx

from engines.common.clock import utc_now
from engines.nexus.backends.sink import Envelope, EventSink, SinkError
from engines.nexus.delivery import Delivery
from tests.bench.load import CLIENTS, Pace, at_full_speed, pageview
from tests.support.app import sign_up
from tests.support.bossman import Bossman, bossman
from tests.support.docker import Firestore, firestore
from tests.support.far_ends import KINDS, FarEnd, far_end
from tests.support.records import page_view

ROUNDS = 3
SECONDS = 3.0
WARM_UP_SECONDS = 1.0
AIMS_OVER_SINGLE = {"firestore": 2.0, "bigquery": 5.0, "gs": 5.0, "s3": 5.0}
AIM_OVER_INSTANT = 0.6

Store = Callable[[Envelope], Awaitable[object]]


class Route:
    """One Bossman and a tenant on it."""

    def __init__(self, process: Bossman, request: bytes) -> None:
        self._process = process
        self._request = request
        self.paces: list[Pace] = []

    async def run(self, seconds: float) -> Pace:
        return await at_full_speed(self._process.port, self._request, seconds)

    @property
    def per_second(self) -> float:
        return median(pace.per_second for pace in self.paces)

    def show(self, what: str) -> None:
        p50, p99 = (median(getattr(pace, name) for pace in self.paces) for name in ("p50_ms", "p99_ms"))
        print(
            f"  {what:<38} {self.per_second:7.0f} events/s   p50 {p50:6.1f} ms   p99 {p99:6.1f} ms   "
            f"peak memory {self._process.peak_megabytes():.0f} MB"
        )


async def route(process: Bossman) -> Route:
    """The route of a Bossman for a tenant of its own."""
    async with httpx.AsyncClient(base_url=process.url, timeout=15) as client:
        login = await sign_up(client, f"bench{time.time_ns()}")
    return Route(process, pageview(login))


@dataclass
class Direct:
    """A way to store events without HTTP."""

    store: Store
    rates: list[float] = field(default_factory=list)
    failed: int = 0

    async def run(self, seconds: float) -> float:
        """CLIENTS at once for ``seconds``; returns stored events a second."""
        numbers, started = itertools.count(), time.perf_counter()
        stored = 0

        async def one_after_the_other() -> None:
            nonlocal stored
            while time.perf_counter() < started + seconds:
                try:
                    await self.store(_envelope(next(numbers)))
                except SinkError:
                    self.failed += 1
                else:
                    stored += 1

        await asyncio.gather(*(one_after_the_other() for _ in range(CLIENTS)))
        return stored / (time.perf_counter() - started)

    @property
    def per_second(self) -> float:
        return median(self.rates)

    def show(self, what: str) -> None:
        failed = f"   {self.failed} failed" if self.failed else ""
        print(f"  {what:<38} {self.per_second:7.0f} events/s{failed}")


def _envelope(number: int) -> Envelope:
    event = page_view({"page_type": "home", "url": f"https://acme.example/{number}"})
    return Envelope(event_id=uuid4().hex, ingested_at=utc_now(), event=event)


async def measure(end: FarEnd, through: Route, instant: Route, sink: EventSink, seconds: float) -> None:
    """The rounds of one sink, and what they gave."""
    delivery = Delivery(sink)
    single, delivered = Direct(lambda envelope: sink.write([envelope])), Direct(delivery.deliver)
    for number in range(ROUNDS + 1):
        length = seconds if number else WARM_UP_SECONDS
        for way in (through, instant):
            pace = await way.run(length)
            if number:
                way.paces.append(pace)
        for direct in (single, delivered):
            rate = await direct.run(length)
            if number:
                direct.rates.append(rate)
    await delivery.stop()
    print(f"{end.kind}: {CLIENTS} at once, medians of {ROUNDS} rounds of {seconds:.0f} s")
    through.show("(a) the route")
    instant.show("(c) the route with an instant sink")
    single.show("(b) one event per write, no HTTP")
    delivered.show("(d) delivery, no HTTP")
    aim = AIMS_OVER_SINGLE[end.kind]
    print(
        f"  (a)/(b) {through.per_second / single.per_second:.1f} (aim >= {aim:.0f})   "
        f"(d)/(b) {delivered.per_second / single.per_second:.1f} (aim >= {aim:.0f})   "
        f"(a)/(c) {through.per_second / instant.per_second:.2f} (aim >= {AIM_OVER_INSTANT})",
        flush=True,
    )


async def bench(kind: str, state: Firestore, seconds: float) -> None:
    with ExitStack() as stack:
        end = stack.enter_context(far_end(kind, state))
        through = stack.enter_context(bossman(end.variables))
        instant = stack.enter_context(bossman(dict(end.variables) | {"NEXUS_BACKEND": "noop"}))
        async with end.sink() as sink:
            await measure(end, await route(through), await route(instant), sink, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.ingest", description=__doc__)
    parser.add_argument("--sink", choices=KINDS, action="append", help="only this one; may be given again")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of a round of each way")
    asked = parser.parse_args()
    # The emulator saves an empty project instead of the events: an export would take the CPU.
    with firestore(memory="4g", _JAVA_OPTIONS="-Xmx2g", GOOGLE_CLOUD_PROJECT="not-saved") as state:
        for kind in asked.sink or KINDS:
            asyncio.run(bench(kind, state, asked.seconds))


if __name__ == "__main__":
    main()

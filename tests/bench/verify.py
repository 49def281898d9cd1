"""What the verification of many events costs against a plain scan of them, and how much memory it takes.

The object-store sink reads objects of 500 events that are made the moment they are read, so that neither disk
nor network counts, and both read the same. Each run has a process and so a peak of memory of its own.
"""

import argparse
import asyncio
import multiprocessing
import resource
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from engines.guardrails.pii_text import detect, policy_reason
from engines.logging.events.scan import scanned_text
from engines.nexus.backends.object_store import ObjectStoreSink
from engines.nexus.backends.object_store_layout import Line, encode, parts
from engines.nexus.backends.sink import Envelope
from engines.privacy.service import PrivacyService
from engines.storage.memory import MemoryDocumentStore
from engines.verification.asked import Asked
from engines.verification.preferences import PreferencesInForce
from engines.verification.run import Verification
from tests.support.records import page_view

EVENTS = 1_000_000
BATCH = 500
PER_HOUR = 20
"""Objects of one hour."""

TENANT = "t_bench"
START = datetime(2026, 1, 1, tzinfo=UTC)
ID = "00000000000000000000000000000000"
TEXTS = ("nice page", "write to jo@example.com", "again", "and again", "ordered", "left")


class Made:
    """A bucket whose objects are made when they are read."""

    def __init__(self, events: int) -> None:
        self._templates = [encode(_envelope(ID, START, text)).decode() for text in TEXTS]
        self._times: dict[str, tuple[int, datetime]] = {}
        for number in range(events // BATCH):
            at = START + timedelta(hours=number // PER_HOUR, minutes=number % PER_HOUR)
            event = _envelope(f"{number * BATCH:032x}", at, TEXTS[0])
            [part] = parts("", [Line(0, event, b"")])
            self._times[part.name] = number, at
        self._names = sorted(self._times)

    async def create(self, name: str, body: bytes) -> bool:
        raise NotImplementedError("nothing is written here")

    async def folders(self, prefix: str) -> list[str]:
        found = {name[len(prefix) :].split("/")[0] for name in self._names if name.startswith(prefix)}
        return sorted(found)

    async def names(self, prefix: str, page: int = 1000) -> AsyncIterator[str]:
        for name in self._names:
            if name.startswith(prefix):
                yield name

    async def read(self, name: str) -> bytes:
        number, at = self._times[name]
        first, stamp = number * BATCH, f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"
        templates = [text.replace(f"{START:%Y-%m-%dT%H:%M:%S.%f}Z", stamp) for text in self._templates]
        lines = [templates[n % len(templates)].replace(ID, f"{first + n:032x}") for n in range(BATCH)]
        return "".join(lines).encode()

    async def delete(self, name: str) -> None:
        """Nothing is stored."""

    async def close(self) -> None:
        """Nothing to close."""


def _envelope(event_id: str, at: datetime, text: str) -> Envelope:
    body = {"page_type": "home", "url": "https://acme.example/welcome", "metadata": {"note": text}}
    event = page_view(body, tenantId=TENANT, requestId=ID, traceId=ID)
    flags = detect(scanned_text(event))
    decided = {"pii_flags": {"flags": flags, "policy_reason": policy_reason(flags)}, "train_ok": not flags}
    return Envelope(event_id=event_id, ingested_at=at, event=event.model_copy(update=decided))


def sink_of(events: int) -> ObjectStoreSink:
    return ObjectStoreSink(Made(events), "", "made", stand_in=True)


async def scan(events: int) -> None:
    """Read every event as readers do."""
    found = 0
    async for _ in sink_of(events).scan(TENANT, "dev"):
        found += 1
    assert found == events


async def verify(events: int) -> None:
    """Judge every record."""
    in_force = PreferencesInForce(PrivacyService(MemoryDocumentStore()))
    report = await Verification(sink_of(events), in_force).report(Asked(TENANT))
    assert (report.verdict, report.records, report.rules) == ("clean", events, [])


class Cost(NamedTuple):
    """Seconds, and the process's peak of memory in MB."""

    seconds: float
    memory: float


def cost(kind: str, events: int) -> Cost:
    """Run in a process of its own."""
    runs = {"scan": scan, "verify": verify}
    started = time.perf_counter()
    asyncio.run(runs[kind](events))
    return Cost(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def alone(call: Callable[[str, int], Cost], kind: str, events: int) -> Cost:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(call, (kind, events))


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench verify")
    parser.add_argument("--events", type=int, default=EVENTS)
    events = parser.parse_args().events
    few = alone(cost, "verify", events // 10)
    read, judged = alone(cost, "scan", events), alone(cost, "verify", events)
    print(f"{'':24}{'events':>10}{'seconds':>10}{'events/s':>10}{'peak MB':>10}")
    row("plain scan", events, read)
    row("verification", events, judged)
    row("verification of a tenth", events // 10, few)
    grown = (judged.memory - few.memory) * 1024 * 1024 / (events - events // 10)
    print(f"verification / scan: {judged.seconds / read.seconds:.2f}; a further event: {grown:.0f} bytes")


def row(name: str, count: int, found: Cost) -> None:
    """One line of the table."""
    print(f"{name:24}{count:>10}{found.seconds:>10.1f}{count / found.seconds:>10.0f}{found.memory:>10.0f}")


if __name__ == "__main__":
    main()

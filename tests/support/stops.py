"""The stand-in stopped, restarted and killed under load: counted past the product."""

import asyncio
import time
from datetime import datetime
from typing import NamedTuple

from tests.support.standin import Standin
from tests.support.writers import COLLECTION, Writers, found, writers

BETWEEN = 60
"""Acknowledged writes before each stop."""


class Stops(NamedTuple):
    """What came of them."""

    acknowledged: int
    lost: int
    failed: int
    orderly: list[bool]
    exit_codes: list[int]


async def stops(standin: Standin, stops: int, restarts: int) -> Stops:
    """Stop and start ``stops`` times and restart ``restarts`` times under about 50 writes a second."""
    orderly, codes = [], []
    async with writers(standin.host) as load:
        for number in range(stops + restarts):
            await load.more(BETWEEN)
            if number < stops:
                codes.append(await asyncio.to_thread(standin.stop))
                await asyncio.to_thread(standin.start)
            else:
                await asyncio.to_thread(standin.restart)
            orderly.append((await asyncio.to_thread(standin.status))["orderly"])
        await load.more(1)
    return Stops(*await _count(standin, load), orderly, codes)


async def _count(standin: Standin, load: Writers) -> tuple[int, int, int]:
    there = await found(standin.host)
    written = load.written
    return len(written.acknowledged), len(written.missing(there)), written.failed


class Kill(NamedTuple):
    """What one kill took."""

    acknowledged: int
    lost: int
    seconds: float
    """From the first write that was lost to the last that was acknowledged."""
    stated: float
    """Seconds between which the status says that something may be gone."""


async def kills(standin: Standin, times: int, per_second: float) -> list[Kill]:
    """Kill and start ``times`` times under so many writes a second."""
    return [await _kill(standin, per_second, 3.0 + 0.7 * number) for number in range(times)]


async def _kill(standin: Standin, per_second: float, after: float) -> Kill:
    collection = f"{COLLECTION}-{time.time_ns()}"
    async with writers(standin.host, per_second, collection=collection) as load:
        await load.more(1)
        await asyncio.sleep(after)
        await asyncio.to_thread(standin.kill)
    await asyncio.to_thread(standin.start)
    status = await asyncio.to_thread(standin.status)
    missing = load.written.missing(await found(standin.host, collection))
    newest = max(load.written.acknowledged.values())
    seconds = (newest - min(missing.values())).total_seconds() if missing else 0.0
    as_of, stopped = (datetime.fromisoformat(status[name]) for name in ("restored_as_of", "stopped_at"))
    return Kill(len(load.written.acknowledged), len(missing), seconds, (stopped - as_of).total_seconds())

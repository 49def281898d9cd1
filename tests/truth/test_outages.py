"""A sink that cannot be used: said in time, in its own words, and over in time without a restart."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.sinks_in_trouble import FarEnd, FirestoreEnd
from tests.support.truth import AIM_SECONDS, Row, Verdict, Watch, verdict
from tests.truth.conftest import Cell, OpenCell, Record

LATENCY_SECONDS = 3.0
WRITE_SECONDS = 5.0

Step = Callable[[Cell], Awaitable[Any]]


@dataclass(frozen=True)
class Fault:
    """What breaks the sink, what repairs it, and what the dashboard says between."""

    break_it: Step
    repair_it: Step
    reason: str
    events: str
    direct: bool = False


async def _stop(cell: Cell) -> None:
    await asyncio.to_thread(cell.far_end.container.stop, 3)


async def _pause(cell: Cell) -> None:
    await asyncio.to_thread(cell.far_end.container.pause)


async def _heal_container(cell: Cell) -> None:
    await asyncio.to_thread(cell.far_end.container.heal)


async def _slow(cell: Cell) -> None:
    cell.proxy.delay(LATENCY_SECONDS)


async def _deny(cell: Cell) -> None:
    cell.proxy.turn_to(cell.far_end.denying)


async def _drop(cell: Cell) -> None:
    if isinstance(cell.far_end, FirestoreEnd):
        cell.proxy.turn_to(cell.far_end.missing)
    else:
        await cell.far_end.drop(cell.place)


async def _restore(cell: Cell) -> None:
    if isinstance(cell.far_end, FirestoreEnd):
        await cell.proxy.heal()
    else:
        await cell.far_end.restore(cell.place)


async def _heal(cell: Cell) -> None:
    await cell.proxy.heal()


TIMEOUT = "no answer"
LOOKS = 5
FAULTS = {
    "stopped": Fault(_stop, _heal_container, "not reachable", "unknown/read_error", direct=True),
    "paused": Fault(_pause, _heal_container, TIMEOUT, "unknown/read_timeout", direct=True),
    "latency": Fault(_slow, _heal, TIMEOUT, "unknown/read_timeout"),
    "denied": Fault(_deny, _heal, "permission denied", "unknown/read_denied"),
    "missing": Fault(_drop, _restore, "does not exist|was dropped", "unknown/read_error"),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_outage(sink: FarEnd, open_cell: OpenCell, record: Record, name: str) -> None:
    fault = FAULTS[name]
    wanted = Verdict("down", fault.reason, fault.events, "fail")
    async with open_cell(await sink.new_place(), direct=fault.direct) as cell:
        watch = cell.watch
        assert (await watch.send()).json()["durable_in"] == "sink"
        await watch.until_well()
        try:
            await fault.break_it(cell)
            detected = await watch.until_said(wanted)
            writes = await _write(watch, sink, fault)
            assert await watch.healthz() == 503
            for _ in range(LOOKS):  # on a busy machine one reading may be cut short
                said = verdict(await watch.look())
                if said.matches(wanted):
                    break
            assert said.matches(wanted)
        finally:
            await fault.repair_it(cell)
        recovered = await _recovered(watch, sink)
    record(Row(sink.name, name, said, writes, detected, recovered))
    assert max(detected, recovered) < AIM_SECONDS


async def _write(watch: Watch, sink: FarEnd, fault: Fault) -> str:
    """A write during the fault: kept in the outbox and shown, or refused with an invitation to try again."""
    async with asyncio.timeout(WRITE_SECONDS):
        answer = await watch.send()
    if not sink.has_outbox and fault is FAULTS["latency"]:
        assert answer.json()["durable_in"] == "sink"
        return "stored, late"
    if not sink.has_outbox:
        assert (answer.status_code, answer.json()["status"]) == (503, "error")
        assert (await watch.look())["event_sink"]["consecutive_failures"] == 1
        return f"503, Retry-After {answer.headers['Retry-After']}"
    assert (answer.status_code, answer.json()["durable_in"]) == (200, "outbox")
    backlog = (await watch.look())["event_sink"]["backlog"]
    assert (backlog["depth"], backlog["oldest_at"] is not None) == (1, True)
    return "outbox, backlog 1"


async def _recovered(watch: Watch, sink: FarEnd) -> float:
    """Seconds until all is well; without an outbox that includes the caller's second try."""
    if sink.has_outbox:
        return await watch.until_well()
    seconds = await watch.until(lambda shown: shown["event_sink"]["status"] != "down")
    assert (await watch.send()).json()["status"] == "accepted"
    return seconds + await watch.until_well()

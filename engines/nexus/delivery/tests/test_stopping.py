"""An orderly stop: nothing new is taken, what is queued is stored or answered, another process may drain."""

import asyncio
import time
from dataclasses import replace

import pytest

from engines.nexus.backends.sink import SinkRetryable
from engines.nexus.delivery import Delivered, Limits, Overloaded
from engines.nexus.delivery import delivery as module
from tests.support.app import QUICK
from tests.support.delivery import Processes

PATIENT = replace(QUICK, caller_seconds=5, writers=1)


@pytest.fixture
def shared() -> Processes:
    return Processes()


async def test_what_is_queued_is_stored_before_the_stop_ends(shared: Processes) -> None:
    process = shared.alone(PATIENT)
    shared.sink.gate.clear()
    first = asyncio.create_task(shared.deliver(process, "first"))
    await shared.sink.asked.wait()
    queued = asyncio.create_task(shared.deliver(process, "queued"))
    await asyncio.sleep(0.01)
    stopping = asyncio.create_task(process.stop())
    await asyncio.sleep(0.01)
    [late] = await shared.deliver(process, "late")
    assert isinstance(late, Overloaded)
    shared.sink.gate.set()
    await stopping
    assert await first == [Delivered("first", "sink")]
    assert await queued == [Delivered("queued", "sink")]
    assert await shared.stored() == ["first", "queued"]


async def test_with_the_sink_down_what_is_queued_goes_to_the_outbox(shared: Processes) -> None:
    process = shared.process(replace(PATIENT, sink_seconds=0.1))
    shared.sink.hanging.add("write")
    first = asyncio.create_task(shared.deliver(process, "first"))
    await shared.sink.asked.wait()
    queued = asyncio.create_task(shared.deliver(process, "queued"))
    await asyncio.sleep(0.01)
    await process.stop()
    assert await first + await queued == [Delivered("first", "outbox"), Delivered("queued", "outbox")]
    assert await shared.held() == {"first", "queued"}


async def test_a_stop_is_bounded_and_fails_who_still_waits(shared: Processes) -> None:
    process = shared.alone(replace(PATIENT, flush_seconds=0.05))
    shared.sink.hanging.add("write")
    waiting = asyncio.create_task(shared.deliver(process, "e-1", "e-2"))
    await shared.sink.asked.wait()
    started = time.monotonic()
    await process.stop()
    assert time.monotonic() - started < 1
    assert [str(error) for error in await waiting] == [
        "memory/events_{tenant}: this process stopped before it was stored"
    ] * 2
    assert all(isinstance(error, SinkRetryable) for error in await waiting)


async def test_the_background_drain_heals_by_itself(
    shared: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.01)
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.01)
    process = shared.process()
    process.start()
    shared.sink_down()
    assert await shared.deliver(process, "e-1") == [Delivered("e-1", "outbox")]
    shared.sink_up()
    async with asyncio.timeout(2):
        while await shared.waiting():  # noqa: ASYNC110 - nothing tells when a store becomes empty
            await asyncio.sleep(0.02)
    assert await shared.stored() == ["e-1"]
    await process.stop()


async def test_an_unforeseen_fault_does_not_end_the_background_drain(
    shared: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.01)
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.01)
    process = shared.process()
    shared.store.faults["scan"] = ZeroDivisionError("a bug")
    process.start()
    await asyncio.sleep(0.03)
    shared.sink_down()
    await shared.deliver(process, "e-1")
    shared.sink_up()
    shared.store.faults.clear()
    async with asyncio.timeout(2):
        while not await shared.stored():  # noqa: ASYNC110 - nothing tells when a sink gets an event
            await asyncio.sleep(0.02)
    await process.stop()


def test_the_product_stops_within_the_containers_grace() -> None:
    assert Limits().flush_seconds + module.RELEASE_SECONDS < 15
    assert module.BUSY_SECONDS + Limits().drain_seconds < 10

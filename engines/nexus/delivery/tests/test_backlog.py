"""The backlog: a scope's own events that wait, wherever they do, and an error when that cannot be read."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from engines.common.documents import Scope, StoreError, StoreUnavailable
from engines.nexus.delivery import Undelivered
from engines.nexus.delivery.outbox_records import QUEUES
from tests.support.app import QUICK
from tests.support.delivery import Processes

ACME = Scope("t_acme", "dev")


@pytest.fixture
def shared() -> Processes:
    return Processes()


def ids(count: int) -> list[str]:
    return [f"e-{number:04}" for number in range(count)]


async def test_the_backlog_is_the_scopes_own_and_names_its_oldest(shared: Processes) -> None:
    process = shared.process()
    assert await process.undelivered(ACME) == Undelivered(0, None, 0)
    shared.sink_down()
    first_at = shared.clock.now
    for event in ({}, {"env": "prod"}, {"tenantId": "t_globex"}, {}):
        await process.deliver(shared.envelope("e-1", **event))
        shared.clock.advance(seconds=1)
    assert await process.undelivered(ACME) == Undelivered(2, first_at, 0)
    globex = await process.undelivered(Scope("t_globex", "dev"))
    assert globex == Undelivered(1, first_at + timedelta(seconds=2), 0)
    shared.sink_up()
    await process.drain()
    assert await process.undelivered(ACME) == Undelivered(0, None, 0)


async def test_the_backlog_counts_what_is_on_its_way_in_this_process(shared: Processes) -> None:
    process = shared.alone(replace(QUICK, caller_seconds=5))
    shared.sink.gate.clear()
    calls = asyncio.create_task(shared.deliver(process, *ids(3)))
    await shared.sink.asked.wait()
    assert await process.undelivered(ACME) == Undelivered(3, shared.clock.now, 0)
    assert (await process.undelivered(Scope("t_acme", "prod"))).depth == 0
    shared.sink.gate.set()
    await calls
    assert (await process.undelivered(ACME)).depth == 0


async def test_a_backlog_that_cannot_be_read_is_an_error_and_never_zero(shared: Processes) -> None:
    shared.store.faults[f"get {QUEUES.name}"] = StoreUnavailable("memory: away")
    with pytest.raises(StoreError):
        await shared.process().undelivered(ACME)

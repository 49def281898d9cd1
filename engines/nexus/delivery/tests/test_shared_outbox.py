"""Several processes on one outbox: one drains at a time, a dead one's work is taken over, nothing is lost."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from engines.common.documents import SYSTEM, StoreUnavailable
from engines.nexus.delivery import Delivered, Delivery
from engines.nexus.delivery.lease import LEASE_SECONDS, LEASES
from engines.nexus.delivery.outbox_records import QUEUES
from tests.support.app import QUICK
from tests.support.delivery import Processes


@pytest.fixture
def shared() -> Processes:
    return Processes()


def ids(count: int, start: int = 0) -> list[str]:
    return [f"e-{number:04}" for number in range(start, start + count)]


async def with_backlog(shared: Processes, count: int) -> None:
    """Events in the outbox that were never tried on the sink, which is up again."""
    writer = shared.process()
    shared.sink_down()
    await writer.deliver(shared.envelope("tried", tenantId="t_other"))
    shared.sink_up()
    await shared.process().drain()
    for event_id in ids(count):
        await shared.deliver(writer, event_id)
    shared.sink.batches.clear()


async def test_two_processes_never_send_the_same_event(shared: Processes) -> None:
    await with_backlog(shared, 20)
    one, two = shared.process(), shared.process()
    left = await asyncio.gather(*(process.drain() for process in (one, two, one, two)))
    assert sum(left) == 20
    sent = [event_id for batch in shared.sink.batches for event_id in batch]
    assert sorted(sent) == ids(20)


async def test_while_one_sends_another_waits(shared: Processes) -> None:
    await with_backlog(shared, 3)
    one, two = shared.process(), shared.process()
    shared.sink.gate.clear()
    shared.sink.asked.clear()
    draining = asyncio.create_task(one.drain())
    await shared.sink.asked.wait()
    assert await two.drain() == 0
    assert len(shared.sink.batches) == 1
    shared.sink.gate.set()
    assert await draining == 3


async def kill_while_sending(shared: Processes) -> None:
    """A process that dies after it sent a batch and before it could say so."""
    victim = shared.process()
    shared.sink.gate.clear()
    shared.sink.asked.clear()
    draining = asyncio.create_task(victim.drain())
    await shared.sink.asked.wait()
    draining.cancel()
    await asyncio.gather(draining, return_exceptions=True)
    shared.sink.gate.set()


async def test_the_work_of_a_dead_process_is_taken_over_when_its_lease_ends(shared: Processes) -> None:
    await with_backlog(shared, 3)
    await kill_while_sending(shared)
    heir = shared.process()
    assert await heir.drain() == 0
    shared.clock.advance(seconds=LEASE_SECONDS - 0.1)
    assert await heir.drain() == 0
    shared.clock.advance(seconds=0.2)
    assert await heir.drain() == 3
    assert await shared.stored() == ids(3)


async def test_the_heir_sends_the_identical_batch_and_then_what_came_meanwhile(shared: Processes) -> None:
    await with_backlog(shared, 3)
    await kill_while_sending(shared)
    shared.sink_down()
    await shared.deliver(shared.process(), "later")
    shared.sink_up()
    shared.clock.advance(seconds=LEASE_SECONDS + 1)
    shared.sink.batches.clear()
    assert await shared.process().drain() == 4
    assert shared.sink.batches[:2] == [ids(3), ["later"]]


async def test_who_lost_the_lease_deletes_nothing(shared: Processes) -> None:
    await with_backlog(shared, 3)
    slow, heir = shared.process(), shared.process()
    shared.sink.gate.clear()
    shared.sink.asked.clear()
    draining = asyncio.create_task(slow.drain())
    await shared.sink.asked.wait()
    shared.clock.advance(seconds=LEASE_SECONDS + 1)
    taking_over = asyncio.create_task(heir.drain())
    await asyncio.sleep(0.01)
    shared.sink.gate.set()
    assert await draining == 0
    assert await taking_over == 3
    assert shared.sink.batches == [ids(3), ids(3)]
    assert (await shared.stored(), await shared.waiting()) == (ids(3), [])


async def test_a_process_that_stops_lets_the_next_one_drain_at_once(shared: Processes) -> None:
    await with_backlog(shared, 1)
    one = shared.process()
    shared.sink_down()
    one.start()
    await asyncio.sleep(0.01)
    await one.stop()
    shared.sink_up()
    assert await shared.process().drain() == 1


async def test_lease_and_queue_hold_no_payload(shared: Processes) -> None:
    await with_backlog(shared, 2)
    await kill_while_sending(shared)
    [lease] = [document.fields for document in await shared.store.scan(LEASES, SYSTEM)]
    assert set(lease) == {"holder", "until", "sending"}
    [queue] = [document.fields for document in await shared.store.scan(QUEUES, SYSTEM)]
    assert set(queue) == {"key", "tenant_id", "env", "head", "tail", "sending"}
    assert (queue["head"], queue["tail"], queue["sending"]) == (0, 2, 2)


INSTANT = replace(QUICK, sink_seconds=0.01, floor_seconds=0.01, drain_seconds=0.01)

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("deliver"), st.integers(0, 1), st.integers(1, 4)),
        st.tuples(st.just("drain"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("kill"), st.just(0), st.just(0)),
        st.tuples(st.sampled_from(["down", "up", "store_down", "store_up", "later"]), st.just(0), st.just(0)),
    ),
    max_size=25,
)


@given(STEPS)
@hypothesis_settings(max_examples=40, deadline=None)
def test_whatever_happens_all_that_is_accepted_arrives_once(steps: list[tuple[str, int, int]]) -> None:
    asyncio.run(live_through(steps))


async def live_through(steps: Sequence[tuple[str, int, int]]) -> None:
    shared = Processes()
    processes = [shared.process(INSTANT), shared.process(INSTANT)]
    accepted: set[str] = set()
    number = 0
    for step, which, count in steps:
        if step == "deliver":
            answers = await shared.deliver(processes[which], *ids(count, start=number))
            accepted |= {answer.event_id for answer in answers if isinstance(answer, Delivered)}
            number += count
        elif step == "kill":
            await asyncio.wait_for(try_to_kill(shared), 2)
        else:
            await simple_step(shared, step, which, processes)
        assert accepted <= await shared.held()
    shared.sink_up()
    shared.store.faults.clear()
    shared.clock.advance(seconds=LEASE_SECONDS + 1)
    while await processes[0].drain():
        pass
    assert await shared.waiting() == []
    assert accepted <= set(await shared.stored())
    assert len(await shared.stored()) == len(set(await shared.stored()))


async def simple_step(shared: Processes, step: str, which: int, processes: Sequence[Delivery]) -> None:
    match step:
        case "drain":
            await processes[which].drain()
        case "down":
            shared.sink_down()
        case "up":
            shared.sink_up()
        case "store_down":
            shared.store.faults["mutate"] = StoreUnavailable("memory: away")
        case "store_up":
            shared.store.faults.clear()
        case "later":
            shared.clock.advance(seconds=LEASE_SECONDS + 1)


async def try_to_kill(shared: Processes) -> None:
    """Kill a process in the middle of a drain, if there is something to drain."""
    victim = asyncio.create_task(shared.process(INSTANT).drain())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    victim.cancel()
    await asyncio.gather(victim, return_exceptions=True)

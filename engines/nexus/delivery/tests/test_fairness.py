"""Fairness: what one tenant has waiting holds up no other, in the queue and in the outbox."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from engines.nexus.delivery import Delivered, Limits, Overloaded
from engines.nexus.delivery import turn as module
from engines.nexus.delivery.queue import Queue, Waiting
from engines.nexus.delivery.text import to_text
from tests.support.app import QUICK, MovableClock
from tests.support.delivery import Processes

LIMITS = Limits(queue_events=1_000, batch_events=10, queue_tenant_events=1_000)


@pytest.fixture
def shared() -> Processes:
    return Processes()


def name(tenant_id: str, number: int) -> str:
    return f"{tenant_id}-{number:05}"


def names(tenant_id: str, count: int, start: int = 0) -> list[str]:
    return [name(tenant_id, number) for number in range(start, start + count)]


def of(tenant_id: str, event_ids: Sequence[str]) -> list[str]:
    return [event_id for event_id in event_ids if event_id.startswith(f"{tenant_id}-")]


def waiting(event_id: str, tenant_id: str) -> Waiting:
    envelope = Processes().envelope(event_id, tenantId=tenant_id)
    answer: asyncio.Future[Delivered] = asyncio.Future()
    return Waiting(envelope, to_text(envelope), 0.0, MovableClock().now, answer)


MIX = st.lists(st.sampled_from(["t_a", "t_b", "t_c", "t_d"]), min_size=1, max_size=60)
"""Tenants in the order in which their events come."""


@given(MIX)
@hypothesis_settings(max_examples=60, deadline=None)
def test_a_batch_takes_of_each_tenant_alike_and_in_its_order(mix: list[str]) -> None:
    async def check() -> None:
        queue, counts = Queue(LIMITS), dict.fromkeys(mix, 0)
        for tenant_id in mix:
            queue.add(waiting(name(tenant_id, counts[tenant_id]), tenant_id), "memory/events")
            counts[tenant_id] += 1
        taken: list[str] = []
        while batch := queue.take():
            left = {tenant_id: counts[tenant_id] - len(of(tenant_id, taken)) for tenant_id in counts}
            now = [item.envelope.event_id for item in batch]
            shares = {tenant_id: len(of(tenant_id, now)) for tenant_id in counts if left[tenant_id]}
            full = max(shares.values())
            # Nobody gets less than another by more than one, unless it has no more.
            assert all(share >= full - 1 or share == left[who] for who, share in shares.items())
            taken += now
            queue.done(batch)
        for tenant_id, count in counts.items():
            assert of(tenant_id, taken) == names(tenant_id, count)
        assert len(queue) == 0

    asyncio.run(check())


async def test_a_tenant_over_its_share_of_the_queue_is_refused_alone(shared: Processes) -> None:
    process = shared.alone(replace(QUICK, queue_events=6, queue_tenant_events=3, caller_seconds=5))
    shared.sink.gate.clear()
    large = [
        asyncio.create_task(process.deliver(shared.envelope(event_id, tenantId="t_large")))
        for event_id in names("t_large", 4)
    ]
    await shared.sink.asked.wait()
    with pytest.raises(Overloaded, match="of this tenant"):
        await large[3]
    small = asyncio.create_task(process.deliver(shared.envelope("small", tenantId="t_small")))
    await asyncio.sleep(0)
    shared.sink.gate.set()
    assert await small == Delivered("small", "sink")
    assert [answer.durable_in for answer in await asyncio.gather(*large[:3])] == ["sink"] * 3


async def test_the_share_of_bytes_binds_one_tenant_alone() -> None:
    size = len(waiting("a", "t_a").text)
    queue = Queue(replace(LIMITS, queue_tenant_bytes=2 * size))
    queue.add(waiting("a", "t_a"), "memory/events")
    queue.add(waiting("b", "t_a"), "memory/events")
    with pytest.raises(Overloaded, match="of this tenant"):
        queue.add(waiting("c", "t_a"), "memory/events")
    queue.add(waiting("a", "t_b"), "memory/events")
    queue.done(queue.take())
    queue.add(waiting("c", "t_a"), "memory/events")


def test_one_tenant_may_take_half_of_the_queue() -> None:
    limits = Limits()
    assert limits.queue_tenant_events == limits.queue_events // 2
    assert limits.queue_tenant_bytes == limits.queue_bytes // 2


BATCHES = st.lists(
    st.tuples(
        st.sampled_from(["t_a", "t_b", "t_c"]),
        st.sampled_from(["dev", "prod", "a.b"]),
        st.integers(1, 12),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)
"""Batches in the outbox: tenant, env, length, whether it was tried."""


@given(BATCHES, st.sampled_from([1, 4, 10, 500]))
@hypothesis_settings(max_examples=60, deadline=None)
def test_whatever_waits_comes_out_in_order_within_bounds(
    batches: list[tuple[str, str, int, bool]], room: int
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "TURN_EVENTS", room)
        asyncio.run(drain_all(batches, room))


async def drain_all(batches: list[tuple[str, str, int, bool]], room: int) -> None:
    shared = Processes()
    expected: dict[tuple[str, str], list[str]] = {}
    whole: list[list[str]] = []
    for number, (tenant_id, env, length, tried) in enumerate(batches):
        event_ids = [f"{tenant_id}:{env}:{number:03}-{place}" for place in range(length)]
        await shared.put_aside(*event_ids, tenant_id=tenant_id, env=env, tried=tried)
        expected.setdefault((tenant_id, env), []).extend(event_ids)
        if tried:
            whole.append(event_ids)
    process, count = shared.process(), sum(map(len, expected.values()))
    assert await process.drain() == count
    sent = [event_id for batch in shared.sink.batches for event_id in batch]
    for (tenant_id, env), event_ids in expected.items():
        assert [e for e in sent if e.startswith(f"{tenant_id}:{env}:")] == event_ids
    for event_ids in whole:
        prefix = event_ids[0].rsplit(":", 1)[0]
        companies = [[e for e in batch if e.startswith(prefix)] for batch in shared.sink.batches]
        assert event_ids in companies
    longest = max(length for _, _, length, _ in batches)
    assert all(len(batch) <= room + longest for batch in shared.sink.batches)
    assert (await shared.waiting(), (await process.totals()).outbox) == ([], 0)


@pytest.mark.parametrize("tried", [False, True])
async def test_a_single_event_leaves_in_the_first_turn_or_the_second(shared: Processes, tried: bool) -> None:
    for first in range(0, 5_000, 500):
        await shared.put_aside(*names("t_large", 500, first), tenant_id="t_large", tried=tried)
    await shared.put_aside("small-0", tenant_id="t_small")
    assert await shared.process().drain() == 5_001
    turn = next(place for place, batch in enumerate(shared.sink.batches) if "small-0" in batch)
    assert turn <= 1
    assert of("t_large", [e for batch in shared.sink.batches for e in batch]) == names("t_large", 5_000)


async def test_a_single_event_that_comes_while_much_is_sent_waits_a_turn_at_most(shared: Processes) -> None:
    await shared.put_aside(*names("t_large", 2_000), tenant_id="t_large")
    shared.sink.gate.clear()
    draining = asyncio.create_task(shared.process().drain())
    await shared.sink.asked.wait()
    await shared.put_aside("small-0", tenant_id="t_small")
    shared.sink.gate.set()
    await draining
    assert "small-0" in shared.sink.batches[1]


async def test_the_turn_is_the_tenants_whatever_number_of_envs_it_has(
    shared: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TURN_EVENTS", 10)
    for env in ("dev", "staging", "prod", "odd"):
        await shared.put_aside(*names("t_many", 20), tenant_id="t_many", env=env)
    await shared.put_aside(*names("t_one", 20), tenant_id="t_one")
    await shared.process().drain()
    # One of each queue, and then by turns: four and one, then three and two.
    assert len(of("t_one", shared.sink.batches[0])) >= 3


async def test_more_tenants_than_a_turn_holds_all_get_their_turn(
    shared: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TURN_EVENTS", 5)
    tenants = [f"t_{number:02}" for number in range(23)]
    for tenant_id in tenants:
        await shared.put_aside(*names(tenant_id, 3), tenant_id=tenant_id)
    await shared.process().drain()
    first_turns = [e for batch in shared.sink.batches[:5] for e in batch]
    assert {event_id[:4] for event_id in first_turns} == set(tenants)

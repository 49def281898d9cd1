"""A tenant whose events cannot leave the outbox for a reason of their own stops nobody else's."""

from typing import Any

import pytest

from engines.common.documents import SYSTEM, Address, Document, Scope, StoreUnavailable, Write
from engines.nexus.backends.sink import SinkError, SinkRetryable
from engines.nexus.delivery.outbox_records import OUTBOX
from engines.nexus.delivery.set_aside import FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS
from tests.support.delivery import AWAY, PickySink, Processes
from tests.support.records import PipelineKit, stored_events


@pytest.fixture
def shared() -> Processes:
    return Processes(sink=PickySink())


@pytest.fixture
def sink(shared: Processes) -> PickySink:
    assert isinstance(shared.sink, PickySink)
    return shared.sink


async def stored(shared: Processes, tenant_id: str) -> list[str]:
    return [envelope.event_id for envelope in await stored_events(shared.sink, tenant_id)]


async def waiting(shared: Processes) -> list[str]:
    """Tenants whose entries are in the outbox."""
    return sorted({entry["tenant_id"] for entry in await shared.waiting()})


OWN: dict[str, SinkError] = {
    "timeout": SinkRetryable("memory/events", "no answer in time", "timeout"),
    "misconfigured": PipelineKit.fault("misconfigured", "denied"),
    "unforeseen": SinkError("memory/events", "unforeseen KeyError"),
}


@pytest.mark.parametrize("fault", OWN)
@pytest.mark.parametrize("bad", ["t_0", "t_9"])
async def test_what_the_sink_does_not_take_of_one_tenant_stops_no_other(
    shared: Processes, sink: PickySink, fault: str, bad: str
) -> None:
    sink.refuses[bad] = OWN[fault]
    for tenant_id in (bad, "t_good", "t_fine"):
        await shared.put_aside(f"{tenant_id}-1", f"{tenant_id}-2", tenant_id=tenant_id)
    process = shared.process()
    assert await process.drain() == 4
    assert (await stored(shared, "t_good"), await stored(shared, "t_fine")) == (
        ["t_good-1", "t_good-2"],
        ["t_fine-1", "t_fine-2"],
    )
    assert await waiting(shared) == [bad]
    sink.refuses.clear()
    shared.clock.advance(seconds=LONGEST_WAIT_SECONDS + 1)
    assert await process.drain() == 2
    assert await stored(shared, bad) == [f"{bad}-1", f"{bad}-2"]


async def test_it_is_tried_again_after_a_wait_that_grows_and_alone(
    shared: Processes, sink: PickySink
) -> None:
    sink.refuses["t_bad"] = OWN["timeout"]
    process = shared.process()
    await shared.put_aside("bad", tenant_id="t_bad")
    gaps, last = [], shared.clock.now
    for number in range(150):
        await shared.put_aside(f"good-{number}", tenant_id="t_good")
        sink.batches.clear()
        await process.drain()
        if ["bad"] in sink.batches:
            gaps.append((shared.clock.now - last).total_seconds())
            last = shared.clock.now
        if number:
            assert [f"good-{number}"] in sink.batches
        shared.clock.advance(seconds=1)
    assert gaps[:6] == [0, FIRST_WAIT_SECONDS, 4, 8, 16, 32]
    assert len(await stored(shared, "t_good")) == 150


async def test_a_sink_that_is_away_stops_the_round_and_sets_nobody_aside(
    shared: Processes, sink: PickySink
) -> None:
    process = shared.process()
    for tenant_id in ("t_a", "t_b", "t_c"):
        await shared.put_aside(tenant_id, tenant_id=tenant_id)
    sink.faults |= {"write": AWAY, "probe": AWAY}
    for _ in range(3):
        sink.batches.clear()
        assert await process.drain() == 0
        assert {tuple(sorted(batch)) for batch in sink.batches} == {("t_a", "t_b", "t_c")}
    assert process.state.consecutive_failures == 3
    shared.sink_up()
    assert await process.drain() == 3


async def test_a_sink_that_takes_nothing_though_its_probe_passes_is_told_and_recovers_at_once(
    shared: Processes, sink: PickySink
) -> None:
    process = shared.process()
    tenants = [f"t_{number}" for number in range(6)]
    for tenant_id in tenants:
        await shared.put_aside(tenant_id, tenant_id=tenant_id)
    sink.faults["write"] = AWAY
    for number in range(1, 5):
        assert await process.drain() == 0
        assert process.state.consecutive_failures == number
        shared.clock.advance(seconds=2)
    shared.sink_up()
    assert await process.drain() == 6


async def test_only_one_tenant_waits_and_fails_is_the_sinks_failure(
    shared: Processes, sink: PickySink
) -> None:
    sink.refuses["t_bad"] = OWN["misconfigured"]
    await shared.put_aside("bad", tenant_id="t_bad")
    process = shared.process()
    assert await process.drain() == 0
    assert process.state.consecutive_failures == 1


@pytest.mark.parametrize(
    "broken",
    [{"envelope": "{"}, {"envelope": "[]"}, {"waiting_since": "never"}, {"tried": None}, {"batch": 7}],
    ids=lambda broken: next(iter(broken)),
)
async def test_a_malformed_entry_stops_its_own_tenant_alone(
    shared: Processes, broken: dict[str, Any]
) -> None:
    await shared.put_aside("bad-0", "bad-1", "bad-2", tenant_id="t_bad")
    await shared.put_aside("good-0", "good-1", tenant_id="t_good")
    entry = next(entry for entry in await shared.waiting() if "bad-1" in entry["envelope"])
    await shared.store.put(Write(OUTBOX, Scope("t_bad", "dev"), entry["key"], entry | broken))
    process = shared.process()
    assert await process.drain() == 3
    assert await stored(shared, "t_bad") == ["bad-0"]
    assert await stored(shared, "t_good") == ["good-0", "good-1"]
    await shared.store.put(Write(OUTBOX, Scope("t_bad", "dev"), entry["key"], entry))
    shared.clock.advance(seconds=LONGEST_WAIT_SECONDS)
    assert await process.drain() == 2
    assert await stored(shared, "t_bad") == ["bad-0", "bad-1", "bad-2"]


async def test_an_entry_that_the_store_cannot_read_stops_its_own_tenant_alone(
    shared: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shared.put_aside("bad-0", tenant_id="t_bad")
    await shared.put_aside("good-0", "good-1", tenant_id="t_good")
    [bad] = [entry["key"] for entry in await shared.waiting() if entry["tenant_id"] == "t_bad"]
    get_all = shared.store.inner.get_all

    async def broken(address: Address, scope: Scope, keys: list[str]) -> list[Document | None]:
        if bad in keys:
            raise StoreUnavailable("memory: INTERNAL")
        return await get_all(address, scope, keys)

    monkeypatch.setattr(shared.store.inner, "get_all", broken)
    process = shared.process()
    assert await process.drain() == 2
    assert (await stored(shared, "t_good"), await waiting(shared)) == (["good-0", "good-1"], ["t_bad"])
    monkeypatch.undo()
    shared.clock.advance(seconds=LONGEST_WAIT_SECONDS)
    assert await process.drain() == 1


async def test_a_refused_event_without_its_dead_letter_holds_up_no_other_tenant(shared: Processes) -> None:
    await shared.put_aside("good", tenant_id="t_good")
    bad = shared.envelope("bad", tenantId="t_bad", input={"x": [[1]]})
    shared.sink_down()
    await shared.process().deliver(bad)
    shared.sink_up()
    shared.store.faults["put nexus_dead_letters"] = StoreUnavailable("memory: away")
    process = shared.process()
    await process.drain()
    assert (await stored(shared, "t_good"), await waiting(shared)) == (["good"], ["t_bad"])
    shared.store.faults.clear()
    shared.clock.advance(seconds=LONGEST_WAIT_SECONDS)
    await process.drain()
    assert (await waiting(shared), len(await shared.letters())) == ([], 1)
    assert await shared.store.scan(OUTBOX, SYSTEM) == []

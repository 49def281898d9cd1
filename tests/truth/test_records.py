"""A sink that works, with records that must not pass for a fresh event of the tenant."""

from datetime import UTC, datetime, timedelta

from tests.support.app import Login
from tests.support.sinks_in_trouble import FarEnd
from tests.support.truth import AIM_SECONDS, WELL, Row, Verdict, Watch, verdict
from tests.truth.conftest import Cell, OpenCell, Record

NEVER = Verdict("up", None, "never/no_records", "pass")
UNDATED = Verdict("degraded", "none says when it was stored", "unknown/read_error", "pass")
AHEAD = Verdict("up", None, "unknown/future_timestamp", "pass")


async def test_empty(sink: FarEnd, open_cell: OpenCell, record: Record) -> None:
    async with open_cell(await sink.new_place()) as cell:
        await _said_until_an_event_arrives(cell, record, "empty", NEVER)


async def test_null_timestamp(sink: FarEnd, open_cell: OpenCell, record: Record) -> None:
    async with open_cell(await sink.new_place()) as cell:
        await cell.watch.until_said(NEVER)
        await sink.put_undated(cell.place, cell.watch.a.tenant_id)
        await _said_until_an_event_arrives(cell, record, "null timestamp", UNDATED)


async def test_another_tenants_fresh_events_only(sink: FarEnd, open_cell: OpenCell, record: Record) -> None:
    async with open_cell(await sink.new_place()) as cell:
        watch = cell.watch
        await _send(watch, watch.b)
        assert verdict(await watch.look(watch.b)) == WELL
        await _said_until_an_event_arrives(cell, record, "another tenant's only", NEVER)
        assert verdict(await watch.look(watch.b)) == WELL


async def test_future_timestamp(sink: FarEnd, open_cell: OpenCell, record: Record) -> None:
    ahead = datetime.now(UTC) + timedelta(days=2)
    async with open_cell(await sink.new_place()) as cell:
        watch = cell.watch
        await _send(watch, watch.a)
        await watch.until_well()
        await sink.put(cell.place, watch.a.tenant_id, ahead)
        detected = await watch.until_said(AHEAD)
        await _send(watch, watch.a)
        said = verdict(await watch.look())
        assert said.matches(AHEAD)
        await sink.forget(cell.place, watch.a.tenant_id, ahead)
        recovered = await watch.until_well()
    record(Row(sink.name, "future timestamp", said, "stored", detected, recovered))
    assert max(detected, recovered) < AIM_SECONDS


async def _said_until_an_event_arrives(cell: Cell, record: Record, fault: str, wanted: Verdict) -> None:
    watch, sink = cell.watch, cell.far_end
    detected = await watch.until_said(wanted)
    shown = await watch.look()
    assert (shown["event_sink"]["last_write_at"], shown["event_sink"]["backlog"]["depth"]) == (None, 0)
    assert await watch.healthz() == 200
    await _send(watch, watch.a)
    recovered = await watch.until_well()
    record(Row(sink.name, fault, verdict(shown), "stored", detected, recovered))
    assert max(detected, recovered) < AIM_SECONDS


async def _send(watch: Watch, login: Login) -> None:
    assert (await watch.send(login)).json()["durable_in"] == "sink"

"""A crash leaves halves behind; what was stored before it is brought in step afterwards."""

from collections.abc import AsyncIterator

import pytest

from engines.analytics.crash_repair import CrashRepair
from engines.analytics.models import ANALYTICS_EVENTS, AnalyticsEvent
from engines.analytics.raw_records import SETTLED_AFTER
from engines.common.documents import Scope
from engines.nexus.backends.sink import SinkRetryable
from engines.nexus.delivery.recent import KEEP
from tests.support.app import Login, MemoryKit, running, send_pageview
from tests.support.faults import FaultySink
from tests.support.records import login_as, stored_events, stored_fields
from tests.support.stand_in import SaidStandIn

ACME = Scope("t_acme", "dev")


class Kit(MemoryKit):
    """An app with some page views, as a killed process left them."""

    member: Login
    complete = True
    waits = 0

    def crash(self) -> CrashRepair:
        """What repairs it, a crash a second after now."""
        analytics = self.services.analytics

        async def complete(_: Scope) -> bool:
            return self.complete

        async def waiting(_: Scope) -> int:
            return self.waits

        self.clock.advance(seconds=1)
        repair = CrashRepair(
            analytics.events,
            analytics.raw_records,
            self.sink,
            waiting,
            complete,
            lambda: [ACME],
            self.clock,
        )
        repair.crashed()
        return repair

    async def repair(self) -> None:
        repair = self.crash()
        self.clock.advance(seconds=SETTLED_AFTER.total_seconds())
        await repair.look()

    async def raw(self) -> list[str]:
        return sorted(fields["id"] for fields in await stored_fields(self.store, ANALYTICS_EVENTS))

    async def events(self) -> list[str]:
        return sorted(envelope.event_id for envelope in await stored_events(self.sink))

    async def leave_raw_alone(self) -> None:
        record = AnalyticsEvent(
            id="alone",
            tenant_id=ACME.tenant_id,
            env=ACME.env,
            event_type="pageview",
            payload={},
            created_at=self.clock.now,
        )
        await self.services.analytics.events.put(ACME, record.id, record)


@pytest.fixture
async def kit() -> AsyncIterator[Kit]:
    kit = Kit(sink=FaultySink())
    async with running(kit):
        kit.member = login_as(kit, "member")
        for _ in range(3):
            assert (await send_pageview(kit.client, kit.member)).status_code == 200
        yield kit


async def test_an_event_without_its_raw_record_gets_it(kit: Kit) -> None:
    whole = await stored_fields(kit.store, ANALYTICS_EVENTS)
    await kit.services.analytics.events.delete(ACME, whole[0]["id"])
    await kit.repair()
    assert await stored_fields(kit.store, ANALYTICS_EVENTS) == whole


async def test_the_only_raw_record_of_a_tenant_comes_back_too(kit: Kit) -> None:
    whole = await stored_fields(kit.store, ANALYTICS_EVENTS)
    for record in whole:
        await kit.services.analytics.events.delete(ACME, record["id"])
    await kit.repair()
    assert await stored_fields(kit.store, ANALYTICS_EVENTS) == whole


async def test_it_waits_until_nothing_is_under_way(kit: Kit) -> None:
    await kit.leave_raw_alone()
    repair = kit.crash()
    kit.clock.advance(seconds=SETTLED_AFTER.total_seconds() - 1)
    await repair.look()
    assert "alone" in await kit.raw()
    kit.clock.advance(seconds=1)
    await repair.look()
    assert "alone" not in await kit.raw()


async def test_another_crash_meanwhile_is_waited_for_too(kit: Kit) -> None:
    await kit.leave_raw_alone()
    repair = kit.crash()
    kit.clock.advance(seconds=SETTLED_AFTER.total_seconds())
    repair.crashed()
    await repair.look()
    assert "alone" in await kit.raw()
    kit.clock.advance(seconds=SETTLED_AFTER.total_seconds())
    await repair.look()
    assert "alone" not in await kit.raw()


async def test_what_cannot_be_read_is_looked_at_again(kit: Kit) -> None:
    await kit.leave_raw_alone()
    kit.sink.faults["records"] = SinkRetryable("memory", "away")
    repair = kit.crash()
    kit.clock.advance(seconds=SETTLED_AFTER.total_seconds())
    await repair.look()
    assert "alone" in await kit.raw()
    kit.sink.faults.clear()
    await repair.look()
    assert "alone" not in await kit.raw()


async def test_a_store_that_came_back_older_is_repaired_once_settled() -> None:
    """What no caller was told is stored is in the sink, and its raw record went with the store's crash."""
    stand_in = SaidStandIn()
    async with running(Kit(sink=FaultySink(), stand_in=stand_in)) as kit:
        member = login_as(kit, "member")
        assert await kit.services.recovery.look()
        for _ in range(2):
            assert (await send_pageview(kit.client, member)).status_code == 200
        kit.clock.advance(seconds=KEEP.total_seconds() + 1)  # recovery knows no accepted event any more
        whole = await stored_fields(kit.store, ANALYTICS_EVENTS)
        await kit.services.analytics.events.delete(ACME, whole[0]["id"])
        stand_in.set(generation="another start")
        assert await kit.services.recovery.look()
        kit.clock.advance(seconds=SETTLED_AFTER.total_seconds())
        await kit.services.crash_repair.look()
        assert await stored_fields(kit.store, ANALYTICS_EVENTS) == whole


async def test_a_raw_record_without_its_event_goes(kit: Kit) -> None:
    await kit.leave_raw_alone()
    await kit.repair()
    assert await kit.raw() == await kit.events()


async def test_it_stays_where_accepted_events_are_missing(kit: Kit) -> None:
    await kit.leave_raw_alone()
    kit.complete = False
    await kit.repair()
    assert "alone" in await kit.raw()


async def test_it_stays_while_events_wait_for_the_sink(kit: Kit) -> None:
    await kit.leave_raw_alone()
    kit.waits = 1
    await kit.repair()
    assert "alone" in await kit.raw()


async def test_what_came_after_the_start_is_not_touched(kit: Kit) -> None:
    kit.clock.advance(seconds=2)
    await kit.leave_raw_alone()
    kit.clock.advance(seconds=-2)
    await kit.repair()
    assert "alone" in await kit.raw()


async def test_other_events_have_no_raw_record(kit: Kit) -> None:
    locks = {"scope": "other", "title": "a lock"}
    answer = await kit.client.post("/strategy-locks", json=locks, headers=kit.member.headers())
    assert answer.status_code == 200
    before = await kit.raw()
    await kit.repair()
    assert await kit.raw() == before

"""A killed process leaves halves behind; the next one brings raw records and events in step."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from engines.analytics.crash_repair import CrashRepair
from engines.analytics.models import ANALYTICS_EVENTS, AnalyticsEvent
from engines.common.documents import Scope
from tests.support.app import Login, MemoryKit, running, send_pageview
from tests.support.faults import FaultySink
from tests.support.records import login_as, stored_events, stored_fields

ACME = Scope("t_acme", "dev")


class Kit(MemoryKit):
    """An app with some page views, as a killed process left them."""

    member: Login
    complete = True
    waits = 0

    async def repair(self) -> None:
        analytics = self.services.analytics

        async def complete(_: Scope) -> bool:
            return self.complete

        async def waiting(_: Scope) -> int:
            return self.waits

        repair = CrashRepair(analytics.events, analytics.raw_records, self.sink, waiting, complete)
        await repair.run(self.clock.now + timedelta(seconds=1))

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
    kit.clock.advance(seconds=10)
    await kit.leave_raw_alone()
    kit.clock.advance(seconds=-10)
    await kit.repair()
    assert "alone" in await kit.raw()


async def test_other_events_have_no_raw_record(kit: Kit) -> None:
    locks = {"scope": "other", "title": "a lock"}
    answer = await kit.client.post("/strategy-locks", json=locks, headers=kit.member.headers())
    assert answer.status_code == 200
    before = await kit.raw()
    await kit.repair()
    assert await kit.raw() == before

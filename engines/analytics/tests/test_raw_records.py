"""A raw record and its event: both or neither, also when a write without an answer is carried out later."""

from collections.abc import AsyncIterator, Sequence

import pytest

from engines.analytics.models import ANALYTICS_EVENTS
from engines.analytics.raw_records import SETTLED_AFTER
from engines.common.documents import StoreTimeout, Write
from engines.nexus.backends.sink import Envelope, SinkRetryable, WriteReceipt
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import MemoryKit, running
from tests.support.faults import FaultySink, FaultyStore
from tests.support.records import login_as, stored_events, stored_fields

LATE = SinkRetryable("memory/events", "no answer in time", "timeout")


class SlowSink(FaultySink):
    """Says that it does not answer, and carries the write out when ``arrive`` is called."""

    def __init__(self) -> None:
        super().__init__()
        self.late = False
        self.under_way: list[Envelope] = []

    async def write(self, batch: Sequence[Envelope]) -> list[WriteReceipt]:
        if self.late:
            self.under_way = list(batch)
            raise LATE
        return await super().write(batch)

    async def arrive(self) -> None:
        await self.inner.write(self.under_way)


class SlowStore(FaultyStore):
    """Says that it does not answer when raw records are created, and carries that out all the same."""

    def __init__(self, inner: MemoryDocumentStore) -> None:
        super().__init__(inner)
        self.late = False

    async def put(self, write: Write) -> None:
        await super().put(write)
        if self.late and write.address == ANALYTICS_EVENTS:
            raise StoreTimeout("memory: no answer in time")


@pytest.fixture
async def kit() -> AsyncIterator[MemoryKit]:
    kit = MemoryKit(sink=SlowSink())
    kit.store = SlowStore(MemoryDocumentStore(kit.clock))
    async with running(kit):
        yield kit


async def send(kit: MemoryKit) -> int:
    headers = login_as(kit, "member").headers()
    body = {"surface": "squared", "url": "https://shop.invalid/", "metadata": {"depth": 1}}
    answer = await kit.client.post("/analytics/events/pageview", json=body, headers=headers)
    return answer.status_code


async def ids(kit: MemoryKit) -> tuple[list[str], list[str]]:
    """Ids of the raw records, and of the events."""
    raw = [fields["id"] for fields in await stored_fields(kit.store, ANALYTICS_EVENTS)]
    return sorted(raw), sorted(envelope.event_id for envelope in await stored_events(kit.sink))


async def settle(kit: MemoryKit) -> None:
    await kit.services.analytics.raw_records.settle()


async def test_row_3_an_event_that_arrives_after_its_503_gets_its_raw_record(kit: MemoryKit) -> None:
    assert await send(kit) == 200
    [normal] = await stored_fields(kit.store, ANALYTICS_EVENTS)
    kit.sink.late = True
    assert await send(kit) == 503
    kit.sink.late = False
    await settle(kit)
    await kit.sink.arrive()
    await settle(kit)
    raw, events = await ids(kit)
    assert raw == events
    assert len(events) == 2
    late = next(one for one in await stored_fields(kit.store, ANALYTICS_EVENTS) if one["id"] != normal["id"])
    assert late == normal | {"id": late["id"]}  # as if it had been answered
    assert kit.services.analytics.raw_records.unsettled == 0


async def test_row_3_a_raw_record_that_arrives_after_its_503_goes(kit: MemoryKit) -> None:
    kit.store.late = True
    assert await send(kit) == 503
    assert [len(found) for found in await ids(kit)] == [1, 0]
    await settle(kit)
    assert await ids(kit) == ([], [])


async def test_what_stays_absent_is_settled_after_a_while(kit: MemoryKit) -> None:
    kit.sink.late = True
    assert await send(kit) == 503
    records = kit.services.analytics.raw_records
    await settle(kit)
    assert records.unsettled == 1
    kit.clock.now += SETTLED_AFTER
    await settle(kit)
    assert records.unsettled == 0


async def test_while_the_sink_cannot_be_read_nothing_is_settled(kit: MemoryKit) -> None:
    kit.sink.late = True
    assert await send(kit) == 503
    kit.sink.faults["records"] = LATE
    await settle(kit)
    kit.clock.now += 2 * SETTLED_AFTER
    await settle(kit)
    assert kit.services.analytics.raw_records.unsettled == 1


async def test_raw_records_of_events_are_restored_where_they_are_missing(kit: MemoryKit) -> None:
    assert await send(kit) == 200
    before = await stored_fields(kit.store, ANALYTICS_EVENTS)
    kit.store.inner = MemoryDocumentStore(kit.clock)
    events = await stored_events(kit.sink)
    for _ in range(2):
        await kit.services.analytics.raw_records.restore(events)
    assert await stored_fields(kit.store, ANALYTICS_EVENTS) == before

"""The conformance suite of EventSink: every sink that keeps events passes it.

A test file of a sink subclasses it and provides the fixture ``sink``.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from engines.dataset.events.schemas import DatasetEvent
from engines.nexus.backends.sink import Envelope, EventSink

START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@pytest.fixture
def tenant() -> str:
    """A tenant of its own for each test."""
    return f"t_{uuid4().hex}"


def envelope(tenant: str, event_id: str, second: int = 0, env: str = "dev", **event: Any) -> Envelope:
    values: dict[str, Any] = {
        "tenantId": tenant,
        "env": env,
        "surface": "squared",
        "agentId": "web",
        "input": {"text": "grüße 🚀", "nested": {"deep": [1, {"x": None}], "dotted.key": 1.5}},
        "output": {},
        "pii_flags": {"flags": ["email"], "policy_reason": "pii_masked"},
        "train_ok": False,
        "metadata": {"b": True},
        "requestId": "r-1",
    }
    return Envelope(
        event_id=event_id,
        ingested_at=START + timedelta(seconds=second),
        event=DatasetEvent.model_validate(values | event),
    )


async def stored(sink: EventSink, tenant: str, env: str = "dev", **how: Any) -> list[Envelope]:
    return [item async for item in sink.scan(tenant, env, **how)]


class EventSinkContract:
    """What every sink does."""

    async def test_what_is_written_is_read_back_unchanged(self, sink: EventSink, tenant: str) -> None:
        written = envelope(tenant, "e1")
        [receipt] = await sink.write([written])
        assert (receipt.event_id, receipt.outcome, receipt.error) == ("e1", "stored", None)
        assert await stored(sink, tenant) == [written]

    async def test_receipts_come_in_order(self, sink: EventSink, tenant: str) -> None:
        receipts = await sink.write([envelope(tenant, f"e{n}", n) for n in range(30)])
        assert [receipt.event_id for receipt in receipts] == [f"e{n}" for n in range(30)]
        assert [item.event_id for item in await stored(sink, tenant)] == [f"e{n}" for n in range(30)]

    async def test_the_same_id_again_is_a_duplicate_and_keeps_the_first(
        self, sink: EventSink, tenant: str
    ) -> None:
        first = envelope(tenant, "e1")
        await sink.write([first])
        [receipt] = await sink.write([envelope(tenant, "e1", 5, surface="other")])
        assert receipt.outcome == "duplicate"
        assert await stored(sink, tenant) == [first]

    async def test_concurrent_writers_of_one_id_store_it_once(self, sink: EventSink, tenant: str) -> None:
        written = await asyncio.gather(*(sink.write([envelope(tenant, "e1", n)]) for n in range(8)))
        outcomes = sorted(receipt.outcome for [receipt] in written)
        assert outcomes == ["duplicate"] * 7 + ["stored"]
        assert len(await stored(sink, tenant)) == 1

    async def test_two_tenants_may_use_the_same_id(self, sink: EventSink, tenant: str) -> None:
        other = f"{tenant}_other"
        receipts = await sink.write([envelope(tenant, "e1"), envelope(other, "e1", 1)])
        assert [receipt.outcome for receipt in receipts] == ["stored", "stored"]
        assert [item.event.tenantId for item in await stored(sink, other)] == [other]

    async def test_latest_of_nothing_is_none(self, sink: EventSink, tenant: str) -> None:
        assert await sink.latest(tenant, "dev") is None

    async def test_latest_is_the_newest_whatever_the_order_of_writing(
        self, sink: EventSink, tenant: str
    ) -> None:
        await sink.write([envelope(tenant, f"e{n}", n) for n in (2, 9, 4)])
        assert await sink.latest(tenant, "dev") == START + timedelta(seconds=9)

    async def test_latest_sees_only_its_tenant_and_env(self, sink: EventSink, tenant: str) -> None:
        await sink.write([envelope(tenant, "e1", 1), envelope(tenant, "e2", 7, env="staging")])
        await sink.write([envelope(f"{tenant}_x", "e3", 99)])
        assert await sink.latest(tenant, "dev") == START + timedelta(seconds=1)
        assert await sink.latest(tenant, "staging") == START + timedelta(seconds=7)
        assert await sink.latest(tenant, "prod") is None

    async def test_scan_starts_at_since_and_pages(self, sink: EventSink, tenant: str) -> None:
        total = 520
        everything = [envelope(tenant, f"e{n:04}", n) for n in range(total)]
        for start in range(0, total, 100):
            await sink.write(everything[start : start + 100])
        assert len(await stored(sink, tenant)) == total
        late = await stored(sink, tenant, since=START + timedelta(seconds=total - 3))
        assert [item.event_id for item in late] == ["e0517", "e0518", "e0519"]

    @pytest.mark.parametrize(
        ("event", "words"),
        [
            ({"input": {"x": [[1]]}}, "list directly inside a list"),
            ({"input": {"x": "\ud800"}}, "Unicode"),
            ({"metadata": {"__reserved__": 1}}, "reserved"),
            ({"output": {"x": 2**70}}, "64 bits"),
        ],
        ids=["nested_list", "surrogate", "reserved_key", "int"],
    )
    async def test_an_event_it_can_never_hold_is_refused_and_stops_no_other(
        self, sink: EventSink, tenant: str, event: dict[str, Any], words: str
    ) -> None:
        receipts = await sink.write([envelope(tenant, "bad", **event), envelope(tenant, "good", 1)])
        assert [receipt.outcome for receipt in receipts] == ["refused", "stored"]
        assert words in str(receipts[0].error)
        assert [item.event_id for item in await stored(sink, tenant)] == ["good"]

    async def test_probe_passes(self, sink: EventSink) -> None:
        await sink.probe()

    async def test_close_repeats(self, sink: EventSink) -> None:
        await sink.close()
        await sink.close()

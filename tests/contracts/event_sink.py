"""The conformance suite of EventSink: every sink that keeps events passes it.

A test file of a sink subclasses EventSinkContract, provides the fixture ``sink`` and states the sink's own
limits in the class attributes. A sink behind a network subclasses RemoteSinkContract instead, which also
wants the fixture ``unreachable``.
"""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from engines.dataset.events.schemas import DatasetEvent
from engines.nexus.backends.sink import Envelope, ErasableSink, EventSink, SinkRetryable
from tests.support.records import all_records

START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
ANSWER_SECONDS = 5.0

Impossible = dict[str, tuple[dict[str, Any], str]]
"""Events that a sink can never hold: name → (fields of the event, words that the refusal has)."""

UNENCODABLE: Impossible = {
    "surrogate": ({"input": {"x": "\ud800"}}, "Unicode"),
    "surrogate in a field": ({"surface": "a\ud800"}, "Unicode"),
    "surrogate in an optional field": ({"utm_source": "\udfff"}, "Unicode"),
    "surrogate in the env": ({"env": "\ud800"}, "Unicode"),
    "surrogate in a key": ({"metadata": {"x": [{"\ud800": 1}]}}, "Unicode"),
    "NaN": ({"input": {"x": [float("nan")]}}, "finite"),
    "infinity": ({"output": {"x": float("inf")}}, "finite"),
    "negative infinity": ({"metadata": {"x": {"y": float("-inf")}}}, "finite"),
}
"""What no sink can hold."""

NOT_IN_A_DOCUMENT: Impossible = UNENCODABLE | {
    "nested list": ({"input": {"x": [[1]]}}, "list directly inside a list"),
    "reserved key": ({"metadata": {"__reserved__": 1}}, "reserved"),
    "integer": ({"output": {"x": 2**70}}, "64 bits"),
    "too many keys": ({"metadata": {str(key): 0 for key in range(20_000)}}, "too many values"),
    "too long a list": ({"metadata": {"x": [0] * 45_000}}, "too many values"),
}
"""What a document database can never hold."""

EXACT: dict[str, Any] = {
    "unicode": 'grüße 🚀 \u0000 \u2028 é \\ " \r\n\t \x7f',
    "نص": {"a.b": "`", "$x": "/", " ": "", "Ünïcode key": [{}, {"empty": []}, None, True, False]},
    "integers": [0, -1, 2**53 + 1, 2**63 - 1, -(2**63)],
    "floats": [0.1, -0.0, 1.0, 1e16, 1.7976931348623157e308, 5e-324, 123456789.123456789],
    "looks like": ["2026-01-02T03:04:05Z", "1.0", "null", "{}", "true"],
}
"""Values that a sink likes to change on their way."""


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


def exact(envelope: Envelope) -> str:
    """The envelope as text in which 1, 1.0 and true differ, and the order of keys does not count."""
    return json.dumps(envelope.model_dump(mode="json"), sort_keys=True)


def deep(levels: int) -> dict[str, Any]:
    """A field of an event, itself the first level, that nests ``levels`` levels."""
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"x": value}
    return value


async def stored(sink: EventSink, tenant: str, env: str = "dev", **how: Any) -> list[Envelope]:
    return [item async for item in sink.scan(tenant, env, **how)]


async def counted(sink: EventSink, tenant: str, first: int = 0, last: int = 3600, env: str = "dev") -> int:
    """How many events the sink counts from second ``first`` to ``last``."""
    start, end = (START + timedelta(seconds=second) for second in (first, last))
    return await sink.count(tenant, env, start, end)


class EventSinkContract:
    """What every sink does, within the limits that its test states."""

    knows_duplicates: ClassVar[bool] = True
    """Whether it can always tell a duplicate; without, ``stored`` may be answered for one."""

    deepest: ClassVar[int] = 19
    """Levels that a field may nest."""

    longest: ClassVar[int] = 900_000
    """Bytes of one text that it still holds; one that is too long is in ``impossible``."""

    impossible: ClassVar[Impossible] = UNENCODABLE

    def may_be(self, *outcomes: str) -> set[str]:
        return {*outcomes} if self.knows_duplicates else {*outcomes, "stored"}

    async def test_what_is_written_is_read_back_unchanged(self, sink: EventSink, tenant: str) -> None:
        written = envelope(tenant, "e1")
        [receipt] = await sink.write([written])
        assert (receipt.event_id, receipt.outcome, receipt.error) == ("e1", "stored", None)
        assert await stored(sink, tenant) == [written]

    async def test_values_are_read_back_exactly(self, sink: EventSink, tenant: str) -> None:
        texts = {"surface": EXACT["unicode"], "agentId": "", "utm_term": "null", "seo_title": "2026-01-02"}
        written = envelope(tenant, "e1", input=EXACT, output={"x": EXACT}, train_ok=True, **texts)
        assert [receipt.error for receipt in await sink.write([written])] == [None]
        assert [exact(item) for item in await stored(sink, tenant)] == [exact(written)]

    async def test_deep_and_long_payloads_are_read_back_up_to_the_limit(
        self, sink: EventSink, tenant: str
    ) -> None:
        written = [
            envelope(tenant, "deep", 1, input=deep(self.deepest)),
            envelope(tenant, "long", 2, input={"text": "ü" * (self.longest // 2)}),
        ]
        assert [receipt.error for receipt in await sink.write(written)] == [None, None]
        assert await stored(sink, tenant) == written

    async def test_an_event_it_can_never_hold_is_refused_and_stops_no_other(
        self, sink: EventSink, tenant: str
    ) -> None:
        bad = [envelope(tenant, "bad", **event) for event, _ in self.impossible.values()]
        *refused, receipt = await sink.write([*bad, envelope(tenant, "good", 1)])
        assert (receipt.event_id, receipt.outcome) == ("good", "stored")
        assert [item.event_id for item in await stored(sink, tenant)] == ["good"]
        for (name, (_, words)), refusal in zip(self.impossible.items(), refused, strict=True):
            assert refusal.outcome == "refused", name
            assert refusal.error is not None, name
            assert refusal.error.kind == "permanent", name
            assert words in str(refusal.error), name

    async def test_receipts_come_in_order(self, sink: EventSink, tenant: str) -> None:
        receipts = await sink.write([envelope(tenant, f"e{n}", n) for n in range(30)])
        assert [receipt.event_id for receipt in receipts] == [f"e{n}" for n in range(30)]
        assert [item.event_id for item in await stored(sink, tenant)] == [f"e{n}" for n in range(30)]

    async def test_writing_nothing_is_no_error(self, sink: EventSink) -> None:
        assert await sink.write([]) == []

    async def test_the_same_batch_again_stores_nothing_more(self, sink: EventSink, tenant: str) -> None:
        batch = [envelope(tenant, f"e{n}", n) for n in range(5)]
        await sink.write(batch)
        again = await sink.write(batch)
        assert {receipt.outcome for receipt in again} <= self.may_be("duplicate")
        assert await stored(sink, tenant) == batch

    async def test_the_same_id_again_is_a_duplicate_and_keeps_the_first(
        self, sink: EventSink, tenant: str
    ) -> None:
        first = envelope(tenant, "e1")
        await sink.write([first])
        [receipt] = await sink.write([envelope(tenant, "e1", 5, surface="other")])
        assert receipt.outcome in self.may_be("duplicate")
        assert await stored(sink, tenant) == [first]
        assert await sink.latest(tenant, "dev") == START

    async def test_the_same_id_twice_in_a_batch_is_stored_once(self, sink: EventSink, tenant: str) -> None:
        receipts = await sink.write([envelope(tenant, "e1"), envelope(tenant, "e1")])
        assert {receipt.outcome for receipt in receipts} <= self.may_be("stored", "duplicate")
        assert len(await stored(sink, tenant)) == 1

    async def test_concurrent_writers_of_one_id_store_it_once(self, sink: EventSink, tenant: str) -> None:
        written = await asyncio.gather(*(sink.write([envelope(tenant, "e1", n)]) for n in range(8)))
        outcomes = sorted(receipt.outcome for [receipt] in written)
        assert "stored" in outcomes
        if self.knows_duplicates:
            assert outcomes == ["duplicate"] * 7 + ["stored"]
        assert len(await stored(sink, tenant)) == 1

    async def test_concurrent_writers_of_many_ids_lose_none(self, sink: EventSink, tenant: str) -> None:
        batches = [[envelope(tenant, f"e{n}-{m}", m) for m in range(10)] for n in range(8)]
        written = await asyncio.gather(*(sink.write(batch) for batch in batches))
        assert {receipt.outcome for receipts in written for receipt in receipts} == {"stored"}
        assert {item.event_id for item in await stored(sink, tenant)} == {
            item.event_id for batch in batches for item in batch
        }

    async def test_two_tenants_may_use_the_same_id(self, sink: EventSink, tenant: str) -> None:
        other = f"{tenant}_other"
        receipts = await sink.write([envelope(tenant, "e1"), envelope(other, "e1", 1)])
        assert [receipt.outcome for receipt in receipts] == ["stored", "stored"]
        assert [item.event.tenantId for item in await stored(sink, tenant)] == [tenant]
        assert [item.event.tenantId for item in await stored(sink, other)] == [other]

    async def test_latest_of_nothing_is_none(self, sink: EventSink, tenant: str) -> None:
        assert await sink.latest(tenant, "dev") is None
        assert await stored(sink, tenant) == []

    async def test_latest_is_the_newest_whatever_the_order_of_writing(
        self, sink: EventSink, tenant: str
    ) -> None:
        await sink.write([envelope(tenant, f"e{n}", n) for n in (2, 9, 4)])
        assert await sink.latest(tenant, "dev") == START + timedelta(seconds=9)

    @pytest.mark.parametrize("days", [-400, -20, 0, 3], ids=["400_days_ago", "20_days_ago", "now", "future"])
    async def test_latest_sees_an_event_of_any_age(self, sink: EventSink, tenant: str, days: int) -> None:
        written = datetime.now(UTC) + timedelta(days=days)
        older = envelope(tenant, "older").model_copy(update={"ingested_at": written - timedelta(days=40)})
        await sink.write([older, envelope(tenant, "e1").model_copy(update={"ingested_at": written})])
        assert await sink.latest(tenant, "dev") == written

    async def test_reads_see_only_their_tenant_and_env(self, sink: EventSink, tenant: str) -> None:
        await sink.write([envelope(tenant, "e1", 1), envelope(tenant, "e2", 7, env="staging")])
        await sink.write([envelope(f"{tenant}_x", "e3", 99)])
        assert await sink.latest(tenant, "dev") == START + timedelta(seconds=1)
        assert await sink.latest(tenant, "staging") == START + timedelta(seconds=7)
        assert await sink.latest(tenant, "prod") is None
        assert [item.event_id for item in await stored(sink, tenant)] == ["e1"]
        assert [item.event_id for item in await stored(sink, tenant, "staging")] == ["e2"]

    @pytest.mark.parametrize("env", ["a/b", "..", "ünï code", "a=b%2F'`\\"])
    async def test_env_is_free_text(self, sink: EventSink, tenant: str, env: str) -> None:
        await sink.write([envelope(tenant, "e1", env=env), envelope(tenant, "e2", 1)])
        assert [item.event_id for item in await stored(sink, tenant, env)] == ["e1"]
        assert await sink.latest(tenant, env) == START

    async def test_scan_starts_at_since_and_pages(self, sink: EventSink, tenant: str) -> None:
        total = 520
        everything = [envelope(tenant, f"e{n:04}", n) for n in range(total)]
        for start in range(0, total, 100):
            await sink.write(everything[start : start + 100])
        assert [item.event_id for item in await stored(sink, tenant)] == [e.event_id for e in everything]
        late = await stored(sink, tenant, since=START + timedelta(seconds=total - 3))
        assert [item.event_id for item in late] == ["e0517", "e0518", "e0519"]

    async def test_scan_pages_over_events_of_one_moment(self, sink: EventSink, tenant: str) -> None:
        everything = {f"e{n:04}" for n in range(520)}
        ids = sorted(everything)
        for start in range(0, len(ids), 260):
            await sink.write([envelope(tenant, name) for name in ids[start : start + 260]])
        found = [item.event_id for item in await stored(sink, tenant)]
        assert (len(found), set(found)) == (len(ids), everything)

    async def test_records_are_all_that_lies_there_copies_included(
        self, sink: EventSink, tenant: str
    ) -> None:
        first, staged = envelope(tenant, "e1", input=EXACT), envelope(tenant, "e2", 7, env="staging")
        await sink.write([first, staged, envelope(f"{tenant}_x", "e3")])
        assert [exact(item) for item in await all_records(sink, tenant)] == [exact(first), exact(staged)]
        assert await all_records(sink, tenant, "staging") == [staged]
        assert await all_records(sink, tenant, since=staged.ingested_at) == [staged]
        assert await all_records(sink, tenant, "dev", staged.ingested_at) == []
        await sink.write([copy := envelope(tenant, "e1", 5, surface="other")])
        copies = await all_records(sink, tenant, "dev")
        assert copies in ([first], [first] if self.knows_duplicates else [first, copy])

    async def test_count_of_nothing_is_zero(self, sink: EventSink, tenant: str) -> None:
        assert await counted(sink, tenant) == 0

    async def test_count_sees_its_tenant_env_and_time_alone_and_its_end_is_not_in_it(
        self, sink: EventSink, tenant: str
    ) -> None:
        await sink.write([envelope(tenant, f"e{n}", n) for n in range(40)])
        await sink.write([envelope(tenant, "staged", 7, env="staging"), envelope(f"{tenant}_x", "other", 8)])
        assert await counted(sink, tenant) == 40
        assert await counted(sink, tenant, 10, 25) == 15
        assert await counted(sink, tenant, 39, 40) == 1
        assert await counted(sink, tenant, 40, 90) == 0
        assert await counted(sink, tenant, 0, 3600 * 3, env="staging") == 1
        assert await counted(sink, tenant, env="prod") == 0

    async def test_count_goes_over_hours_and_days(self, sink: EventSink, tenant: str) -> None:
        hours = (-30, -3, -2, -1, 0, 1, 30)
        await sink.write([envelope(tenant, f"e{n}", 3600 * hour) for n, hour in enumerate(hours)])
        assert await counted(sink, tenant, -3600 * 48, 3600 * 48) == len(hours)
        assert await counted(sink, tenant, -3600 * 2, 3600) == 3

    async def test_count_takes_the_same_batch_and_the_same_id_in_a_batch_once(
        self, sink: EventSink, tenant: str
    ) -> None:
        batch = [*(envelope(tenant, f"e{n}", n) for n in range(5)), envelope(tenant, "e0")]
        for _ in range(2):
            await sink.write(batch)
        assert await counted(sink, tenant) == 5
        await sink.write([envelope(tenant, "e1", 1)])
        assert await counted(sink, tenant) in ({5} if self.knows_duplicates else {5, 6})

    @pytest.mark.parametrize("env", ["a/b", "a=b%2F'`\\"])
    async def test_count_takes_any_env(self, sink: EventSink, tenant: str, env: str) -> None:
        await sink.write([envelope(tenant, "e1", env=env), envelope(tenant, "e2", 1)])
        assert await counted(sink, tenant, env=env) == 1

    async def test_probe_passes_and_repeats(self, sink: EventSink) -> None:
        await sink.probe()
        await sink.probe()

    async def test_describe_names_what_it_is(self, sink: EventSink) -> None:
        described = sink.describe()
        assert described.backend_class == type(sink).__name__
        assert described.stand_in is True
        assert described.discards is False

    async def test_close_repeats(self, sink: EventSink) -> None:
        await sink.close()
        await sink.close()

    async def test_erase_forgets_one_tenant_in_every_env_and_may_be_repeated(
        self, sink: ErasableSink, tenant: str
    ) -> None:
        other = f"{tenant}0"
        kept = envelope(other, "e1")
        await sink.write([envelope(tenant, "e1"), envelope(tenant, "e2", env="prod"), kept])
        erased = await sink.erase(tenant)
        assert (erased.removed, erased.left) == (2, 0)
        assert [await stored(sink, tenant, env) for env in ("dev", "prod")] == [[], []]
        assert await stored(sink, other) == [kept]
        assert (await sink.erase(tenant)).removed == 0


class RemoteSinkContract(EventSinkContract):
    """What every sink behind a network does besides; ``unreachable`` is one whose far end is not there."""

    @pytest.mark.parametrize("call", ["write", "latest", "scan", "records", "count", "probe"])
    async def test_without_its_far_end_every_call_fails_in_time_and_may_be_repeated(
        self, unreachable: EventSink, tenant: str, call: str
    ) -> None:
        secret = f"secret {uuid4().hex}"
        started = time.monotonic()
        with pytest.raises(SinkRetryable) as caught:
            await self.make(call, unreachable, envelope(tenant, "e1", input={"text": secret}))
        assert time.monotonic() - started < ANSWER_SECONDS
        assert caught.value.reason == "unreachable"
        assert secret not in str(caught.value)
        assert caught.value.target == unreachable.describe().target

    async def make(self, call: str, sink: EventSink, event: Envelope) -> None:
        """Do what ``call`` names with the event or its tenant."""
        match call:
            case "write":
                await sink.write([event])
            case "latest":
                await sink.latest(event.event.tenantId, event.event.env)
            case "scan":
                await stored(sink, event.event.tenantId)
            case "records":
                await all_records(sink, event.event.tenantId)
            case "count":
                await counted(sink, event.event.tenantId)
            case "probe":
                await sink.probe()

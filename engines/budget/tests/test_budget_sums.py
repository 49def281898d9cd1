"""Summaries against a plain sum over all events, and what reading them costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.budget.buckets import SLOTS, bucket, cover, rollups_of, slot_of
from engines.budget.models import UsageEvent, UsageEventBody
from engines.budget.rollups import rollup_writes
from engines.budget.service import BudgetService
from engines.budget.summary import BudgetSummary, GroupSum
from engines.common.documents import Address, Document, Scalar, Scope, Span
from engines.common.identity import RequestContext
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import MovableClock

CONTEXT = RequestContext(tenant_id="t_acme", env="dev")
NOW = datetime(2026, 3, 1, 12, 34, 56, 789012, tzinfo=UTC)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)


class AnyProvider:
    async def require_provider(self, context: RequestContext, provider: str) -> None:
        """Nothing is disabled."""


class CountingStore(MemoryDocumentStore):
    """Counts range reads and the documents that they return."""

    scans = 0
    documents = 0

    async def scan(
        self,
        address: Address,
        scope: Scope,
        where: Mapping[str, Scalar] | None = None,
        order_by: str | None = None,
        descending: bool = False,
        limit: int | None = None,
        span: Span | None = None,
    ) -> list[Document]:
        found = await super().scan(address, scope, where, order_by, descending, limit, span)
        self.scans += 1
        self.documents += len(found)
        return found

    async def count(
        self,
        address: Address,
        scope: Scope,
        where: Mapping[str, Scalar] | None = None,
        order_by: str | None = None,
        span: Span | None = None,
    ) -> int:
        return len(await super().scan(address, scope, where, order_by, span=span))


@dataclass
class Book:
    """A budget at a moment, and the events that were recorded in it."""

    now: datetime = NOW

    def __post_init__(self) -> None:
        self.clock = MovableClock()
        self.clock.now = self.now
        self.store = CountingStore(self.clock)
        self.budget = BudgetService(self.store, AnyProvider(), self.clock)
        self.events: list[UsageEvent] = []

    async def record(self, *items: dict[str, Any]) -> None:
        head = {"tenant_id": "t_acme", "env": "dev", "provider": "p"}
        bodies = [UsageEventBody.model_validate(head | item) for item in items]
        self.events += await self.budget.record(CONTEXT, bodies)

    async def summary(self, days: int, group_by: str = "provider", surface: str | None = None) -> Any:
        summary, coverage = await self.budget.summaries.summary(CONTEXT.scope, surface, days, group_by)
        assert coverage.unsummed == 0
        return summary


def naive(
    events: Sequence[UsageEvent], now: datetime, days: int, group_by: str, surface: str | None
) -> BudgetSummary:
    """The contract's words, over every event: Decimal sums, floats at the end."""
    seen = [event for event in events if now - timedelta(days=days) <= event.created_at <= now]
    seen = [event for event in seen if surface is None or event.surface == surface]
    groups: dict[str, list[Decimal]] = {}
    for event in seen:
        groups.setdefault(getattr(event, group_by, None) or "unknown", []).append(event.cost)
    with localcontext(prec=100):
        return BudgetSummary(
            window_days=days,
            total_cost=float(sum((event.cost for event in seen), Decimal(0))),
            total_events=len(seen),
            grouped={
                name: GroupSum(cost=float(sum(costs, Decimal(0))), count=len(costs))
                for name, costs in groups.items()
            },
        )


COSTS = st.one_of(
    st.decimals(-(10**12), 10**12, allow_nan=False, allow_infinity=False, places=27),
    st.decimals(-1, 1, allow_nan=False, allow_infinity=False, places=9),
    st.sampled_from(["0.1", "0.2", "-0.3", "1e-27", "1e12"]).map(Decimal),
)
MOMENTS = st.one_of(
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 4, 30), timezones=st.just(UTC)),  # noqa: DTZ001 - `timezones` gives them one
    st.just(datetime(2026, 3, 1, tzinfo=UTC)),
    st.just(datetime(2026, 3, 1, 12, tzinfo=UTC)),
    st.just(datetime(2026, 3, 1, 12, 34, tzinfo=UTC)),
)
STEPS = st.sampled_from(
    [
        timedelta(0),
        TICK,
        -TICK,
        timedelta(seconds=59),
        timedelta(minutes=1),
        timedelta(minutes=59),
        timedelta(hours=1),
        timedelta(hours=23),
        DAY,
    ]
)
NAMES = st.sampled_from([None, "", "a", "b", "unknown"])
DIMS = ["provider", "model_or_plan_id", "tool_type", "tool_id", "surface", "currency"]


@st.composite
def scenes(draw: st.DrawFn) -> tuple[datetime, int, list[dict[str, Any]]]:
    """A clock, a window, and events that crowd around the window's edges."""
    now, days = draw(MOMENTS), draw(st.sampled_from([1, 2, 7, 30, 90]))
    edges = st.sampled_from([now, now - timedelta(days=days)])
    near = st.builds(lambda edge, step, sign: edge + sign * step, edges, STEPS, st.sampled_from([1, -1]))
    fields = {
        "cost": COSTS.map(str),
        "created_at": near | MOMENTS,
        "provider": st.sampled_from(["p", "P", "q", ""]),
        "currency": st.sampled_from(["USD", "EUR"]),
    }
    texts = dict.fromkeys(["surface", "model_or_plan_id", "tool_type", "tool_id"], NAMES)
    return now, days, draw(st.lists(st.fixed_dictionaries(fields | texts), max_size=25))


@settings(max_examples=300, deadline=None)
@given(scenes(), st.sampled_from([*DIMS, "nothing"]), NAMES, st.integers(1, 4))
async def test_a_summary_is_the_plain_sum_of_the_windows_events(
    scene: tuple[datetime, int, list[dict[str, Any]]], group_by: str, surface: str | None, requests: int
) -> None:
    now, days, items = scene
    book = Book(now)
    for first in range(requests):
        await book.record(*items[first::requests])
    expected = naive(book.events, now, days, group_by, surface)
    assert await book.summary(days, group_by, surface) == expected


@given(
    st.datetimes(datetime(2024, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001 - `timezones` gives them one
    st.integers(1, 90),
)
def test_the_parts_cover_the_window_once_and_whole_buckets_are_whole(now: datetime, days: int) -> None:
    parts = list(cover(now - days * DAY, now))
    assert (parts[0].start, parts[-1].end) == (now - days * DAY, now + TICK)
    assert [part.start for part in parts[1:]] == [part.end for part in parts[:-1]]
    midnight = datetime(2000, 1, 1, tzinfo=UTC)
    for part in parts:
        assert (part.start - midnight) % SLOTS[part.level] == timedelta(0)
        assert (part.end - midnight) % SLOTS[part.level] == timedelta(0)
        last = part.end - SLOTS[part.level]
        assert rollups_of(part.level, part.start) == rollups_of(part.level, last)
        for moment in (part.start, last):
            assert part.holds(bucket(moment, part.level), slot_of(moment, part.level))


@pytest.mark.parametrize("moment", [NOW, NOW - 7 * DAY], ids=["now", "start"])
async def test_both_ends_of_the_window_are_inside(moment: datetime) -> None:
    book = Book()
    await book.record(*({"created_at": moment + step, "cost": "1"} for step in (-TICK, timedelta(0), TICK)))
    assert (await book.summary(7)).total_events == 2


async def test_future_events_are_left_out_until_then() -> None:
    book = Book()
    await book.record({"created_at": NOW + timedelta(seconds=1)}, {"created_at": NOW + 3 * DAY})
    seen = []
    for wait in (timedelta(0), timedelta(seconds=1), 3 * DAY):
        book.clock.now = NOW + wait
        seen.append((await book.summary(7)).total_events)
    assert seen == [0, 1, 2]


async def test_money_has_no_float_in_it() -> None:
    book = Book()
    await book.record(*({"cost": "0.1"} for _ in range(10)))
    await book.record({"cost": "1e12"}, {"cost": "1e-27"}, {"cost": "-1e12"}, {"cost": "-1"})
    summary = await book.summary(1)
    assert summary.total_cost == 1e-27
    assert summary.grouped == {"p": GroupSum(cost=1e-27, count=14)}


@pytest.mark.parametrize("surface", [None, "squared"])
async def test_reading_a_summary_costs_the_same_however_many_events_there_are(surface: str | None) -> None:
    read = []
    for per_hour in (1, 50):
        book = Book()
        for hour in range(1, 7 * 24, 9):
            moment = NOW - timedelta(hours=hour)
            await book.record(*([{"created_at": moment, "surface": "squared", "cost": "0.01"}] * per_hour))
        book.store.scans = book.store.documents = 0
        assert (await book.summary(7, surface=surface)).total_events == 19 * per_hour
        read.append((book.store.scans, book.store.documents))
    assert read[0] == read[1]
    assert read[0][0] <= 5


async def test_several_windows_surfaces_and_groupings_are_read_once() -> None:
    book = Book()
    earlier = {"cost": "2", "created_at": NOW - 9 * DAY, "surface": "s"}
    await book.record({"cost": "1", "tool_type": "x"}, earlier)
    book.store.scans = 0
    usage = await book.budget.summaries.usage(CONTEXT.scope, None, [7, 30])
    assert book.store.scans <= 7
    for days in (7, 30):
        assert usage.totals(days).summary("tool_type") == await book.summary(days, "tool_type")
        assert usage.totals(days, "s").summary("provider") == await book.summary(days, surface="s")


async def test_events_of_one_bucket_are_one_write_per_level() -> None:
    book = Book()
    await book.record(*({"cost": "0.5", "created_at": NOW} for _ in range(500)))
    found = []
    for level in SLOTS:
        for document in await book.store.scan(rollups_of(level, NOW), CONTEXT.scope):
            sums = {name: value for name, value in document.fields.items() if name[1:3].isdigit()}
            found.append((level, document.fields["start"].isoformat(), sums))
    assert found == [
        ("day", "2026-03-01T00:00:00+00:00", {"s12_count": 500, "s12_units": 250}),
        ("hour", "2026-03-01T12:00:00+00:00", {"s34_count": 500, "s34_units": 250}),
        ("instant", "2026-03-01T12:34:56.789012+00:00", {"s00_count": 500, "s00_units": 250}),
    ]


def test_each_hour_and_minute_has_a_collection_id_of_its_own() -> None:
    names = [rollups_of(level, NOW).name.removeprefix("budget_usage/{tenant}_{env}/") for level in SLOTS]
    assert names == ["days", "hours_2026-03-01T12", "instants_2026-03-01T12:34"]


def test_500_events_that_differ_in_everything_fit_into_one_batch() -> None:
    head = {"id": "e", "tenant_id": "t_acme", "env": "dev", "provider": "p"}
    apart = [head | {"tool_id": str(n), "created_at": NOW - n * DAY} for n in range(500)]
    events = [UsageEvent.model_validate(item) for item in apart]
    assert len(events) + len(rollup_writes(CONTEXT.scope, events)) == 2000

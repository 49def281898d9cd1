"""The repair of usage's sums on any store. A store's test file subclasses it and provides ``store``."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from engines.budget.buckets import SLOTS, bucket, rollups_of
from engines.budget.models import USAGE_EVENTS, Rollup, UsageEventBody, dims_of
from engines.budget.repair import Rebuilt, rebuild
from engines.budget.rollups import rollup_key
from engines.budget.service import BudgetService
from engines.common.documents import DocumentStore, Increment, Scope, Write
from engines.common.identity import RequestContext
from tests.support.app import MovableClock
from tests.support.usage import AT, AnyProvider, foreign, plant, right_sums, stored_events, sums_of

HOUR = timedelta(hours=1)


@pytest.fixture
def scope() -> Scope:
    """A tenant of its own for each test."""
    return Scope(f"t_{uuid4().hex}", "dev")


@pytest.fixture
def budget(store: DocumentStore) -> BudgetService:
    clock = MovableClock()
    clock.now = AT
    return BudgetService(store, AnyProvider(), clock)


async def record(budget: BudgetService, scope: Scope, **fields: Any) -> None:
    """One event, as the engines record it."""
    head = {"tenant_id": scope.tenant_id, "env": scope.env, "provider": "p", "surface": "s", "cost": "0.1"}
    context = RequestContext(tenant_id=scope.tenant_id, env=scope.env)
    await budget.record(context, [UsageEventBody.model_validate(head | fields)])


async def check_sums(store: DocumentStore, scope: Scope) -> None:
    """Every sum is that of the events."""
    events = await stored_events(store, scope)
    moments = [event.created_at for event in events]
    assert await sums_of(store, scope, moments) == await right_sums(scope, events, moments)


class UsageRepairContract:
    """What the repair does on every store."""

    async def test_usage_of_others_is_summed_once(
        self, store: DocumentStore, budget: BudgetService, scope: Scope
    ) -> None:
        await record(budget, scope)
        others = [
            foreign(1),
            foreign(2, cost="0.2", provider="q"),
            foreign(3, cost=1, created_at=AT - timedelta(days=2)),
            foreign(4, cost="-1e-27", created_at=AT - HOUR),
            foreign(5, surface=None, created_at=AT - timedelta(minutes=3)),
        ]
        await plant(store, scope, *others)
        summary, coverage = await budget.summaries.summary(scope, None, 7, "provider")
        assert (summary.total_events, summary.total_cost, coverage.unsummed) == (1, 0.1, 5)
        first, second = [await rebuild(store, scope) for _ in range(2)]
        assert (first.events, first.unreadable, second.corrected) == (6, 0, 0)
        assert first.corrected > 0
        await check_sums(store, scope)
        summary, coverage = await budget.summaries.summary(scope, None, 7, "provider")
        assert (summary.total_events, summary.total_cost, coverage.unsummed) == (6, 1.5, 0)
        assert {name: group.count for name, group in summary.grouped.items()} == {"p": 5, "q": 1}

    async def test_sums_that_are_wrong_are_rebuilt(
        self, store: DocumentStore, budget: BudgetService, scope: Scope
    ) -> None:
        for number, moment in enumerate((AT, AT - HOUR, AT - 2 * HOUR, AT - 3 * HOUR)):
            await record(budget, scope, id=f"e{number}", created_at=moment)
        moments = [AT, AT - HOUR, AT - 2 * HOUR, AT - 3 * HOUR]
        await store.delete(USAGE_EVENTS, scope, "e1")
        changed = (await stored_events(store, scope))[0].model_dump() | {"cost": "7", "provider": "other"}
        await store.put(Write(USAGE_EVENTS, scope, changed["id"], changed))
        for level in SLOTS:
            address = rollups_of(level, bucket(AT - 2 * HOUR, level))
            [document] = [d for d in await store.scan(address, scope) if d.fields["provider"] == "p"]
            name = next(name for name in document.fields if name.endswith("_count"))
            key = f"{document.fields['start'].isoformat()}_stray"
            stray = {"start": document.fields["start"], "provider": "stray", "currency": "USD"}
            await store.put_all([Write(address, scope, key, stray | {name: Increment(3)}, merge=True)])
        await rebuild(store, scope)
        events = await stored_events(store, scope)
        assert len(events) == 3
        assert await sums_of(store, scope, moments) == await right_sums(scope, events, moments)
        assert (await rebuild(store, scope)).corrected == 0

    async def test_sums_that_are_gone_are_made_again(
        self, store: DocumentStore, budget: BudgetService, scope: Scope
    ) -> None:
        await record(budget, scope)
        await record(budget, scope, created_at=AT - HOUR)
        for level in SLOTS:
            address = rollups_of(level, bucket(AT, level))
            for document in await store.scan(address, scope):
                rollup = Rollup.model_validate(document.fields)
                await store.delete(address, scope, rollup_key(rollup.start, dims_of(rollup)))
        assert (await budget.summaries.summary(scope, None, 7, "provider"))[0].total_events == 0
        await rebuild(store, scope)
        await check_sums(store, scope)

    async def test_usage_that_is_recorded_meanwhile_counts_once(
        self, store: DocumentStore, budget: BudgetService, scope: Scope
    ) -> None:
        await plant(store, scope, *(foreign(n, created_at=AT - n * timedelta(minutes=7)) for n in range(20)))

        async def go_on() -> None:
            for number in range(40):
                moment = AT - (number % 4) * timedelta(minutes=7, microseconds=number)
                await record(budget, scope, created_at=moment)

        async def briefly(seconds: float) -> None:
            await asyncio.sleep(0.02)

        await asyncio.gather(go_on(), rebuild(store, scope, briefly))
        assert len(await stored_events(store, scope)) == 60
        await check_sums(store, scope)
        assert (await rebuild(store, scope)).corrected == 0

    async def test_two_repairs_at_once_correct_once(self, store: DocumentStore, scope: Scope) -> None:
        async def briefly(seconds: float) -> None:
            await asyncio.sleep(0.02)

        await plant(store, scope, *(foreign(n, created_at=AT - n * timedelta(minutes=13)) for n in range(12)))
        await asyncio.gather(*(rebuild(store, scope, briefly) for _ in range(3)))
        await check_sums(store, scope)

    async def test_a_repair_that_is_cut_short_is_finished_by_the_next(
        self, store: DocumentStore, scope: Scope
    ) -> None:
        await plant(store, scope, *(foreign(n, created_at=AT - n * HOUR) for n in range(8)))
        for number in range(6):
            repair = asyncio.create_task(rebuild(store, scope))
            await asyncio.sleep(0.004 * number)
            repair.cancel()
            await asyncio.gather(repair, return_exceptions=True)
        await rebuild(store, scope)
        await check_sums(store, scope)

    async def test_what_no_sum_can_hold_is_counted_and_stops_nothing(
        self, store: DocumentStore, budget: BudgetService, scope: Scope
    ) -> None:
        unreadable = [
            foreign(1, cost="much"),
            foreign(2, cost="0." + "1" * 28),
            foreign(3, cost=float("inf")),
            foreign(4, created_at="2026-03-01T12:34:56Z"),
            {name: value for name, value in foreign(5).items() if name != "created_at"},
            {name: value for name, value in foreign(6).items() if name != "provider"},
        ]
        await plant(store, scope, foreign(0), *unreadable)
        for _ in range(2):
            found = await rebuild(store, scope)
            assert (found.events, found.unreadable) == (1, 6)
        assert (await budget.summaries.summary(scope, None, 7, "provider"))[0].total_events == 1

    async def test_the_first_and_the_last_moment_are_reached(
        self, store: DocumentStore, scope: Scope
    ) -> None:
        last = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
        first = datetime(1, 1, 1, tzinfo=UTC)
        await plant(store, scope, foreign(1, created_at=first), foreign(2, created_at=last))
        assert (await rebuild(store, scope)).events == 2
        await check_sums(store, scope)

    async def test_nothing_of_others_is_touched(self, store: DocumentStore, scope: Scope) -> None:
        others = [Scope(scope.tenant_id, "prod"), Scope(f"{scope.tenant_id}_dev", "dev")]
        for other in others:
            await plant(store, other, foreign(1))
        assert await rebuild(store, scope) == Rebuilt(tenant_id=scope.tenant_id, env="dev")
        for other in others:
            assert await sums_of(store, other, [AT]) == {}

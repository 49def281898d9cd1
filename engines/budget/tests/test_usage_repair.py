"""The repair of usage's sums in memory: see the contract suite. Here: whatever comes in between its calls."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from engines.budget.repair import ROUNDS, rebuild
from engines.budget.repair_reads import PAGE
from engines.budget.service import BudgetService
from engines.common.documents import DocumentStore, Scope, StoreUnavailable
from engines.storage.memory import MemoryDocumentStore
from tests.contracts.usage_repair import UsageRepairContract, budget, check_sums, record, scope
from tests.support.faults import FaultyStore
from tests.support.usage import AT, AnyProvider, foreign, plant, right_sums, stored_events, sums_of

__all__ = ["budget", "scope"]

MINUTE = timedelta(minutes=1)


class InterruptedStore(MemoryDocumentStore):
    """Lets another come in before one of the calls of the repair."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.before: Callable[[int], Awaitable[object]] | None = None

    async def scan(self, *asked: Any, **how: Any) -> Any:
        await self._interrupt()
        return await super().scan(*asked, **how)

    async def mutate(self, *asked: Any, **how: Any) -> Any:
        await self._interrupt()
        return await super().mutate(*asked, **how)

    async def _interrupt(self) -> None:
        if self.before:
            interrupt, self.before = self.before, None
            self.calls += 1
            await interrupt(self.calls)
            self.before = interrupt


async def at_once(seconds: float) -> None:
    """No pause."""


class TestUsageRepair(UsageRepairContract):
    @pytest.fixture
    def store(self) -> DocumentStore:
        return MemoryDocumentStore()


EVENTS = [foreign(n, created_at=AT - n * timedelta(seconds=40)) for n in range(4)]


async def check_none_too_large(store: DocumentStore, scope: Scope) -> None:
    """No sum ever counts more events than there are."""
    events = await stored_events(store, scope)
    moments = [event.created_at for event in events]
    right = await right_sums(scope, events, moments)
    for place, tally in (await sums_of(store, scope, moments)).items():
        assert place in right, place
        assert tally.count <= right[place].count, place


async def calls_of_a_repair(scope: Scope) -> int:
    store = InterruptedStore()
    await plant(store, scope, *EVENTS)

    async def nobody(call: int) -> None:
        """Nothing comes in between."""

    store.before = nobody
    await rebuild(store, scope, at_once)
    return store.calls


@pytest.mark.parametrize("moment", [AT, AT - 2 * MINUTE, AT - 30 * MINUTE], ids=["now", "before", "alone"])
async def test_usage_recorded_before_any_call_counts_once(scope: Scope, moment: Any) -> None:
    calls = await calls_of_a_repair(scope)
    assert calls > 10
    for at in range(1, calls + 1):
        store = InterruptedStore()
        await plant(store, scope, *EVENTS)

        async def come_in(call: int, at: int = at, store: InterruptedStore = store) -> None:
            await check_none_too_large(store, scope)
            if call == at:
                budget = BudgetService(store, AnyProvider())
                await record(budget, scope, created_at=moment, model_or_plan_id="m")

        store.before = come_in
        await rebuild(store, scope, at_once)
        store.before = None
        await check_sums(store, scope)


async def test_another_repair_before_any_call_corrects_nothing_twice(scope: Scope) -> None:
    for at in range(1, await calls_of_a_repair(scope) + 1):
        store = InterruptedStore()
        await plant(store, scope, *EVENTS)

        async def come_in(call: int, at: int = at, store: InterruptedStore = store) -> None:
            if call == at:
                await rebuild(store, scope, at_once)

        store.before = come_in
        await rebuild(store, scope, at_once)
        store.before = None
        await check_sums(store, scope)


async def test_a_minute_that_is_always_written_to_ends_the_repair_and_is_right_later(scope: Scope) -> None:
    store = InterruptedStore()
    await plant(store, scope, *EVENTS)
    waited: list[float] = []

    async def come_in(call: int) -> None:
        await record(BudgetService(store, AnyProvider()), scope, created_at=AT)

    async def note(seconds: float) -> None:
        waited.append(seconds)

    store.before = come_in
    with pytest.raises(StoreUnavailable, match="run the repair again"):
        await rebuild(store, scope, note)
    assert (len(waited), sum(waited) > 60) == (ROUNDS, True)
    store.before = None
    await rebuild(store, scope, at_once)
    await check_sums(store, scope)


async def test_a_failing_correction_is_made_by_the_next_repair(scope: Scope) -> None:
    inner = MemoryDocumentStore()
    store = FaultyStore(inner)
    await plant(inner, scope, *EVENTS)
    store.faults["mutate"] = StoreUnavailable("memory: away")
    with pytest.raises(StoreUnavailable, match="away"):
        await rebuild(store, scope, at_once)
    store.faults.clear()
    await rebuild(store, scope, at_once)
    await check_sums(inner, scope)


@pytest.mark.parametrize("count", [PAGE - 1, PAGE, 2 * PAGE + 1])
async def test_events_of_one_moment_may_be_more_than_a_page(scope: Scope, count: int) -> None:
    store = MemoryDocumentStore()
    events = [foreign(n, tool_id=str(n % 3)) for n in range(count)]
    later = [foreign(count + n, created_at=AT + timedelta(microseconds=1)) for n in range(3)]
    for first in range(0, count, 500):
        await plant(store, scope, *events[first : first + 500])
    await plant(store, scope, *later)
    assert (await rebuild(store, scope, at_once)).events == count + 3
    await check_sums(store, scope)

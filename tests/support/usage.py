"""Usage past the engines: events that something else stored, and what the sums say of them."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from engines.budget.buckets import SLOTS, bucket, rollups_of
from engines.budget.models import USAGE_EVENTS, Rollup, UsageEvent
from engines.budget.rollups import Tally, rollup_writes, slot_tallies
from engines.common.documents import DocumentStore, Fields, Scope, Write
from engines.common.identity import RequestContext
from engines.storage.memory import MemoryDocumentStore

AT = datetime(2026, 3, 1, 12, 34, 56, 789012, tzinfo=UTC)


class AnyProvider:
    async def require_provider(self, context: RequestContext, provider: str) -> None:
        """Nothing is disabled."""


def foreign(number: int, **fields: Any) -> Fields:
    """A usage event as another program may store it: its cost is a number."""
    usual = {"surface": "s", "tool_type": None, "tool_id": None, "provider": "p", "model_or_plan_id": "m"}
    amounts = {"tokens_input": 1, "tokens_output": 2, "cost": 0.1, "currency": "USD", "metadata": {}}
    return {"id": f"foreign-{number}"} | usual | amounts | {"created_at": AT} | fields


async def plant(store: DocumentStore, scope: Scope, *events: Fields) -> None:
    """Store events without their sums."""
    await store.put_all([Write(USAGE_EVENTS, scope, f"{scope.env}-{event['id']}", event) for event in events])


async def stored_events(store: DocumentStore, scope: Scope) -> list[UsageEvent]:
    """Every event of the scope, however it came there."""
    return [UsageEvent.model_validate(document.fields) for document in await store.scan(USAGE_EVENTS, scope)]


async def sums_of(store: DocumentStore, scope: Scope, moments: Iterable[datetime]) -> dict[Any, Any]:
    """Each sum that is not zero, at all levels, in the buckets of the moments."""
    sums: dict[Any, Tally] = defaultdict(Tally)
    for address in {rollups_of(level, bucket(moment, level)) for moment in moments for level in SLOTS}:
        for document in await store.scan(address, scope):
            rollup = Rollup.model_validate(document.fields)
            place = address.name.rsplit("/", 1)[-1], rollup.start, rollup.provider, rollup.surface
            for slot, tally in slot_tallies(rollup).items():
                sums[*place, slot].add(tally.count, tally.smallest)
    return {place: tally for place, tally in sums.items() if tally != Tally()}


async def right_sums(scope: Scope, events: list[UsageEvent], moments: Iterable[datetime]) -> dict[Any, Any]:
    """The same, had the events been recorded by the engines."""
    fresh = MemoryDocumentStore()
    await fresh.put_all(rollup_writes(scope, events))
    return await sums_of(fresh, scope, moments)

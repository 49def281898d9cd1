"""Row 2 of what callers run into: a write that is carried out though its answer never came is not doubled."""

from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from engines.analytics.models import ANALYTICS_EVENTS
from engines.budget.models import USAGE_EVENTS
from engines.common.documents import Address, Also, Fields, Scope, StoreTimeout, Write
from engines.common.errors import how_to_repeat
from engines.firearms.models import FIREARMS_LICENCES
from engines.kpi.models import KPI_DEFINITIONS
from engines.storage.memory import MemoryDocumentStore
from engines.strategy_lock.models import STRATEGY_LOCKS
from tests.support.app import UNKNOWN_OUTCOME, MemoryKit, running
from tests.support.faults import FaultyStore
from tests.support.records import login_as, stored_events, stored_fields

KEY = {"Idempotency-Key": '"once"'}
REPEAT = how_to_repeat(has_key=True)


class LateStore(FaultyStore):
    """Carries out a write, and says then that it took too long, as often as ``late`` says."""

    late = 0

    async def put(self, write: Write) -> None:
        await super().put(write)
        self._answer()

    async def put_all(self, writes: Sequence[Write]) -> None:
        await super().put_all(writes)
        self._answer()

    async def mutate(self, address: Address, scope: Scope, key: str, change: Any, also: Also = ()) -> Fields:
        done = await super().mutate(address, scope, key, change, also)
        self._answer()
        return done

    def _answer(self) -> None:
        if self.late:
            self.late -= 1
            raise StoreTimeout("memory: no answer in time")


LICENCE = {"subject_type": "user", "subject_id": "u_1", "level": "low"}
ROUTES: list[tuple[str, dict[str, Any], Address]] = [
    ("/strategy-locks", {"scope": "other", "title": "a"}, STRATEGY_LOCKS),
    ("/firearms/licences", LICENCE, FIREARMS_LICENCES),
    ("/kpi/definitions", {"name": "visits"}, KPI_DEFINITIONS),
    ("/budget/usage", {"provider": "openai", "cost": "0.25"}, USAGE_EVENTS),
    ("/analytics/events/pageview", {"surface": "squared"}, ANALYTICS_EVENTS),
    ("/analytics/events/cta-click", {"surface": "squared", "cta_id": "buy"}, ANALYTICS_EVENTS),
]


async def sent(kit: MemoryKit, path: str, body: dict[str, Any], headers: dict[str, str]) -> httpx.Response:
    login = login_as(kit, "owner")
    scoped = {"tenant_id": login.tenant_id, "env": "dev"} | body
    return await kit.client.post(path, json=scoped, headers=login.headers() | headers)


@pytest.mark.parametrize(("path", "body", "address"), ROUTES)
async def test_row_2_a_late_write_is_not_doubled_by_its_repetition(
    path: str, body: dict[str, Any], address: Address
) -> None:
    async with running(MemoryKit(store=LateStore(MemoryDocumentStore()))) as kit:
        kit.store.late = 1
        late = await sent(kit, path, body, KEY)
        assert late.status_code == 503
        assert REPEAT in late.text
        for _ in range(2):
            assert (await sent(kit, path, body, KEY)).status_code == 200
        assert len(await stored_fields(kit.store, address)) == 1
        # Of a change its audit event, which waits in the outbox of the store that was late.
        await kit.services.audit.drain(kit.store)
        audited = path in ("/strategy-locks", "/firearms/licences")
        assert len(await stored_events(kit.sink)) == (1 if audited or address is ANALYTICS_EVENTS else 0)


async def test_row_2_a_503_says_that_the_outcome_is_unknown() -> None:
    async with running(MemoryKit(store=LateStore(MemoryDocumentStore()))) as kit:
        kit.store.late = 1
        path, body, _ = ROUTES[0]
        answer = await sent(kit, path, body, {})
        assert answer.json()["detail"].items() >= UNKNOWN_OUTCOME.items()
        kit.store.faults["scan"] = StoreTimeout("memory: away")
        read = await kit.client.get("/strategy-locks", headers=login_as(kit, "owner").headers())
        assert read.status_code == 503
        assert "outcome" not in read.json()["detail"]

"""Every query that filters and orders has its composite index: the stand-in demands none, the cloud does.

The queries are recorded while every route runs, not listed by hand.
"""

import json
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from engines.bossman import parts
from engines.common.documents import Address, Document, Scalar, Scope, Span, collection_path, scope_fields
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import SYSTEM_KEY, Login, MemoryKit, MovableClock, dashboard, running, sign_up
from tests.support.page_client import HOME, form_of, hold
from tests.support.routes import WITH_TENANT
from tests.support.set_up import set_up

ROOT = Path(__file__).resolve().parents[2]
BUDGET_FILTERS = ("surface", "provider", "model_or_plan_id", "tool_type")


class Query(NamedTuple):
    """An ordered query: its collection group, fields compared for equality, order."""

    group: str
    equal: frozenset[str]
    order: str
    descending: bool


class RecordingStore(MemoryDocumentStore):
    """Remembers every ordered query."""

    def __init__(self, clock: MovableClock) -> None:
        super().__init__(clock)
        self.queries: set[Query] = set()

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
        if order_by:
            group = collection_path(address, scope).rsplit("/", 1)[-1]
            equal = frozenset(scope_fields(scope) | dict(where or {}))
            self.queries.add(Query(group, equal, order_by, descending))
        return await super().scan(address, scope, where, order_by, descending, limit, span)


@pytest.fixture(scope="module")
async def queries() -> set[Query]:
    """What every route asks of the store."""
    kit = MemoryKit()
    # A moment at which a window's edges cut days, hours and minutes.
    kit.clock.advance(hours=3, minutes=17, seconds=5.5)
    store = kit.store = kit.outbox = kit.letters = RecordingStore(kit.clock)
    async with running(kit) as kit:
        login = await sign_up(kit.client, "acme")
        for route in WITH_TENANT:
            body = route.body_of(login.tenant_id)
            path = route.path_of(login.tenant_id)
            await kit.client.request(
                route.method, path, headers=login.headers(), json=body, params=route.query
            )
        for number in range(len(BUDGET_FILTERS) + 1):
            for chosen in combinations(BUDGET_FILTERS, number):
                filters = dict.fromkeys(chosen, "x")
                await kit.client.get("/budget/usage", params=filters, headers=login.headers())
        await open_the_pages(kit, login)
        await kit.client.get("/budget/usage/summary", params={"surface": "x"}, headers=login.headers())
        await dashboard(kit.client, await sign_up(kit.client, "empty"))
        await set_up(kit, login)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(parts, "LIST_LIMIT", 0)
            kit.clock.advance(seconds=3)
            await dashboard(kit.client, login)
    return store.queries


async def open_the_pages(kit: MemoryKit, login: Login) -> None:
    """What is served to people and operators asks the store too."""
    hold(kit.client, login.token)
    assert (await kit.client.get("/bossman/?env=dev")).status_code == 200
    form = {"form_token": await form_of(kit.client, HOME)}
    assert (await kit.client.post(f"{HOME}sign-out", data=form)).status_code == 303
    key = {"X-System-Key": SYSTEM_KEY}
    for query in ({}, {"env": "dev"}, {"state": "incomplete"}, {"env": "dev", "state": "complete"}):
        answer = await kit.client.get("/bossman/onboarding", params=query, headers=key)
        assert answer.status_code == 200
    assert (await kit.client.get("/bossman/onboarding?search=acme", headers=key)).status_code == 200


def defined_indexes() -> list[Query]:
    found = []
    for index in json.loads((ROOT / "firestore.indexes.json").read_text())["indexes"]:
        *equal, last = index["fields"]
        names = frozenset(field["fieldPath"] for field in equal)
        found.append(Query(index["collectionGroup"], names, last["fieldPath"], last["order"] == "DESCENDING"))
    return found


def serving(query: Query, indexes: list[Query]) -> list[Query]:
    """The indexes that Firestore can merge for the query: same order, no field that is not compared."""
    same = [
        i for i in indexes if (i.group, i.order, i.descending) == (query.group, query.order, query.descending)
    ]
    return [index for index in same if index.equal <= query.equal]


def needs_composite(query: Query) -> bool:
    return bool(query.equal)


def test_every_ordered_query_has_its_indexes(queries: set[Query]) -> None:
    indexes = defined_indexes()
    missing = []
    for query in filter(needs_composite, queries):
        covered: frozenset[Any] = frozenset().union(*(index.equal for index in serving(query, indexes)))
        if covered != query.equal:
            missing.append(query)
    assert missing == []


def test_no_index_is_unused(queries: set[Query]) -> None:
    indexes = defined_indexes()
    used = {index for query in queries for index in serving(query, indexes)}
    assert set(indexes) - used == set()
    assert len(indexes) == len(set(indexes))

"""GET current and history: what is computed, stored and shown."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from engines.budget.models import USAGE_EVENTS
from engines.common.documents import Scope, StoreUnavailable
from engines.common.errors import Forbidden
from engines.common.identity import AuthContext, RequestContext
from engines.kpi.models import KPI_CORRIDORS
from engines.storage.memory import MemoryDocumentStore
from engines.temperature.models import TEMPERATURE_SNAPSHOTS
from engines.temperature.routes import of_token
from engines.temperature.service import MAX_USAGE_EVENTS
from tests.support.app import Login, MemoryKit, running
from tests.support.faults import FaultyStore
from tests.support.records import login_as, stored_fields

BODY: dict[str, Any] = {"tenant_id": "t_acme", "env": "dev", "surface": "squared"}
SCOPE = Scope("t_acme", "dev")


@pytest.fixture
def owner(kit: MemoryKit) -> Login:
    return login_as(kit, "owner")


async def approve(kit: MemoryKit, owner: Login) -> None:
    body = {"scope": "other", "title": "t", "allowed_actions": ["*"]}
    lock = (await kit.client.post("/strategy-locks", json=body, headers=owner.headers())).json()
    await kit.client.post(f"/strategy-locks/{lock['id']}/approve", headers=owner.headers())


async def put(kit: MemoryKit, owner: Login, path: str, **values: Any) -> None:
    (await kit.client.put(path, json=BODY | values, headers=owner.headers())).raise_for_status()


async def use(kit: MemoryKit, owner: Login, *metadata: Any, **values: Any) -> None:
    items = [BODY | {"provider": "p", "metadata": item} | values for item in metadata]
    (await kit.client.post("/budget/usage", json=items, headers=owner.headers())).raise_for_status()


async def ask(kit: MemoryKit, who: Login, path: str, env: str = "dev", **query: Any) -> httpx.Response:
    params = {"surface": "squared"} | query
    return await kit.client.get(f"/temperature/{path}", params=params, headers=who.headers(env))


async def current(kit: MemoryKit, who: Login, **query: Any) -> Any:
    return (await ask(kit, who, "current", **query)).raise_for_status().json()


async def history(kit: MemoryKit, who: Login, **query: Any) -> list[Any]:
    items: list[Any] = (await ask(kit, who, "history", **query)).raise_for_status().json()["items"]
    return items


async def test_a_snapshot_of_the_budgets_usage_in_the_contracts_shape(kit: MemoryKit, owner: Login) -> None:
    await approve(kit, owner)
    await put(kit, owner, "/temperature/weights", weights={"clicks": 1, "sales": 3})
    await put(kit, owner, "/temperature/floors", performance_floors={"seen": 1})
    await put(kit, owner, "/temperature/ceilings", ceilings={"load": 0.5})
    await put(kit, owner, "/kpi/corridors", kpi_name="visits", floor=99)
    await use(kit, owner, {"clicks": 3, "load": 1, "other": 5}, {"clicks": "5", "sales": 4})
    found = await current(kit, login_as(kit, "viewer"), window_days=30)
    assert list(found.items()) == [
        ("id", found["id"]),
        ("tenant_id", "t_acme"),
        ("env", "dev"),
        ("surface", "squared"),
        ("value", 5.0),
        ("window_start", "2025-12-16T12:00:00Z"),
        ("window_end", "2026-01-15T12:00:00Z"),
        ("floors_breached", ["seen"]),
        ("ceilings_breached", ["load"]),
        ("raw_metrics", {"clicks": 8.0, "load": 1.0, "sales": 4.0}),
        ("source", "in_memory"),
        ("usage_window_days", 30),
        ("kpi_corridors_used", ["visits"]),
        ("created_at", "2026-01-15T12:00:00Z"),
    ]
    assert await history(kit, owner) == [found]


async def test_a_surface_without_anything_is_zero(kit: MemoryKit, owner: Login) -> None:
    found = await current(kit, owner)
    assert (found["value"], found["raw_metrics"], found["usage_window_days"]) == (0.0, {}, 7)
    assert found["floors_breached"] == found["ceilings_breached"] == found["kpi_corridors_used"] == []


async def test_usage_that_is_no_number_is_left_out_and_never_an_error(kit: MemoryKit, owner: Login) -> None:
    await approve(kit, owner)
    await put(kit, owner, "/temperature/weights", weights={"a": 1})
    values: list[Any] = ["many", None, [1], {"b": 1}, "nan", "inf", "1e999", 1.7e308, 1.7e308, "2.5"]
    await use(kit, owner, *({"a": value} for value in values))
    assert (await current(kit, owner))["value"] == 1.7e308


async def test_the_window_includes_both_ends_and_never_the_future(kit: MemoryKit, owner: Login) -> None:
    await approve(kit, owner)
    await put(kit, owner, "/temperature/weights", weights={"a": 1})
    tick = timedelta(microseconds=1)
    start = kit.clock.now - timedelta(days=7)
    for number, moment in enumerate((start - tick, start, kit.clock.now, kit.clock.now + tick)):
        await use(kit, owner, {"a": 10**number}, created_at=moment.isoformat())
    assert (await current(kit, owner))["raw_metrics"] == {"a": 110.0}


async def test_only_the_surfaces_usage_counts(kit: MemoryKit, owner: Login) -> None:
    await approve(kit, owner)
    await put(kit, owner, "/temperature/weights", weights={"a": 1, "cost": 1, "tokens_input": 1})
    await use(kit, owner, {"a": 1}, cost=5, tokens_input=5)
    for surface in ("round", None):
        await use(kit, owner, {"a": 10}, surface=surface)
    assert (await current(kit, owner))["raw_metrics"] == {"a": 1.0}


async def test_gap_only_the_oldest_5000_events_count(kit: MemoryKit, owner: Login) -> None:
    await approve(kit, owner)
    await put(kit, owner, "/temperature/weights", weights={"a": 1})
    for _ in range(MAX_USAGE_EVENTS // 500):
        await use(kit, owner, *([{"a": 1}] * 500))
    kit.clock.advance(seconds=1)
    await use(kit, owner, {"a": 1000})
    assert (await current(kit, owner))["raw_metrics"] == {"a": 5000.0}


async def test_explicit_metrics_replace_usage_unless_there_are_none(kit: MemoryKit, owner: Login) -> None:
    await approve(kit, owner)
    await put(kit, owner, "/temperature/weights", weights={"a": 1})
    await use(kit, owner, {"a": 1})
    temperature = kit.services.temperature
    assert (await temperature.current(SCOPE, "squared", metrics={"a": 7.0, "x": 1.0})).value == 7.0
    assert (await temperature.current(SCOPE, "squared", metrics={})).value == 1.0


async def test_gap_every_get_of_current_stores_a_snapshot(kit: MemoryKit, owner: Login) -> None:
    for _ in range(3):
        await current(kit, login_as(kit, "viewer"))
    assert len(await stored_fields(kit.store, TEMPERATURE_SNAPSHOTS)) == 3


async def test_gap_the_source_is_in_memory_whatever_the_store(kit: MemoryKit, owner: Login) -> None:
    assert (await current(kit, owner))["source"] == "in_memory"


async def test_history_is_newest_first_even_within_one_moment(kit: MemoryKit, owner: Login) -> None:
    made = [(await current(kit, owner))["id"] for _ in range(3)]
    kit.clock.advance(hours=1)
    made.append((await current(kit, owner))["id"])
    assert [item["id"] for item in await history(kit, owner)] == made[::-1]
    assert [item["id"] for item in await history(kit, owner, offset=1, limit=2)] == [made[2], made[1]]
    assert await history(kit, owner, offset=10**30) == []


async def test_history_shows_20_unless_asked_and_at_most_200(kit: MemoryKit, owner: Login) -> None:
    for _ in range(21):
        await current(kit, owner)
    assert len(await history(kit, owner)) == 20
    assert len(await history(kit, owner, limit=200)) == 21


async def test_snapshots_are_those_of_the_surface_tenant_and_env(kit: MemoryKit, owner: Login) -> None:
    await current(kit, owner)
    assert await history(kit, owner, surface="round") == []
    assert await history(kit, owner, env="staging") == []
    assert await history(kit, login_as(kit, "owner", "t_globex")) == []


@pytest.mark.parametrize(
    ("path", "query"),
    [
        *(("current", {"window_days": days}) for days in (0, 91, "x")),
        *(("history", query) for query in ({"limit": 0}, {"limit": 201}, {"offset": -1})),
    ],
)
async def test_a_query_out_of_range_is_422(
    kit: MemoryKit, owner: Login, path: str, query: dict[str, Any]
) -> None:
    assert (await ask(kit, owner, path, **query)).status_code == 422


@pytest.mark.parametrize("path", ["config", "current", "history"])
async def test_the_surface_is_required(kit: MemoryKit, owner: Login, path: str) -> None:
    answer = await kit.client.get(f"/temperature/{path}", headers=owner.headers())
    assert answer.status_code == 422


async def test_a_token_without_the_tenant_has_its_own_words_here() -> None:
    context = RequestContext(tenant_id="t_acme", env="dev")
    with pytest.raises(Forbidden) as caught:
        await of_token(context, AuthContext(user_id="u_1", tenant_ids=["t_globex"]))
    assert caught.value.detail == "tenant mismatch"


@pytest.mark.parametrize(
    "operation", [f"scan {USAGE_EVENTS.name}", f"put {TEMPERATURE_SNAPSHOTS.name}", "get"]
)
async def test_an_outage_is_503_and_stores_no_snapshot(operation: str) -> None:
    store = FaultyStore(MemoryDocumentStore())
    async with running(MemoryKit(store=store)) as kit:
        owner = login_as(kit, "owner")
        await approve(kit, owner)
        await put(kit, owner, "/temperature/weights", weights={"a": 1})
        store.faults[operation] = StoreUnavailable("memory: away")
        assert (await ask(kit, owner, "current")).status_code == 503
        assert await stored_fields(store, TEMPERATURE_SNAPSHOTS) == []


async def test_gap_corridors_that_cannot_be_read_are_none() -> None:
    store = FaultyStore(MemoryDocumentStore())
    async with running(MemoryKit(store=store)) as kit:
        owner = login_as(kit, "owner")
        await approve(kit, owner)
        await put(kit, owner, "/kpi/corridors", kpi_name="visits")
        store.faults[f"scan {KPI_CORRIDORS.name}"] = StoreUnavailable("memory: away")
        assert (await current(kit, owner))["kpi_corridors_used"] == []

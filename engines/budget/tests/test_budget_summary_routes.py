"""GET /budget/usage/summary, the cost of goods, and the newest record."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from engines.budget.cogs import WINDOW_DAYS, Cogs, cogs, event_cost
from engines.budget.models import UsageEvent
from engines.budget.repair import rebuild
from engines.common.documents import Scope
from tests.support.app import Login, MemoryKit, dashboard
from tests.support.records import login_as
from tests.support.usage import foreign, plant

SUMMARY = "/budget/usage/summary"
SCOPE = Scope("t_acme", "dev")


@pytest.fixture
def viewer(kit: MemoryKit) -> Login:
    return login_as(kit, "viewer")


async def record(kit: MemoryKit, who: Login, *items: dict[str, Any], env: str = "dev") -> None:
    head = {"tenant_id": who.tenant_id, "env": env, "provider": "p"}
    body = [head | item for item in items]
    (await kit.client.post("/budget/usage", json=body, headers=who.headers(env))).raise_for_status()


async def ask(kit: MemoryKit, who: Login, **query: Any) -> httpx.Response:
    return await kit.client.get(SUMMARY, params=query, headers=who.headers())


async def counts(kit: MemoryKit, who: Login, **query: Any) -> dict[str, int]:
    grouped = (await ask(kit, who, **query)).raise_for_status().json()["grouped"]
    return {name: group["count"] for name, group in grouped.items()}


async def test_nothing_recorded_is_zero_in_the_contracts_shape(kit: MemoryKit, viewer: Login) -> None:
    answer = await ask(kit, viewer)
    assert list(answer.json().items()) == [
        ("window_days", 7),
        ("total_cost", 0.0),
        ("total_events", 0),
        ("grouped", {}),
    ]


async def test_costs_are_floats_per_provider(kit: MemoryKit, viewer: Login) -> None:
    await record(kit, viewer, {"cost": "0.1"}, {"cost": 0.2}, {"provider": "q", "cost": -1})
    assert (await ask(kit, viewer, window_days=1)).json() == {
        "window_days": 1,
        "total_cost": -0.7,
        "total_events": 3,
        "grouped": {"p": {"cost": 0.3, "count": 2}, "q": {"cost": -1.0, "count": 1}},
    }


@pytest.mark.parametrize(
    ("group_by", "expected"),
    [
        ("provider", {"p": 2, "P": 1}),
        ("model_or_plan_id", {"m": 1, "unknown": 2}),
        ("tool_type", {"t": 1, "unknown": 2}),
        ("tool_id", {"i": 1, "unknown": 2}),
        ("surface", {"s": 1, "unknown": 2}),
        ("currency", {"USD": 2, "EUR": 1}),
        ("tenant_id", {"t_acme": 3}),
        ("env", {"dev": 3}),
        ("anything", {"unknown": 3}),
        ("model_dump", {"unknown": 3}),
        ("", {}),
    ],
)
async def test_group_by(kit: MemoryKit, viewer: Login, group_by: str, expected: dict[str, int]) -> None:
    named = {"model_or_plan_id": "m", "tool_type": "t", "tool_id": "i", "surface": "s", "currency": "EUR"}
    empty = {"model_or_plan_id": "", "tool_type": "", "tool_id": "", "surface": ""}
    await record(kit, viewer, named, empty, {"provider": "P"})
    assert await counts(kit, viewer, group_by=group_by) == expected


@pytest.mark.parametrize(
    "group_by", ["metadata", "id", "tokens_input", "tokens_output", "cost", "created_at"]
)
async def test_a_field_that_makes_no_groups_is_422_with_or_without_events(
    kit: MemoryKit, viewer: Login, group_by: str
) -> None:
    for _ in range(2):
        answer = await ask(kit, viewer, group_by=group_by)
        assert answer.status_code == 422
        assert answer.json()["detail"].startswith(f"group_by cannot be {group_by}: use one of surface, ")
        await record(kit, viewer, {"metadata": {"a": 1}})


async def test_a_surface_is_exact_and_leaves_out_events_without_one(kit: MemoryKit, viewer: Login) -> None:
    await record(kit, viewer, {"surface": "squared"}, {"surface": "Squared"}, {})
    assert await counts(kit, viewer, surface="squared") == {"p": 1}
    assert await counts(kit, viewer) == {"p": 3}


async def test_tenants_and_envs_are_apart(kit: MemoryKit, viewer: Login) -> None:
    await record(kit, viewer, {"cost": 1}, env="staging")
    await record(kit, login_as(kit, "owner", "t_globex"), {"cost": 1})
    assert await counts(kit, viewer) == {}


@pytest.mark.parametrize("days", [0, 91, "x"])
async def test_a_window_out_of_range_is_422(kit: MemoryKit, viewer: Login, days: Any) -> None:
    assert (await ask(kit, viewer, window_days=days)).status_code == 422


async def test_gap_currencies_are_added_as_they_are(kit: MemoryKit, viewer: Login) -> None:
    await record(kit, viewer, {"cost": 1, "currency": "USD"}, {"cost": 1, "currency": "JPY"})
    assert (await ask(kit, viewer)).json()["total_cost"] == 2.0


async def read_cogs(kit: MemoryKit, priors: dict[str, Decimal] | None = None) -> Cogs:
    usage = await kit.services.budget.summaries.usage(SCOPE, None, [WINDOW_DAYS])
    return cogs(usage.totals(WINDOW_DAYS), priors)


async def test_cogs_without_usage_is_azure_alone(kit: MemoryKit) -> None:
    empty = {"window_days": 30, "total_cost": 0.0, "total_events": 0, "grouped": {}}
    assert (await read_cogs(kit)).model_dump() == {
        "providers": {
            "azure": {
                "credits_usd": None,
                "spend_usd": 0.0,
                "estimated_remaining": None,
                "note": "azure_not_configured",
            }
        },
        "provider_summary": empty,
        "model_summary": empty,
    }


async def test_azure_with_usage_has_no_note(kit: MemoryKit, viewer: Login) -> None:
    await record(kit, viewer, {"provider": "azure", "cost": "0.5"})
    found = (await read_cogs(kit)).model_dump()["providers"]
    assert found == {"azure": {"credits_usd": None, "spend_usd": 0.5, "estimated_remaining": None}}


async def test_cogs_covers_all_surfaces_and_thirty_days(kit: MemoryKit, viewer: Login) -> None:
    for days, surface in ((0, "a"), (30, None), (31, "b")):
        moment = (kit.clock.now - timedelta(days=days)).isoformat()
        await record(
            kit, viewer, {"cost": 1, "surface": surface, "created_at": moment, "model_or_plan_id": "m"}
        )
    found = await read_cogs(kit)
    assert found.provider_summary.grouped["p"].count == 2
    assert found.model_summary.grouped["m"].cost == 2.0
    assert found.model_summary.window_days == 30


async def test_gap_each_case_of_a_provider_subtracts_from_the_same_credits(
    kit: MemoryKit, viewer: Login
) -> None:
    await record(kit, viewer, {"provider": "AWS", "cost": "0.1"}, {"provider": "aws", "cost": "0.2"})
    found = (await read_cogs(kit, {"aws": Decimal("0.3")})).providers
    assert {name: found[name].estimated_remaining for name in ("AWS", "aws")} == {"AWS": 0.2, "aws": 0.1}
    assert found["AWS"].credits_usd == 0.3


async def test_gap_credits_never_reach_the_dashboard(kit: MemoryKit, viewer: Login) -> None:
    await record(kit, viewer, {"provider": "aws", "cost": 1})
    shown = (await read_cogs(kit)).providers["aws"]
    assert (shown.credits_usd, shown.spend_usd, shown.estimated_remaining) == (None, 1.0, None)


@pytest.mark.parametrize("provider", ["gcp", "vertex"])
def test_gap_the_price_table_never_matches(kit: MemoryKit, provider: str) -> None:
    event = UsageEvent(
        id="e",
        tenant_id="t_acme",
        env="dev",
        provider=provider,
        model_or_plan_id="gemini-1.5-flash-002",
        tokens_input=1000,
        cost=Decimal("0.25"),
        created_at=kit.clock.now,
    )
    assert event_cost(event) == Decimal("0.25")


async def test_row_19_usage_was_last_stored_when_it_was_whatever_its_date(
    kit: MemoryKit, viewer: Login
) -> None:
    async def last_stored(surface: str) -> datetime | None:
        return await kit.services.budget.summaries.last_stored(SCOPE, surface)

    assert await last_stored("squared") is None
    stored = []
    for date in ("2026-01-15T00:00:00Z", "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"):
        kit.clock.advance(hours=1)
        stored.append(kit.clock.now)
        await record(kit, viewer, {"surface": f"of {date[:4]}", "created_at": date})
    surfaces = ("of 2026", "of 2020", "of 2999", "none")
    assert [await last_stored(surface) for surface in surfaces] == [*stored, stored[-1]]


UNSUMMED = "X-Usage-Unsummed"


async def test_a_summary_says_how_many_of_its_events_are_in_no_sum(kit: MemoryKit, viewer: Login) -> None:
    moment = kit.clock.now
    await record(kit, viewer, {"surface": "s"}, {})
    assert UNSUMMED not in (await ask(kit, viewer)).headers
    others = [
        foreign(1, created_at=moment - timedelta(hours=1)),
        foreign(2, created_at=moment - timedelta(days=3), surface=None),
        foreign(3, created_at=moment - timedelta(days=20)),
        foreign(4, created_at=moment + timedelta(seconds=1)),
    ]
    await plant(kit.store, SCOPE, *others)
    asked: list[tuple[dict[str, Any], str]] = [
        ({}, "2"),
        ({"surface": "s"}, "1"),
        ({"window_days": 1}, "1"),
        ({"window_days": 30}, "3"),
    ]
    for query, unsummed in asked:
        assert (await ask(kit, viewer, **query)).headers[UNSUMMED] == unsummed
    assert UNSUMMED not in (await ask(kit, viewer, surface="none")).headers
    await rebuild(kit.store, SCOPE)
    answer = await ask(kit, viewer)
    assert (UNSUMMED in answer.headers, answer.json()["total_events"]) == (False, 4)


async def test_usage_that_is_recorded_meanwhile_does_not_count_as_unsummed(
    kit: MemoryKit, viewer: Login
) -> None:
    count = kit.store.count

    async def after_the_sums(*asked: Any, **how: Any) -> Any:
        for _ in range(20):
            await asyncio.sleep(0)
        await record(kit, viewer, {})
        return await count(*asked, **how)

    await record(kit, viewer, {})
    kit.store.count = after_the_sums
    answer = await ask(kit, viewer)
    assert (UNSUMMED in answer.headers, answer.json()["total_events"]) == (False, 2)


async def test_the_dashboard_says_within_a_minute_that_sums_lack_events(kit: MemoryKit, acme: Login) -> None:
    scope = Scope(acme.tenant_id, "dev")
    await record(kit, acme, {"surface": "squared"})
    assert "budget.usage" not in (await dashboard(kit.client, acme))["lists"]
    await plant(kit.store, scope, foreign(1, surface="squared", created_at=kit.clock.now))
    kit.clock.advance(seconds=61)
    shown = await dashboard(kit.client, acme)
    assert shown["lists"]["budget.usage"] == {"shown": 1, "total": 2, "cut": True}
    assert shown["budget"]["by_provider"]["total_events"] == 1
    await rebuild(kit.store, scope)
    kit.clock.advance(seconds=61)
    shown = await dashboard(kit.client, acme)
    assert "budget.usage" not in shown["lists"]
    assert shown["budget"]["by_provider"]["total_events"] == 2

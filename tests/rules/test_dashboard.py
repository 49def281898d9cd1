"""dashboard.md and http.md section 9: the 13 keys and what feeds each."""

from typing import Any

from tests.support.callers import Caller
from tests.support.rules import Rules, Scenario, ago, ahead, ids

KEYS = [
    *("tenant_id", "env", "surface", "temperature", "budget", "cogs", "kpi", "strategy_locks"),
    *("firearms", "analytics", "event_sink", "training_prefs", "kill_switch"),
]
NO_USAGE = {"window_days": 7, "total_cost": 0.0, "total_events": 0, "grouped": {}}
AZURE = {"credits_usd": None, "spend_usd": 0.0, "estimated_remaining": None, "note": "azure_not_configured"}
DANGEROUS = {"dangerous_tool_use": "medium", "agent_autonomy_high": "high", "publish_sensitive": "high"}

rules = Rules()


async def use(caller: Caller, **fields: Any) -> None:
    await caller.post("/budget/usage", caller.scoped(provider="p", surface="squared", cost="1") | fields)


async def section(caller: Caller, name: str, query: str = "") -> Any:
    return (await caller.dashboard(query))[name]


@rules("dashboard-1-keys the 13 keys in their order")
async def _(owner: Caller) -> None:
    assert [key for key in await owner.dashboard() if key in KEYS] == KEYS


@rules("dashboard-1-scope tenant, normalised env and surface, squared unless asked")
async def _(owner: Caller) -> None:
    for query, surface in (("", "squared"), ("?surface=", "squared"), ("?surface=round", "round")):
        found = await owner.within("STAGE").dashboard(query)
        assert [found[key] for key in KEYS[:3]] == [owner.tenant_id, "staging", surface]


@rules("http-9-role owner or admin")
async def _(owner: Caller) -> None:
    await owner.having("admin").dashboard()
    for role in ("member", "viewer"):
        path = "/bossman/tenant-dashboard"
        await owner.having(role).get(path, 403, detail="insufficient role for tenant")


@rules("http-9-window window_days is 1 to 90")
async def _(owner: Caller) -> None:
    for days in ("0", "91", "x"):
        await owner.get(f"/bossman/tenant-dashboard?window_days={days}", 422)
    await owner.dashboard("?window_days=90")


@rules("http-9-read-only looking changes nothing and is not audited")
async def _(owner: Caller) -> None:
    await owner.dashboard()
    found = await owner.dashboard()
    assert found["event_sink"]["last_write_at"] is None
    assert found["temperature"]["recent"] == []


@rules("dashboard-3-empty a tenant without anything")
async def _(owner: Caller) -> None:
    found = await owner.dashboard()
    config = {"floors": None, "ceilings": None, "weights": None}
    temperature: dict[str, Any] = {"surface": "squared", "current": None, "recent": [], "config": config}
    assert temperature.items() <= found["temperature"].items()
    for name in ("by_provider", "by_model", "by_tool_type"):
        assert NO_USAGE.items() <= found["budget"][name].items()
    assert AZURE.items() <= found["cogs"]["providers"]["azure"].items()
    assert list(found["cogs"]["providers"]) == ["azure"]
    assert (found["kpi"]["definitions"], found["kpi"]["corridors"]) == ([], [])
    assert (found["strategy_locks"]["active"], found["strategy_locks"]["recent"]) == ([], [])
    assert found["firearms"]["active_licences"] == []
    assert found["firearms"]["dangerous_actions"] == DANGEROUS
    assert (found["analytics"]["effective_config"], found["analytics"]["page_seo"]) == (None, [])
    assert (found["training_prefs"], found["kill_switch"]) == ([], None)


@rules("dashboard-2-temperature-1 the stored snapshots, newest first, at most five")
async def _(owner: Caller) -> None:
    made = ids([await owner.get("/temperature/current?surface=squared") for _ in range(6)])
    found = await section(owner, "temperature")
    assert ids(found["recent"]) == made[:0:-1]
    assert found["current"] == found["recent"][0]


@rules("dashboard-2-temperature-2 not recomputed by looking")
async def _(owner: Caller) -> None:
    await owner.get("/temperature/current?surface=squared")
    before = await section(owner, "temperature")
    await use(owner)
    assert await section(owner, "temperature", "?window_days=30") == before


@rules("dashboard-2-temperature-3 the configuration of its surface")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    head = owner.scoped(surface="squared")
    expected = {
        "floors": await owner.put("/temperature/floors", head | {"performance_floors": {"a": 1}}),
        "ceilings": await owner.put("/temperature/ceilings", head | {"ceilings": {"a": 2}}),
        "weights": await owner.put("/temperature/weights", head | {"weights": {"a": 3}}),
    }
    assert (await section(owner, "temperature"))["config"] == expected
    other = (await section(owner, "temperature", "?surface=round"))["config"]
    assert other == dict.fromkeys(expected)


@rules("dashboard-2-budget-1 three summaries of the surface and window")
async def _(owner: Caller) -> None:
    await use(owner, provider="a", model_or_plan_id="m", tool_type="chat", cost="1.5")
    await use(owner, provider="b", cost="2")
    await use(owner, provider="b", created_at=ago(days=8))
    found = await section(owner, "budget")
    groups = {
        "by_provider": {"a": {"cost": 1.5, "count": 1}, "b": {"cost": 2.0, "count": 1}},
        "by_model": {"m": {"cost": 1.5, "count": 1}, "unknown": {"cost": 2.0, "count": 1}},
        "by_tool_type": {"chat": {"cost": 1.5, "count": 1}, "unknown": {"cost": 2.0, "count": 1}},
    }
    for name, grouped in groups.items():
        expected = {"window_days": 7, "total_cost": 3.5, "total_events": 2, "grouped": grouped}
        assert expected.items() <= found[name].items()


@rules("dashboard-2-budget-2 window_days reaches the summaries")
async def _(owner: Caller) -> None:
    await use(owner, created_at=ago(days=8))
    found = (await section(owner, "budget", "?window_days=9"))["by_provider"]
    assert (found["window_days"], found["total_events"]) == (9, 1)


@rules("dashboard-2-budget-3 gap: usage of another surface or of none is invisible here")
async def _(owner: Caller) -> None:
    await use(owner, surface="round")
    await use(owner, surface=None)
    assert (await section(owner, "budget"))["by_provider"]["total_events"] == 0
    assert (await section(owner, "budget", "?surface=round"))["by_provider"]["total_events"] == 1


@rules("dashboard-2-kpi the surface's definitions and corridors, none without surface")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    made = {}
    for surface in ("squared", "round", None):
        body = owner.scoped(name="n", kpi_name="n", surface=surface)
        definition = await owner.post("/kpi/definitions", body)
        made[surface] = (definition, await owner.put("/kpi/corridors", body))
    found = await section(owner, "kpi")
    assert ([*found["definitions"]], [*found["corridors"]]) == ([made["squared"][0]], [made["squared"][1]])


@rules("dashboard-2-locks-1 active: approved and within the window, any surface, insertion order")
async def _(owner: Caller) -> None:
    await owner.lock()
    await owner.approved(valid_until=ago(seconds=1))
    await owner.approved(valid_from=ahead(hours=1))
    rejected = await owner.lock()
    await owner.post(f"/strategy-locks/{rejected['id']}/reject")
    active = [await owner.approved(surface=surface) for surface in (None, "round", "squared")]
    assert (await section(owner, "strategy_locks"))["active"] == active


@rules("dashboard-2-locks-2 active counts a lock whose three-wise verdict is missing")
async def _(owner: Caller) -> None:
    lock = await owner.approved("*", three_wise_id="w_1")
    assert (await section(owner, "strategy_locks"))["active"] == [lock]


@rules("dashboard-2-locks-3 recent: any status, by updated_at, newest first, at most ten")
async def _(owner: Caller) -> None:
    made = [await owner.lock() for _ in range(11)]
    await owner.patch(f"/strategy-locks/{made[0]['id']}", {"title": "touched"})
    await owner.post(f"/strategy-locks/{made[3]['id']}/reject")
    untouched = [lock for lock in reversed(made) if lock not in (made[0], made[3])]
    expected = [made[3]["id"], made[0]["id"], *ids(untouched)][:10]
    assert ids((await section(owner, "strategy_locks"))["recent"]) == expected


@rules("dashboard-2-firearms gap: licences of status active, also past their expiry")
async def _(owner: Caller) -> None:
    body = owner.scoped(subject_type="agent", subject_id="a")
    one = await owner.post("/firearms/licences", body)
    two = await owner.post("/firearms/licences", body | {"expires_at": ago(days=1)})
    for status in ("revoked", "expired"):
        await owner.post("/firearms/licences", body | {"status": status})
    found = (await section(owner, "firearms"))["active_licences"]
    assert sorted(ids(found)) == sorted(ids([one, two]))


@rules("dashboard-2-analytics-1 the effective config of the surface, with its source")
async def _(owner: Caller) -> None:
    await owner.within("prod").approved("*")
    prod = owner.within("prod")
    path = f"/tenants/{owner.tenant_id}/analytics/config"
    await prod.put(path, prod.scoped(surface="squared", meta_pixel_id="1"))
    found = (await section(owner, "analytics"))["effective_config"]
    assert (found["env"], found["meta_pixel_id"], found["source"]) == ("prod", "1", "tenant")
    assert list(found) == [
        *("tenant_id", "env", "surface", "ga4_measurement_id", "ga4_api_secret_slot", "meta_pixel_id"),
        *("tiktok_pixel_id", "snap_pixel_id", "extra", "source"),
    ]
    assert (await section(owner, "analytics", "?surface=round"))["effective_config"] is None


@rules("dashboard-2-analytics-2 gap: SEO pages of all surfaces")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    pages = []
    for surface in ("squared", "round"):
        body = owner.scoped(surface=surface, page_type="home", title="t", description="d")
        pages.append(await owner.put("/seo/pages", body))
    found = (await section(owner, "analytics"))["page_seo"]
    assert sorted(ids(found)) == sorted(ids(pages))
    assert list(found[0]) == [
        *("id", "tenant_id", "env", "surface", "page_type", "title", "description"),
        *("og_title", "og_description", "og_image_url", "canonical_url", "created_at", "updated_at"),
    ]


@rules("dashboard-2-prefs all preferences of the env, null is tenant-wide")
async def _(owner: Caller) -> None:
    await owner.post("/privacy/train-prefs/tenant", {"opt_out": True})
    await owner.post("/privacy/train-prefs/user", {"opt_out": False, "user_id": owner.user_id})
    found = await section(owner, "training_prefs")
    expected = [
        owner.scoped(user_id=None, opt_out=True),
        owner.scoped(user_id=owner.user_id, opt_out=False),
    ]
    assert sorted(found, key=str) == sorted(expected, key=str)


@rules("dashboard-2-kill-switch the kill switch as its route shows it")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    await owner.put("/kill-switches", {"disable_providers": ["p"]})
    assert await section(owner, "kill_switch") == await owner.get("/kill-switches")


@rules("dashboard-4-failure fixed: what broke the dashboard is refused at the door")
async def _(owner: Caller) -> None:
    naive = "2026-01-01T00:00:00"
    lock = {"scope": "other", "title": "t", "valid_until": naive}
    await owner.post("/strategy-locks", lock, 422)
    await owner.post("/budget/usage", owner.scoped(provider="p", created_at=naive), 422)
    await owner.dashboard()


@rules("dashboard-1-tenant another env and another tenant show nothing of it")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    await use(owner)
    await owner.post("/privacy/train-prefs/tenant", {"opt_out": True})
    for caller in (owner.within("prod"), await owner.neighbour()):
        found = await caller.dashboard()
        assert found["budget"]["by_provider"]["total_events"] == 0
        assert found["cogs"]["provider_summary"]["total_events"] == 0
        assert found["strategy_locks"]["recent"] == []
        assert found["training_prefs"] == []


@rules.table()
async def test_rule(scenario: Scenario, owner: Caller) -> None:
    await scenario(owner)

"""http.md section 8 and domain.md section 7: kill switches."""

from tests.support.callers import Caller
from tests.support.rules import Rules, Scenario, when

PATH = "/kill-switches"
FIELDS = {
    *("id", "tenant_id", "env", "disable_providers", "disable_autonomy", "disabled_actions"),
    *("created_at", "updated_at"),
}

rules = Rules()


@rules("http-8-get-1 null when never set")
async def _(owner: Caller) -> None:
    assert await owner.get(PATH) is None


@rules("http-8-get-2 needs owner or admin, but no lock")
async def _(owner: Caller) -> None:
    for role in ("member", "viewer"):
        await owner.having(role).get(PATH, 403, detail="insufficient role for tenant")
    await owner.having("admin").get(PATH)


@rules("domain-7-model-1 fields and defaults")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    found = await owner.put(PATH, {})
    assert set(found) == FIELDS
    assert (found["disable_providers"], found["disable_autonomy"], found["disabled_actions"]) == (
        [],
        False,
        [],
    )
    assert await owner.get(PATH) == found


@rules("domain-7-model-2 providers are lower-cased, actions keep their case")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    body = {"disable_providers": ["OpenAI", "AWS"], "disabled_actions": ["Card_Read"]}
    like = {"disable_providers": ["openai", "aws"], "disabled_actions": ["Card_Read"]}
    await owner.put(PATH, body, like=like)


@rules("http-8-put-1 absent and null fields are kept")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    given = {"disable_providers": ["p"], "disable_autonomy": True, "disabled_actions": ["a"]}
    await owner.put(PATH, given)
    await owner.put(PATH, {}, like=given)
    await owner.put(PATH, dict.fromkeys(given), like=given)


@rules("domain-7-model-3 a given list replaces the whole list")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    await owner.put(PATH, {"disable_providers": ["p", "q"]})
    await owner.put(PATH, {"disable_providers": ["r"]}, like={"disable_providers": ["r"]})
    await owner.put(PATH, {"disable_providers": []}, like={"disable_providers": []})


@rules("domain-7-model-4 one per tenant and env: id and created_at stay, updated_at moves")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    first = await owner.put(PATH, {})
    second = await owner.put(PATH, {"disable_autonomy": True})
    assert (second["id"], second["created_at"]) == (first["id"], first["created_at"])
    assert when(second["updated_at"]) > when(first["updated_at"])


@rules("domain-7-scope-1 another env and another tenant have their own")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    await owner.put(PATH, {"disable_providers": ["p"]})
    assert await owner.within("staging").get(PATH) is None
    assert await (await owner.neighbour()).get(PATH) is None


@rules("http-8-put-2 other shapes are 422")
async def _(owner: Caller) -> None:
    await owner.put(PATH, {"disable_providers": "p"}, 422)
    await owner.put(PATH, {"disable_autonomy": "perhaps"}, 422)
    await owner.put(PATH, {"disabled_actions": [1]}, 422)


@rules("http-8-put-3 not audited")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    await owner.put(PATH, {}, answers={"X-Audit-Status": None})


@rules("domain-7-provider-1 a disabled provider records no usage, the error names it as sent")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    await owner.put(PATH, {"disable_providers": ["openai"]})
    detail = {"error": "kill_switch_blocked", "provider": "OpenAI"}
    await owner.post("/budget/usage", owner.scoped(provider="OpenAI"), 403, detail=detail)
    await owner.post("/budget/usage", owner.scoped(provider="openai-eu"))


@rules("domain-7-provider-2 it counts in its env alone, and no longer once lifted")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    await owner.put(PATH, {"disable_providers": ["p"]})
    prod = owner.within("prod")
    await prod.post("/budget/usage", prod.scoped(provider="p"))
    await owner.put(PATH, {"disable_providers": []})
    await owner.post("/budget/usage", owner.scoped(provider="p"))


@rules("domain-7-autonomy-1 gap: disabled autonomy and actions stop nothing")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    actions = ["analytics_pageview", "kpi:corridor_upsert", "safety:kill_switch_update"]
    await owner.put(PATH, {"disable_autonomy": True, "disabled_actions": actions})
    await owner.post("/analytics/events/pageview", {"surface": "squared"}, like={"status": "accepted"})
    await owner.put("/kpi/corridors", owner.scoped(kpi_name="visits"))
    await owner.put(PATH, {})


@rules.table()
async def test_rule(scenario: Scenario, owner: Caller) -> None:
    await scenario(owner)

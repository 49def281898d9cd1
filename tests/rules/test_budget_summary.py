"""http.md section 7 and domain.md section 5: usage summed up."""

from typing import Any

from tests.support.callers import Caller
from tests.support.rules import Rules, Scenario, ago, ahead

USAGE = "/budget/usage"
SUMMARY = "/budget/usage/summary"

rules = Rules()


async def use(caller: Caller, **fields: Any) -> Any:
    """Record one usage event; returns it."""
    [item] = (await caller.post(USAGE, caller.scoped(provider="p") | fields))["items"]
    return item


async def use_all(caller: Caller, *events: dict[str, Any], status: int = 200, **expected: Any) -> Any:
    body = [caller.scoped(provider="p") | event for event in events]
    return await caller.post(USAGE, body, status, **expected)


@rules("http-7-summary-1 nothing used: zeros and no group")
async def _(owner: Caller) -> None:
    empty = {"window_days": 7, "total_cost": 0.0, "total_events": 0, "grouped": {}}
    assert await owner.get(SUMMARY) == empty


@rules("http-7-summary-2 by provider unless asked; cost and count per group")
async def _(owner: Caller) -> None:
    await use_all(owner, {"provider": "a", "cost": "1.5"}, {"provider": "a", "cost": "2"}, {"provider": "A"})
    grouped = {"a": {"cost": 3.5, "count": 2}, "A": {"cost": 0.0, "count": 1}}
    expected = {"window_days": 7, "total_cost": 3.5, "total_events": 3, "grouped": grouped}
    assert await owner.get(SUMMARY) == expected


@rules("http-7-summary-3 money is exact")
async def _(owner: Caller) -> None:
    await use_all(owner, *({"cost": "0.1"} for _ in range(3)), {"cost": "0.0000001"})
    await owner.get(SUMMARY, like={"total_cost": 0.3000001, "grouped": {"p": {"cost": 0.3000001}}})


def groups_by(attribute: str, value: str) -> Scenario:
    async def scenario(owner: Caller) -> None:
        await use_all(owner, {attribute: value, "cost": "1"}, {attribute: value, "cost": "2"})
        found = (await owner.get(f"{SUMMARY}?group_by={attribute}"))["grouped"]
        assert found == {value: {"cost": 3.0, "count": 2}}

    return scenario


for attribute in ("provider", "surface", "tool_type", "tool_id", "model_or_plan_id", "currency"):
    rules(f"domain-5-group-{attribute} groups by {attribute}")(groups_by(attribute, "X y"))


@rules("domain-5-group-1 empty and missing values are the group unknown")
async def _(owner: Caller) -> None:
    await use_all(owner, {"tool_type": ""}, {"tool_type": None}, {"tool_type": "chat"})
    found = (await owner.get(f"{SUMMARY}?group_by=tool_type"))["grouped"]
    assert {name: group["count"] for name, group in found.items()} == {"unknown": 2, "chat": 1}


@rules("domain-5-group-2 an unknown attribute is one group unknown")
async def _(owner: Caller) -> None:
    await use_all(owner, {"cost": "1"}, {"cost": "2"})
    found = (await owner.get(f"{SUMMARY}?group_by=colour"))["grouped"]
    assert found == {"unknown": {"cost": 3.0, "count": 2}}


@rules("http-7-group-1 an empty group_by makes no groups, and the sums stay")
async def _(owner: Caller) -> None:
    await use_all(owner, {"cost": "1"}, {"cost": "2"})
    found = await owner.get(f"{SUMMARY}?group_by=")
    assert found == {"window_days": 7, "total_cost": 3.0, "total_events": 2, "grouped": {}}


@rules("domain-5-group-3 by tenant_id and env there is one group")
async def _(owner: Caller) -> None:
    await use(owner)
    for name, group in {"tenant_id": owner.tenant_id, "env": "dev"}.items():
        assert list((await owner.get(f"{SUMMARY}?group_by={name}"))["grouped"]) == [group]


@rules("domain-5-group-5 decided: attributes with a group for each event are 422")
async def _(owner: Caller) -> None:
    await use(owner, tokens_input=5)
    for name in ("id", "tokens_input", "tokens_output", "cost", "created_at"):
        await owner.get(f"{SUMMARY}?group_by={name}", 422)


@rules("domain-5-group-4 fixed: group_by=metadata is 422")
async def _(owner: Caller) -> None:
    await use(owner)
    await owner.get(f"{SUMMARY}?group_by=metadata", 422)


@rules("domain-5-summary-1 gap: currencies are added")
async def _(owner: Caller) -> None:
    await use_all(owner, {"cost": "1", "currency": "EUR"}, {"cost": "2", "currency": "JPY"})
    await owner.get(SUMMARY, like={"total_cost": 3.0})


@rules("domain-5-summary-2 the window is exact to the minute")
async def _(owner: Caller) -> None:
    await use(owner, cost="1", created_at=ago(days=7, minutes=-1))
    await use(owner, cost="2", created_at=ago(days=7, minutes=1))
    await owner.get(SUMMARY, like={"total_cost": 1.0, "total_events": 1})
    await owner.get(f"{SUMMARY}?window_days=8", like={"total_cost": 3.0, "window_days": 8})


@rules("domain-5-summary-3 events of the future are left out until then")
async def _(owner: Caller) -> None:
    await use(owner, cost="1", created_at=ahead(minutes=5))
    await owner.get(SUMMARY, like={"total_events": 0, "grouped": {}})


@rules("http-7-summary-4 the surface filter is exact")
async def _(owner: Caller) -> None:
    await use_all(owner, {"surface": "squared", "cost": "1"}, {"surface": "Squared"}, {"cost": "2"})
    await owner.get(f"{SUMMARY}?surface=squared", like={"total_cost": 1.0, "total_events": 1})


@rules("http-7-summary-5 window_days is 1 to 90")
async def _(owner: Caller) -> None:
    for days in (0, 91):
        await owner.get(f"{SUMMARY}?window_days={days}", 422)
    for days in (1, 90):
        await owner.get(f"{SUMMARY}?window_days={days}", like={"window_days": days})


@rules("http-7-summary-6 of the tenant and env alone; a viewer may")
async def _(owner: Caller) -> None:
    await use(owner, cost="1")
    await owner.having("viewer").get(SUMMARY, like={"total_events": 1})
    for caller in (owner.within("prod"), await owner.neighbour()):
        await caller.get(SUMMARY, like={"total_events": 0, "total_cost": 0.0})


@rules.table()
async def test_rule(scenario: Scenario, owner: Caller) -> None:
    await scenario(owner)

"""domain.md section 6: the cost of goods, seen on the dashboard."""

from typing import Any

from tests.support.callers import Caller
from tests.support.rules import Rules, Scenario, ago

AZURE = {"credits_usd": None, "spend_usd": 0.0, "estimated_remaining": None, "note": "azure_not_configured"}

rules = Rules()


async def use(caller: Caller, **fields: Any) -> None:
    await caller.post("/budget/usage", caller.scoped(provider="p", surface="squared", cost="1") | fields)


async def cost(caller: Caller, query: str = "") -> Any:
    return (await caller.dashboard(query))["cogs"]


@rules("domain-6-cogs-1 thirty days and all surfaces, whatever the window")
async def _(owner: Caller) -> None:
    await use(owner, surface="round")
    await use(owner, surface=None, created_at=ago(days=29))
    await use(owner, created_at=ago(days=31))
    found = await cost(owner, "?window_days=1")
    summary = found["provider_summary"]
    assert (summary["window_days"], summary["total_cost"], summary["total_events"]) == (30, 2.0, 2)
    assert found["providers"]["p"]["spend_usd"] == 2.0


@rules("domain-6-cogs-2 gap: credits and what remains are always null")
async def _(owner: Caller) -> None:
    await use(owner)
    entry = (await cost(owner))["providers"]["p"]
    assert (entry["credits_usd"], entry["estimated_remaining"]) == (None, None)
    assert entry.get("note") is None


@rules("domain-6-cogs-3 azure without usage says so, with usage it does not")
async def _(owner: Caller) -> None:
    assert AZURE.items() <= (await cost(owner))["providers"]["azure"].items()
    await use(owner, provider="azure")
    entry = (await cost(owner))["providers"]["azure"]
    assert entry["spend_usd"] == 1.0
    assert entry.get("note") is None


@rules("domain-6-cogs-4 gap: case variants of a provider are rows of their own")
async def _(owner: Caller) -> None:
    for provider in ("azure", "Azure"):
        await use(owner, provider=provider)
    assert set((await cost(owner))["providers"]) == {"azure", "Azure"}


@rules("domain-6-cogs-5 the model summary groups by model_or_plan_id")
async def _(owner: Caller) -> None:
    await use(owner, model_or_plan_id="m")
    await use(owner)
    grouped = (await cost(owner))["model_summary"]["grouped"]
    assert grouped == {name: {"cost": 1.0, "count": 1} for name in ("m", "unknown")}


@rules("domain-6-cogs-6 gap: the price table never matches, the own cost counts")
async def _(owner: Caller) -> None:
    model = {"model_or_plan_id": "gemini-1.5-flash-002", "tokens_input": 1_000_000, "cost": "2"}
    await use(owner, provider="gcp", **model)
    await use(owner, provider="vertex", **model)
    providers = (await cost(owner))["providers"]
    assert (providers["gcp"]["spend_usd"], providers["vertex"]["spend_usd"]) == (2.0, 2.0)


@rules.table()
async def test_rule(scenario: Scenario, owner: Caller) -> None:
    await scenario(owner)

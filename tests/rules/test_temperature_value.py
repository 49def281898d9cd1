"""domain.md section 3, computation: which metrics count, what is breached, and the value."""

from typing import Any

from tests.support.callers import Caller
from tests.support.rules import Rules, Scenario, ago, ahead

CURRENT = "/temperature/current?surface=squared"

rules = Rules()


async def configure(
    owner: Caller,
    weights: dict[str, float] | None = None,
    floors: dict[str, float] | None = None,
    cadence: dict[str, float] | None = None,
    ceilings: dict[str, float] | None = None,
) -> None:
    """Store what is given for surface squared, under a lock for everything."""
    await owner.approved("*")
    head = owner.scoped(surface="squared")
    if weights is not None:
        await owner.put("/temperature/weights", head | {"weights": weights})
    if floors is not None or cadence is not None:
        both = {"performance_floors": floors or {}, "cadence_floors": cadence or {}}
        await owner.put("/temperature/floors", head | both)
    if ceilings is not None:
        await owner.put("/temperature/ceilings", head | {"ceilings": ceilings})


async def use(owner: Caller, metadata: dict[str, Any], **fields: Any) -> None:
    """Record usage on surface squared that carries metrics."""
    body = owner.scoped(provider="p", surface="squared", metadata=metadata)
    await owner.post("/budget/usage", body | fields)


@rules("domain-3-metrics-1 usage metadata of the keys asked for is summed")
async def _(owner: Caller) -> None:
    await configure(owner, weights={"clicks": 1})
    await use(owner, {"clicks": 3, "other": 100})
    await use(owner, {"clicks": 5})
    await owner.get(CURRENT, like={"raw_metrics": {"clicks": 8.0}, "value": 8.0})


@rules("domain-3-metrics-2 gap: a key of n configs is counted n times")
async def _(owner: Caller) -> None:
    await configure(owner, weights={"clicks": 1}, floors={"clicks": 0}, cadence={"clicks": 0})
    await use(owner, {"clicks": 8})
    await owner.get(CURRENT, like={"raw_metrics": {"clicks": 24.0}, "value": 24.0})


@rules("domain-3-metrics-3 a number in text counts")
async def _(owner: Caller) -> None:
    await configure(owner, weights={"clicks": 1})
    await use(owner, {"clicks": "2.5"})
    await owner.get(CURRENT, like={"value": 2.5})


@rules("domain-3-metrics-4 fixed: a value that is no number is no 500")
async def _(owner: Caller) -> None:
    await configure(owner, weights={"clicks": 1})
    for value in ("many", None, [1], {"a": 1}):
        body = owner.scoped(provider="p", surface="squared", metadata={"clicks": value})
        recorded = await owner.send("POST", "/budget/usage", body)
        assert recorded.status_code in (200, 422)
    assert (await owner.send("GET", CURRENT)).status_code in (200, 422)


@rules("domain-3-metrics-5 fixed: nan and infinity in text are no 500")
async def _(owner: Caller) -> None:
    await configure(owner, weights={"clicks": 1})
    for value in ("nan", "inf"):
        await owner.send(
            "POST", "/budget/usage", owner.scoped(provider="p", surface="squared", metadata={"clicks": value})
        )
        assert (await owner.send("GET", CURRENT)).status_code in (200, 422)


@rules("domain-3-metrics-6 usage of other surfaces, envs and tenants does not count")
async def _(owner: Caller) -> None:
    await configure(owner, weights={"clicks": 1})
    await use(owner, {"clicks": 1}, surface="round")
    await use(owner, {"clicks": 2}, surface=None)
    await use(owner.within("prod"), {"clicks": 4})
    await use(await owner.neighbour(), {"clicks": 8})
    await owner.get(CURRENT, like={"raw_metrics": {}, "value": 0.0})


@rules("domain-3-metrics-7 usage outside the window does not count")
async def _(owner: Caller) -> None:
    await configure(owner, weights={"clicks": 1})
    await use(owner, {"clicks": 1}, created_at=ago(days=6))
    await use(owner, {"clicks": 2}, created_at=ago(days=8))
    await use(owner, {"clicks": 4}, created_at=ahead(hours=1))
    await owner.get(CURRENT, like={"value": 1.0})
    await owner.get(f"{CURRENT}&window_days=30", like={"value": 3.0})


@rules("domain-3-metrics-8 tokens and cost never become metrics")
async def _(owner: Caller) -> None:
    await configure(owner, weights={"cost": 1, "tokens_input": 1})
    await use(owner, {}, cost="5", tokens_input=7)
    await owner.get(CURRENT, like={"raw_metrics": {}, "value": 0.0})


@rules("domain-3-value-1 weighted by the sum of absolute weights")
async def _(owner: Caller) -> None:
    await configure(owner, weights={"a": 3, "b": -1})
    await use(owner, {"a": 10, "b": 2})
    await owner.get(CURRENT, like={"value": (3 * 10 - 1 * 2) / 4})


@rules("domain-3-value-2 a missing metric counts as 0 in the sum, its weight still divides")
async def _(owner: Caller) -> None:
    await configure(owner, weights={"a": 1, "b": 3})
    await use(owner, {"a": 8})
    await owner.get(CURRENT, like={"value": 2.0})


@rules("domain-3-value-3 weights that are all 0 divide by 1")
async def _(owner: Caller) -> None:
    await configure(owner, weights={"a": 0})
    await use(owner, {"a": 8})
    await owner.get(CURRENT, like={"value": 0.0, "raw_metrics": {"a": 8.0}})


@rules("domain-3-value-4 no weights: 0.0, though metrics and breaches exist")
async def _(owner: Caller) -> None:
    await configure(owner, ceilings={"a": 1})
    await use(owner, {"a": 8})
    await owner.get(CURRENT, like={"value": 0.0, "ceilings_breached": ["a"]})


@rules("domain-3-value-5 not bounded, and breaches do not influence it")
async def _(owner: Caller) -> None:
    await configure(owner, weights={"a": 1}, floors={"b": 5})
    await use(owner, {"a": -1000})
    await owner.get(CURRENT, like={"value": -1000.0, "floors_breached": ["b"]})


@rules("domain-3-breach-1 a floor is breached below it, equality is no breach")
async def _(owner: Caller) -> None:
    await configure(owner, floors={"under": 8.5, "equal": 8, "over": 7})
    await use(owner, {"under": 8, "equal": 8, "over": 8})
    await owner.get(CURRENT, like={"floors_breached": ["under"]})


@rules("domain-3-breach-2 a ceiling is breached above it, equality is no breach")
async def _(owner: Caller) -> None:
    await configure(owner, ceilings={"under": 9, "equal": 8, "over": 7.5})
    await use(owner, {"under": 8, "equal": 8, "over": 8})
    await owner.get(CURRENT, like={"ceilings_breached": ["over"]})


@rules("domain-3-breach-3 a missing metric is 0")
async def _(owner: Caller) -> None:
    await configure(owner, floors={"low": 0, "high": 1}, ceilings={"low": -1, "high": 0})
    await owner.get(CURRENT, like={"floors_breached": ["high"], "ceilings_breached": ["low"]})


@rules("domain-3-breach-4 performance floors first, then cadence; a key may appear twice")
async def _(owner: Caller) -> None:
    await configure(owner, floors={"a": 1, "b": 1}, cadence={"c": 1, "a": 1})
    found = await owner.get(CURRENT)
    assert sorted(found["floors_breached"][:2]) == ["a", "b"]
    assert sorted(found["floors_breached"][2:]) == ["a", "c"]


@rules("domain-3-corridors-1 the surface's corridors are named, their limits play no part")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    for name, surface in (("visits", "squared"), ("sales", "round"), ("none", None)):
        body = owner.scoped(kpi_name=name, surface=surface, floor=99)
        await owner.put("/kpi/corridors", body)
    await owner.get(CURRENT, like={"kpi_corridors_used": ["visits"], "floors_breached": []})


@rules.table()
async def test_rule(scenario: Scenario, owner: Caller) -> None:
    await scenario(owner)

"""http.md section 7 and domain.md section 5: recording usage and listing it."""

from decimal import Decimal
from typing import Any

from tests.support.callers import Caller
from tests.support.rules import Rules, Scenario, ago, ahead, ids

USAGE = "/budget/usage"
SUMMARY = "/budget/usage/summary"
FIELDS = {
    *("id", "tenant_id", "env", "surface", "tool_type", "tool_id", "provider", "model_or_plan_id"),
    *("tokens_input", "tokens_output", "cost", "currency", "metadata", "created_at"),
}

rules = Rules()


async def use(caller: Caller, **fields: Any) -> Any:
    """Record one usage event; returns it."""
    [item] = (await caller.post(USAGE, caller.scoped(provider="p") | fields))["items"]
    return item


async def use_all(caller: Caller, *events: dict[str, Any], status: int = 200, **expected: Any) -> Any:
    body = [caller.scoped(provider="p") | event for event in events]
    return await caller.post(USAGE, body, status, **expected)


async def items(caller: Caller, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await caller.get(f"{USAGE}{query}"))["items"]
    return found


@rules("domain-5-model-1 an event has its fields and defaults")
async def _(owner: Caller) -> None:
    event = await use(owner)
    assert set(event) == FIELDS
    none = ("surface", "tool_type", "tool_id", "model_or_plan_id")
    assert {name: event[name] for name in none} == dict.fromkeys(none)
    assert (event["tokens_input"], event["tokens_output"], event["currency"]) == (0, 0, "USD")
    assert Decimal(event["cost"]) == 0
    assert event["metadata"] == {}


@rules("domain-5-model-2 given fields come back; the provider's case is kept")
async def _(owner: Caller) -> None:
    given = {
        "provider": "OpenAI",
        "surface": "squared",
        "tool_type": "chat",
        "tool_id": "t1",
        "model_or_plan_id": "m1",
        "tokens_input": 3,
        "tokens_output": 4,
        "currency": "EUR",
        "metadata": {"a": {"b": [1]}},
    }
    assert given.items() <= (await use(owner, **given)).items()


@rules("domain-5-model-3 a cost is a JSON string and exact")
async def _(owner: Caller) -> None:
    for cost in (0.1, "0.1", "123456789.000000001"):
        found = (await use(owner, cost=cost))["cost"]
        assert isinstance(found, str)
        assert Decimal(found) == Decimal(str(cost))


@rules("domain-5-model-4 gap: negative costs and tokens are accepted and summed")
async def _(owner: Caller) -> None:
    await use(owner, cost="-2.5", tokens_input=-1)
    await use(owner, cost="1")
    await owner.get(SUMMARY, like={"total_cost": -1.5, "total_events": 2})


@rules("domain-5-model-5 a cost that is no finite number is 422")
async def _(owner: Caller) -> None:
    for cost in ("NaN", "Infinity", "much", True, None):
        await owner.post(USAGE, owner.scoped(provider="p", cost=cost), 422)


@rules("http-7-record-1 one event or an array, both answer items")
async def _(owner: Caller) -> None:
    assert len((await owner.post(USAGE, owner.scoped(provider="p")))["items"]) == 1
    found = await use_all(owner, {"provider": "a"}, {"provider": "b"})
    assert [item["provider"] for item in found["items"]] == ["a", "b"]


@rules("http-7-record-2 tenant, env and provider are required")
async def _(owner: Caller) -> None:
    body = owner.scoped(provider="p")
    for name in body:
        await owner.post(USAGE, {key: body[key] for key in body if key != name}, 422)


@rules("http-7-record-3 a viewer may record")
async def _(owner: Caller) -> None:
    await use(owner.having("viewer"))


@rules("http-7-record-4 each item's tenant and env must match; else nothing is stored")
async def _(owner: Caller) -> None:
    for name, value in (("tenant_id", "t_other"), ("env", "prod"), ("env", "qa")):
        detail = f"{name} mismatch with request context"
        await use_all(owner, {}, {name: value}, status=400, detail=detail)
    assert await items(owner) == []


@rules("http-7-record-5 stage in the body is stored as staging")
async def _(owner: Caller) -> None:
    assert (await use(owner.within("staging"), env="Stage"))["env"] == "staging"


@rules("http-7-record-6 fixed: a time without timezone is 422, and the tenant stays readable")
async def _(owner: Caller) -> None:
    await owner.post(USAGE, owner.scoped(provider="p", created_at="2026-01-01T00:00:00"), 422)
    assert await items(owner, "?window_days=90") == []
    await owner.get(SUMMARY)
    await owner.dashboard()


@rules("http-7-record-7 fixed: a blocked item keeps the whole array out")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    await owner.put("/kill-switches", {"disable_providers": ["blocked"]})
    detail = {"error": "kill_switch_blocked", "provider": "Blocked"}
    await use_all(owner, {}, {"provider": "Blocked"}, status=403, detail=detail)
    assert await items(owner) == []


@rules("http-7-record-8 an invalid item keeps the whole array out")
async def _(owner: Caller) -> None:
    await use_all(owner, {}, {"tokens_input": "many"}, status=422)
    assert await items(owner) == []


@rules("http-7-record-9 fixed: an id that exists is 409, and the array with it is kept out")
async def _(owner: Caller) -> None:
    await use(owner, id="u_1", cost="1")
    await owner.post(USAGE, owner.scoped(provider="p", id="u_1", cost="5"), 409)
    await use_all(owner, {}, {"id": "u_1"}, status=409)
    await owner.get(SUMMARY, like={"total_cost": 1.0, "total_events": 1})


@rules("http-7-record-10 fixed: one id twice in an array is refused, nothing stored")
async def _(owner: Caller) -> None:
    body = [owner.scoped(provider="p", id="u_1") for _ in range(2)]
    assert (await owner.send("POST", USAGE, body)).status_code in (409, 422)
    assert await items(owner) == []


@rules("http-7-record-11 500 events at once, no more")
async def _(owner: Caller) -> None:
    found = await use_all(owner, *({"cost": "0.01"} for _ in range(500)))
    assert len({item["id"] for item in found["items"]}) == 500
    await use_all(owner, *({} for _ in range(501)), status=422)
    await owner.get(SUMMARY, like={"total_cost": 5.0, "total_events": 500})


@rules("http-7-record-12 an empty array records nothing")
async def _(owner: Caller) -> None:
    assert await owner.post(USAGE, []) == {"items": []}


@rules("http-7-record-13 not audited")
async def _(owner: Caller) -> None:
    await owner.post(USAGE, owner.scoped(provider="p"), answers={"X-Audit-Status": None})


@rules("domain-5-aws-1 decided: AWS probes are out of scope, the metadata of aws usage stays as given")
async def _(owner: Caller) -> None:
    for provider in ("aws", "AWS"):
        assert (await use(owner, provider=provider, metadata={"a": 1}))["metadata"] == {"a": 1}


@rules("http-7-list-1 in insertion order")
async def _(owner: Caller) -> None:
    made = [await use(owner) for _ in range(5)]
    assert ids(await items(owner)) == ids(made)


@rules("http-7-list-2 exact filters, alone and together")
async def _(owner: Caller) -> None:
    values = {"surface": "S", "provider": "P", "model_or_plan_id": "M", "tool_type": "T"}
    event = await use(owner, **values)
    await use(owner, **{name: value.lower() for name, value in values.items()})
    for name, value in values.items():
        assert ids(await items(owner, f"?{name}={value}")) == [event["id"]]
    assert ids(await items(owner, "?surface=S&provider=P&tool_type=T")) == [event["id"]]
    assert await items(owner, "?surface=S&provider=p") == []


@rules("http-7-list-3 the window: seven days back, nothing of the future")
async def _(owner: Caller) -> None:
    inside = await use(owner, created_at=ago(days=7, minutes=-1))
    outside = await use(owner, created_at=ago(days=7, minutes=1))
    await use(owner, created_at=ahead(minutes=5))
    assert ids(await items(owner)) == [inside["id"]]
    assert sorted(ids(await items(owner, "?window_days=8"))) == sorted([inside["id"], outside["id"]])


@rules("http-7-list-4 limit and offset, after the filter")
async def _(owner: Caller) -> None:
    made = []
    for number in range(6):
        made.append(await use(owner, provider="ab"[number % 2]))
    assert ids(await items(owner, "?limit=2&offset=1&provider=a")) == [made[2]["id"], made[4]["id"]]
    assert await items(owner, "?offset=6") == []


@rules("http-7-list-5 out of range is 422")
async def _(owner: Caller) -> None:
    for query in ("limit=0", "limit=501", "offset=-1", "window_days=0", "window_days=91"):
        await owner.get(f"{USAGE}?{query}", 422)
    await owner.get(f"{USAGE}?limit=500&offset=0&window_days=90")


@rules("http-7-list-6 at most 200 unless asked")
async def _(owner: Caller) -> None:
    await use_all(owner, *({} for _ in range(201)))
    assert len(await items(owner)) == 200
    assert len(await items(owner, "?limit=500")) == 201


@rules("http-7-list-7 of the tenant and env alone; a viewer may")
async def _(owner: Caller) -> None:
    await use(owner)
    assert len(await items(owner.having("viewer"))) == 1
    for caller in (owner.within("prod"), await owner.neighbour()):
        assert await items(caller) == []


@rules.table()
async def test_rule(scenario: Scenario, owner: Caller) -> None:
    await scenario(owner)

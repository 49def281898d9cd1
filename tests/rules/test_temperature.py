"""http.md section 5 and domain.md section 3: floors, ceilings, weights, snapshots."""

from datetime import timedelta

from tests.support.callers import Caller
from tests.support.rules import Rules, Scenario, ids, when

CURRENT = "/temperature/current?surface=squared"
HISTORY = "/temperature/history?surface=squared"
CONFIG = "/temperature/config?surface=squared"
HEAD = {"id", "tenant_id", "env", "surface", "created_at", "updated_at"}
SNAPSHOT = {
    *("id", "tenant_id", "env", "surface", "value", "window_start", "window_end", "floors_breached"),
    *("ceilings_breached", "raw_metrics", "source", "usage_window_days", "kpi_corridors_used", "created_at"),
}

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


@rules("http-5-floors-1 the stored record")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    given = {"performance_floors": {"a": 1.5}, "cadence_floors": {"b": 2}, "metadata": {"by": ["jo"]}}
    found = await owner.put("/temperature/floors", owner.scoped(surface="squared") | given, like=given)
    assert set(found) == HEAD | set(given)


@rules("http-5-ceilings-1 the stored record")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    given = {"ceilings": {"a": 1.5}, "metadata": {"by": "jo"}}
    found = await owner.put("/temperature/ceilings", owner.scoped(surface="squared") | given, like=given)
    assert set(found) == HEAD | set(given)


@rules("http-5-weights-1 the stored record; the source defaults to system_default")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    given = {"weights": {"a": -1.5}}
    expected = given | {"source": "system_default"}
    found = await owner.put("/temperature/weights", owner.scoped(surface="squared") | given, like=expected)
    assert set(found) == HEAD | set(expected)


@rules("http-5-weights-2 the three sources and no other")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    body = owner.scoped(surface="squared", weights={})
    for source in ("system_default", "tenant_override", "llm_tuned"):
        await owner.put("/temperature/weights", body | {"source": source}, like={"source": source})
    await owner.put("/temperature/weights", body | {"source": "guess"}, 422)


@rules("http-5-put-1 a limit that is no number is 422")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    head = owner.scoped(surface="squared")
    await owner.put("/temperature/floors", head | {"performance_floors": {"a": "much"}}, 422)
    await owner.put("/temperature/ceilings", head | {"ceilings": {"a": None}}, 422)
    await owner.put("/temperature/weights", head | {"weights": [1]}, 422)


@rules("http-5-put-2 the surface is required")
async def _(owner: Caller) -> None:
    for name in ("floors", "ceilings", "weights"):
        await owner.put(f"/temperature/{name}", owner.scoped(), 422)


@rules("events-6-audit-2 temperature configs are not audited")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    for name in ("floors", "ceilings", "weights"):
        body = owner.scoped(surface="squared", weights={}, ceilings={})
        await owner.put(f"/temperature/{name}", body, answers={"X-Audit-Status": None})


@rules("http-5-config-1 nothing stored: three nulls")
async def _(owner: Caller) -> None:
    assert await owner.get(CONFIG) == {"floors": None, "ceilings": None, "weights": None}


@rules("http-5-config-2 to any member; the surface is required")
async def _(owner: Caller) -> None:
    await owner.having("viewer").get(CONFIG)
    await owner.get("/temperature/config", 422)


@rules("domain-3-config-1 one set per surface, env and tenant")
async def _(owner: Caller) -> None:
    await configure(owner, weights={"a": 1}, floors={"a": 2}, ceilings={"a": 3})
    like = {"floors": {"performance_floors": {"a": 2}}, "ceilings": {"ceilings": {"a": 3}}}
    await owner.get(CONFIG, like=like | {"weights": {"weights": {"a": 1}}})
    empty = {"floors": None, "ceilings": None, "weights": None}
    assert await owner.get("/temperature/config?surface=round") == empty
    assert await owner.within("prod").get(CONFIG) == empty
    assert await (await owner.neighbour()).get(CONFIG) == empty


@rules("domain-3-config-2 an upsert replaces the whole record, with a new id")
async def _(owner: Caller) -> None:
    await configure(owner, floors={"a": 1}, cadence={"b": 1})
    first = (await owner.get(CONFIG))["floors"]
    await configure(owner, floors={"c": 1})
    second = (await owner.get(CONFIG))["floors"]
    assert (second["performance_floors"], second["cadence_floors"]) == ({"c": 1}, {})
    assert second["id"] != first["id"]
    assert when(second["created_at"]) > when(first["created_at"])


@rules("http-5-current-1 a snapshot of the last seven days")
async def _(owner: Caller) -> None:
    found = await owner.get(CURRENT)
    assert set(found) == SNAPSHOT
    assert when(found["window_end"]) - when(found["window_start"]) == timedelta(days=7)
    assert found["usage_window_days"] == 7


@rules("http-5-current-2 no configuration: value 0.0, no metrics, no breach")
async def _(owner: Caller) -> None:
    like = {"value": 0.0, "raw_metrics": {}, "floors_breached": [], "ceilings_breached": []}
    await owner.get(CURRENT, like=like)


@rules("http-5-current-3 window_days is 1 to 90")
async def _(owner: Caller) -> None:
    for days in (1, 90):
        await owner.get(f"{CURRENT}&window_days={days}", like={"usage_window_days": days})
    for text in ("0", "91", "x"):
        await owner.get(f"{CURRENT}&window_days={text}", 422)


@rules("http-5-current-4 a viewer may; a foreign tenant gets 403")
async def _(owner: Caller) -> None:
    await owner.having("viewer").get(CURRENT)
    stranger = await owner.neighbour()
    await owner.get(CURRENT, 403, headers={"X-Tenant-Id": stranger.tenant_id})


@rules("http-5-current-5 the surface is required")
async def _(owner: Caller) -> None:
    await owner.get("/temperature/current", 422)


@rules("http-5-history-1 gap: every GET of current stores a snapshot; newest first")
async def _(owner: Caller) -> None:
    made = [await owner.get(CURRENT) for _ in range(3)]
    found = await owner.get(HISTORY)
    assert set(found) == {"items"}
    assert ids(found["items"]) == ids(made)[::-1]


@rules("http-5-history-2 limit and offset")
async def _(owner: Caller) -> None:
    made = ids([await owner.get(CURRENT) for _ in range(4)])
    assert ids((await owner.get(f"{HISTORY}&limit=2&offset=1"))["items"]) == [made[2], made[1]]
    assert (await owner.get(f"{HISTORY}&offset=4"))["items"] == []


@rules("http-5-history-3 limit is 1 to 200, offset at least 0")
async def _(owner: Caller) -> None:
    for query in ("limit=0", "limit=201", "offset=-1"):
        await owner.get(f"{HISTORY}&{query}", 422)
    await owner.get(f"{HISTORY}&limit=200&offset=0")


@rules("http-5-history-4 at most 20 unless asked")
async def _(owner: Caller) -> None:
    for _ in range(21):
        await owner.get(CURRENT)
    assert len((await owner.get(HISTORY))["items"]) == 20


@rules("http-5-history-5 of its surface, env and tenant alone; a viewer may")
async def _(owner: Caller) -> None:
    await owner.get(CURRENT)
    assert len((await owner.having("viewer").get(HISTORY))["items"]) == 1
    for caller in (owner.within("prod"), await owner.neighbour()):
        assert await caller.get(HISTORY) == {"items": []}
    assert await owner.get("/temperature/history?surface=round") == {"items": []}


@rules.table()
async def test_rule(scenario: Scenario, owner: Caller) -> None:
    await scenario(owner)

"""http.md section 6 and domain.md section 4: KPI definitions and corridors."""

from tests.support.callers import Caller
from tests.support.rules import Rules, Scenario, ids

DEFINITIONS = "/kpi/definitions"
CORRIDORS = "/kpi/corridors"
HEAD = {"id", "tenant_id", "env", "surface", "created_at", "updated_at"}

rules = Rules()


@rules("domain-4-model-1 a definition has its fields")
async def _(owner: Caller) -> None:
    given = {"name": "visits", "surface": "squared", "description": "d", "unit": "n"}
    found = await owner.post(DEFINITIONS, owner.scoped(**given), like=owner.scoped(**given))
    assert set(found) == HEAD | set(given)


@rules("domain-4-model-2 a definition's optional fields are null")
async def _(owner: Caller) -> None:
    like = {"surface": None, "description": None, "unit": None}
    await owner.post(DEFINITIONS, owner.scoped(name="visits"), like=like)


@rules("domain-4-model-3 a corridor has its fields")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    limits = {"floor": 1.5, "ceiling": 2.5, "cadence_floor": 3, "cadence_ceiling": 4}
    given = limits | {"kpi_name": "visits", "surface": "squared"}
    found = await owner.put(CORRIDORS, owner.scoped(**given), like=owner.scoped(**given))
    assert set(found) == HEAD | set(given)


@rules("domain-4-model-4 a corridor's limits may all be missing")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    none = dict.fromkeys(("surface", "floor", "ceiling", "cadence_floor", "cadence_ceiling"))
    await owner.put(CORRIDORS, owner.scoped(kpi_name="visits"), like=none)


@rules("http-6-definition-1 name, tenant and env are required")
async def _(owner: Caller) -> None:
    body = owner.scoped(name="visits")
    for name in body:
        await owner.post(DEFINITIONS, {key: body[key] for key in body if key != name}, 422)


@rules("http-6-definition-2 owner or admin")
async def _(owner: Caller) -> None:
    for role in ("member", "viewer"):
        await owner.having(role).post(DEFINITIONS, owner.scoped(name="visits"), 403)
    await owner.having("admin").post(DEFINITIONS, owner.scoped(name="visits"))


@rules("http-6-definition-3 role before body match")
async def _(owner: Caller) -> None:
    body = owner.scoped(name="visits") | {"tenant_id": "t_other"}
    await owner.having("member").post(DEFINITIONS, body, 403, detail="insufficient role for tenant")


@rules("http-6-definition-4 another tenant or env in the body is 400")
async def _(owner: Caller) -> None:
    for name, value in (("tenant_id", "t_other"), ("env", "prod"), ("env", "qa")):
        detail = f"{name} mismatch with request context"
        await owner.post(DEFINITIONS, owner.scoped(name="visits") | {name: value}, 400, detail=detail)


@rules("http-6-definition-5 neither definitions nor corridors are audited")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    absent = {"X-Audit-Status": None}
    await owner.post(DEFINITIONS, owner.scoped(name="visits"), answers=absent)
    await owner.put(CORRIDORS, owner.scoped(kpi_name="visits"), answers=absent)


@rules("http-6-corridor-1 the KPI's name is required")
async def _(owner: Caller) -> None:
    await owner.put(CORRIDORS, owner.scoped(), 422)


@rules("http-6-corridor-2 a limit that is no number is 422")
async def _(owner: Caller) -> None:
    await owner.put(CORRIDORS, owner.scoped(kpi_name="visits", floor="low"), 422)


@rules("http-6-corridor-3 gap: without an id each PUT creates another corridor")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    made = [await owner.put(CORRIDORS, owner.scoped(kpi_name="visits", surface="squared")) for _ in range(2)]
    assert sorted(ids(await owner.get(CORRIDORS))) == sorted(ids(made))
    assert made[0]["id"] != made[1]["id"]


@rules("http-6-corridor-4 with an id a PUT replaces the corridor")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    for floor in (1, 2):
        await owner.put(CORRIDORS, owner.scoped(id="c_1", kpi_name="visits", floor=floor))
    found = await owner.get(CORRIDORS)
    assert [(item["id"], item["floor"]) for item in found] == [("c_1", 2)]


@rules("http-6-corridor-5 no check that the floor is below the ceiling")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    await owner.put(CORRIDORS, owner.scoped(kpi_name="visits", floor=9, ceiling=1))


@rules("domain-4-key-1 no uniqueness on the name of a definition")
async def _(owner: Caller) -> None:
    for _ in range(2):
        await owner.post(DEFINITIONS, owner.scoped(name="visits"))
    assert [item["name"] for item in await owner.get(DEFINITIONS)] == ["visits", "visits"]


@rules("domain-4-key-2 a definition's id given again replaces it")
async def _(owner: Caller) -> None:
    for name in ("visits", "sales"):
        await owner.post(DEFINITIONS, owner.scoped(id="d_1", name=name))
    assert [item["name"] for item in await owner.get(DEFINITIONS)] == ["sales"]


@rules("domain-4-key-3 one id in two tenants and two envs is three records")
async def _(owner: Caller) -> None:
    everyone = (owner, owner.within("prod"), await owner.neighbour())
    for number, caller in enumerate(everyone):
        await caller.post(DEFINITIONS, caller.scoped(id="d_same", name=str(number)))
    for number, caller in enumerate(everyone):
        assert [item["name"] for item in await caller.get(DEFINITIONS)] == [str(number)]


@rules("domain-4-key-4 a corridor need not refer to a definition")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    await owner.put(CORRIDORS, owner.scoped(kpi_name="never defined"))


@rules("domain-4-list-1 the surface filter is exact and hides records without surface")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    for surface in ("squared", "Squared", None):
        await owner.post(DEFINITIONS, owner.scoped(name=str(surface), surface=surface))
        await owner.put(CORRIDORS, owner.scoped(kpi_name=str(surface), surface=surface))
    assert [item["name"] for item in await owner.get(f"{DEFINITIONS}?surface=squared")] == ["squared"]
    assert [item["kpi_name"] for item in await owner.get(f"{CORRIDORS}?surface=squared")] == ["squared"]
    assert len(await owner.get(DEFINITIONS)) == len(await owner.get(CORRIDORS)) == 3


@rules("http-6-config-1 both lists, filtered by surface, to any member")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    definition = await owner.post(DEFINITIONS, owner.scoped(name="visits", surface="squared"))
    corridor = await owner.put(CORRIDORS, owner.scoped(kpi_name="visits", surface="squared"))
    viewer = owner.having("viewer")
    expected = {"definitions": [definition], "corridors": [corridor]}
    assert await viewer.get("/kpi/config") == expected
    assert await viewer.get("/kpi/config?surface=squared") == expected
    assert await viewer.get("/kpi/config?surface=round") == {"definitions": [], "corridors": []}


@rules("http-6-config-2 a tenant without KPI has two empty lists")
async def _(owner: Caller) -> None:
    assert await owner.get("/kpi/config") == {"definitions": [], "corridors": []}


@rules("http-6-list-1 any member lists; another env is empty")
async def _(owner: Caller) -> None:
    definition = await owner.post(DEFINITIONS, owner.scoped(name="visits"))
    assert await owner.having("viewer").get(DEFINITIONS) == [definition]
    assert await owner.within("prod").get(DEFINITIONS) == []


@rules.table()
async def test_rule(scenario: Scenario, owner: Caller) -> None:
    await scenario(owner)

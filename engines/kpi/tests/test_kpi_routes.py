"""Routes under /kpi."""

import json
from typing import Any

import httpx
import pytest

from engines.common.documents import Scope, StoreUnavailable
from engines.common.identity import Role
from engines.kpi.models import KPI_CORRIDORS, KPI_DEFINITIONS
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import Login, MemoryKit, running
from tests.support.faults import FaultyStore
from tests.support.records import login_as, stored_fields

DEFINITION: dict[str, Any] = {"tenant_id": "t_acme", "env": "dev", "name": "visits"}
CORRIDOR: dict[str, Any] = {"tenant_id": "t_acme", "env": "dev", "kpi_name": "visits"}
WRITES = [("POST", "/kpi/definitions", DEFINITION), ("PUT", "/kpi/corridors", CORRIDOR)]
LISTS = ["/kpi/definitions", "/kpi/corridors"]
LOCKED = (409, {"detail": {"error": "strategy_lock_required", "action": "kpi:corridor_upsert"}})
INSUFFICIENT = (403, {"detail": "insufficient role for tenant"})

each_write = pytest.mark.parametrize(("method", "path", "body"), WRITES, ids=["definition", "corridor"])


@pytest.fixture
def owner(kit: MemoryKit) -> Login:
    return login_as(kit, "owner")


async def call(
    kit: MemoryKit, who: Login, method: str, path: str, body: Any = None, env: str = "dev"
) -> httpx.Response:
    # Escaped by json.dumps, and NaN as it is: the client would refuse to send either.
    how: dict[str, Any] = {} if body is None else {"content": json.dumps(body)}
    headers = who.headers(env) | {"Content-Type": "application/json"}
    return await kit.client.request(method, path, headers=headers, **how)


async def read(kit: MemoryKit, who: Login, path: str, env: str = "dev") -> Any:
    return (await call(kit, who, "GET", path, env=env)).raise_for_status().json()


def answered(answer: httpx.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json()


async def approve(
    kit: MemoryKit, owner: Login, *actions: str, surface: str | None = None, env: str = "dev"
) -> None:
    """An approved lock for the actions; no action means all."""
    body = {"scope": "other", "title": "t", "allowed_actions": actions or ["*"], "surface": surface}
    lock = (await call(kit, owner, "POST", "/strategy-locks", body, env)).raise_for_status().json()
    await call(kit, owner, "POST", f"/strategy-locks/{lock['id']}/approve", env=env)


async def test_a_definition_is_stored_and_shown_in_the_contracts_shape(kit: MemoryKit, owner: Login) -> None:
    given = DEFINITION | {"id": "d_1", "surface": "squared", "description": "d", "unit": "n"}
    stored = (await call(kit, owner, "POST", "/kpi/definitions", given)).json()
    moment = "2026-01-15T12:00:00Z"
    assert stored == given | {"created_at": moment, "updated_at": moment}
    names = ["id", "tenant_id", "env", "surface", "name", "description", "unit", "created_at", "updated_at"]
    assert list(stored) == names
    assert await read(kit, owner, "/kpi/definitions") == [stored]


async def test_a_corridor_is_stored_and_shown_in_the_contracts_shape(kit: MemoryKit, owner: Login) -> None:
    await approve(kit, owner)
    limits = {"floor": 1, "ceiling": 2.5, "cadence_floor": "3", "cadence_ceiling": None}
    stored = (await call(kit, owner, "PUT", "/kpi/corridors", CORRIDOR | limits)).json()
    assert [stored[name] for name in limits] == [1.0, 2.5, 3.0, None]
    assert list(stored) == [
        *("id", "tenant_id", "env", "surface", "kpi_name", *limits, "created_at", "updated_at")
    ]
    assert len(stored["id"]) == 32
    assert await read(kit, owner, "/kpi/corridors") == [stored]


@each_write
@pytest.mark.parametrize(
    ("role", "status"), [("owner", 200), ("admin", 200), ("member", 403), ("viewer", 403)]
)
async def test_owners_and_admins_write_everybody_reads(
    kit: MemoryKit, owner: Login, method: str, path: str, body: dict[str, Any], role: Role, status: int
) -> None:
    await approve(kit, owner)
    who = login_as(kit, role)
    assert (await call(kit, who, method, path, body)).status_code == status
    assert len(await read(kit, who, path)) == (status == 200)
    await read(kit, who, "/kpi/config")


@each_write
async def test_the_role_is_looked_at_before_the_body_and_the_body_before_the_lock(
    kit: MemoryKit, owner: Login, method: str, path: str, body: dict[str, Any]
) -> None:
    foreign = body | {"tenant_id": "t_globex"}
    assert answered(await call(kit, login_as(kit, "member"), method, path, foreign)) == INSUFFICIENT
    mismatch = (400, {"detail": "tenant_id mismatch with request context"})
    assert answered(await call(kit, owner, method, path, foreign)) == mismatch
    mismatch = (400, {"detail": "env mismatch with request context"})
    assert answered(await call(kit, owner, method, path, body | {"env": "qa"})) == mismatch


async def test_a_corridor_needs_a_lock_of_its_surface_and_a_definition_none(
    kit: MemoryKit, owner: Login
) -> None:
    await approve(kit, owner, "kpi:*", "temperature:upsert_floors")
    body = CORRIDOR | {"surface": "squared"}
    assert answered(await call(kit, owner, "PUT", "/kpi/corridors", body)) == LOCKED
    assert await read(kit, owner, "/kpi/corridors") == []
    await approve(kit, owner, "kpi:corridor_upsert", surface="squared")
    assert (await call(kit, owner, "PUT", "/kpi/corridors", body)).status_code == 200
    assert (await call(kit, owner, "POST", "/kpi/definitions", DEFINITION)).status_code == 200


@pytest.mark.parametrize("limit", ["floor", "ceiling", "cadence_floor", "cadence_ceiling"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, "NaN", "1e999", "low", {}], ids=repr)
async def test_a_limit_that_is_no_finite_number_is_422(
    kit: MemoryKit, owner: Login, limit: str, value: Any
) -> None:
    await approve(kit, owner)
    assert (await call(kit, owner, "PUT", "/kpi/corridors", CORRIDOR | {limit: value})).status_code == 422
    assert await stored_fields(kit.store, KPI_CORRIDORS) == []


@pytest.mark.parametrize("change", [{"id": "a/b"}, {"name": "\ud800"}, {"name": None}, {"env": 7}], ids=str)
async def test_a_definition_that_no_store_can_hold_is_422(
    kit: MemoryKit, owner: Login, change: dict[str, Any]
) -> None:
    assert (await call(kit, owner, "POST", "/kpi/definitions", DEFINITION | change)).status_code == 422


@each_write
async def test_an_id_given_again_replaces_the_record_and_keeps_its_age(
    kit: MemoryKit, owner: Login, method: str, path: str, body: dict[str, Any]
) -> None:
    await approve(kit, owner)
    first = (await call(kit, owner, method, path, body | {"id": "x", "surface": "squared"})).json()
    kit.clock.advance(hours=1)
    second = (await call(kit, owner, method, path, body | {"id": "x"})).json()
    assert second == first | {"surface": None, "updated_at": "2026-01-15T13:00:00Z"}
    assert await read(kit, owner, path) == [second]


@each_write
async def test_one_id_in_two_tenants_and_two_envs_is_three_records(
    kit: MemoryKit, owner: Login, method: str, path: str, body: dict[str, Any]
) -> None:
    other = login_as(kit, "owner", "t_globex")
    for who, env in ((owner, "dev"), (owner, "staging"), (other, "dev")):
        await approve(kit, who, env=env)
        own = body | {"id": "x", "tenant_id": who.tenant_id, "env": env, "surface": f"{who.tenant_id} {env}"}
        assert (await call(kit, who, method, path, own, env)).status_code == 200
    for who, env in ((owner, "dev"), (owner, "staging"), (other, "dev")):
        assert [item["surface"] for item in await read(kit, who, path, env)] == [f"{who.tenant_id} {env}"]


async def test_lists_are_in_the_order_of_creation(kit: MemoryKit, owner: Login) -> None:
    for name in ("c", "a", "b"):
        await call(kit, owner, "POST", "/kpi/definitions", DEFINITION | {"name": name})
    kit.clock.advance(days=-1)
    await call(kit, owner, "POST", "/kpi/definitions", DEFINITION | {"name": "older"})
    names = [item["name"] for item in await read(kit, owner, "/kpi/definitions")]
    assert names == ["older", "c", "a", "b"]


async def test_config_holds_both_lists_of_the_surface(kit: MemoryKit, owner: Login) -> None:
    await approve(kit, owner)
    definition = await call(kit, owner, "POST", "/kpi/definitions", DEFINITION | {"surface": "squared"})
    await call(kit, owner, "PUT", "/kpi/corridors", CORRIDOR | {"surface": "round"})
    found = await read(kit, owner, "/kpi/config?surface=squared")
    assert list(found.items()) == [("definitions", [definition.json()]), ("corridors", [])]
    assert len((await read(kit, owner, "/kpi/config"))["corridors"]) == 1


async def test_corridor_names_are_those_of_the_surface(kit: MemoryKit, owner: Login) -> None:
    await approve(kit, owner)
    for name, surface in (("b", "squared"), ("a", "squared"), ("b", "squared"), ("c", "round"), ("d", None)):
        await call(kit, owner, "PUT", "/kpi/corridors", CORRIDOR | {"kpi_name": name, "surface": surface})
    assert await kit.services.kpi.corridor_names(Scope("t_acme", "dev"), "squared") == ["b", "a", "b"]


@pytest.mark.parametrize("path", [*LISTS, "/kpi/config"])
async def test_an_outage_is_503_and_never_an_empty_list(path: str) -> None:
    store = FaultyStore(MemoryDocumentStore())
    async with running(MemoryKit(store=store)) as kit:
        store.faults["scan"] = StoreUnavailable("memory: away")
        assert (await call(kit, login_as(kit, "viewer"), "GET", path)).status_code == 503


def test_records_are_keyed_by_tenant_env_and_id() -> None:
    assert (KPI_DEFINITIONS.name, KPI_CORRIDORS.name) == ("kpi_definitions", "kpi_corridors")
    assert KPI_DEFINITIONS.id_template == KPI_CORRIDORS.id_template == "{tenant}__{env}__{key}"


@each_write
async def test_gap_without_an_id_each_call_adds_a_record_of_the_same_name(
    kit: MemoryKit, owner: Login, method: str, path: str, body: dict[str, Any]
) -> None:
    await approve(kit, owner)
    for _ in range(2):
        await call(kit, owner, method, path, body)
    assert len({item["id"] for item in await read(kit, owner, path)}) == 2


@pytest.mark.parametrize("path", LISTS)
async def test_gap_a_surface_filter_hides_records_without_one(
    kit: MemoryKit, owner: Login, path: str
) -> None:
    await approve(kit, owner)
    for surface in ("squared", "Squared", None):
        await call(kit, owner, "POST", "/kpi/definitions", DEFINITION | {"surface": surface})
        await call(kit, owner, "PUT", "/kpi/corridors", CORRIDOR | {"surface": surface})
    assert [item["surface"] for item in await read(kit, owner, f"{path}?surface=squared")] == ["squared"]
    assert len(await read(kit, owner, path)) == 3


async def test_gap_a_corridor_may_be_upside_down_and_name_nothing(kit: MemoryKit, owner: Login) -> None:
    await approve(kit, owner)
    body = CORRIDOR | {"kpi_name": "never defined", "floor": 9, "ceiling": 1}
    assert (await call(kit, owner, "PUT", "/kpi/corridors", body)).status_code == 200


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_gap_a_record_has_no_route_of_its_own(
    kit: MemoryKit, owner: Login, method: str, path: str
) -> None:
    assert (await call(kit, owner, method, f"{path}/x")).status_code == 404

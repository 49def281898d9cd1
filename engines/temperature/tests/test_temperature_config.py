"""PUT floors, ceilings and weights, and GET config."""

import json
from typing import Any

import httpx
import pytest

from engines.common.documents import Address, Scope
from engines.common.identity import Role
from engines.temperature import models
from tests.support.app import Login, MemoryKit
from tests.support.records import login_as, stored_fields

BODY: dict[str, Any] = {"tenant_id": "t_acme", "env": "dev", "surface": "squared"}
CONFIGS: dict[str, tuple[Address, list[str]]] = {
    "floors": (models.TEMPERATURE_FLOORS, ["performance_floors", "cadence_floors"]),
    "ceilings": (models.TEMPERATURE_CEILINGS, ["ceilings"]),
    "weights": (models.TEMPERATURE_WEIGHTS, ["weights"]),
}
EMPTY = {"floors": None, "ceilings": None, "weights": None}

each = pytest.mark.parametrize("name", CONFIGS)
each_limit = pytest.mark.parametrize(
    ("name", "limit"), [(name, limit) for name, (_, limits) in CONFIGS.items() for limit in limits]
)


@pytest.fixture
def owner(kit: MemoryKit) -> Login:
    return login_as(kit, "owner")


async def put(kit: MemoryKit, who: Login, name: str, body: Any, env: str = "dev") -> httpx.Response:
    # NaN and text that is no Unicode go over the wire as json.dumps writes them.
    headers = who.headers(env) | {"Content-Type": "application/json"}
    return await kit.client.put(f"/temperature/{name}", content=json.dumps(body), headers=headers)


async def read(kit: MemoryKit, who: Login, surface: str = "squared", env: str = "dev") -> Any:
    query = {"surface": surface}
    return (await kit.client.get("/temperature/config", params=query, headers=who.headers(env))).json()


async def approve(kit: MemoryKit, owner: Login, action: str = "*", surface: str | None = None) -> None:
    body = {"scope": "other", "title": "t", "allowed_actions": [action], "surface": surface}
    lock = (await kit.client.post("/strategy-locks", json=body, headers=owner.headers())).json()
    await kit.client.post(f"/strategy-locks/{lock['id']}/approve", headers=owner.headers())


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("floors", {"performance_floors": {"a": 1.5}, "cadence_floors": {"b": -2.0}, "metadata": {"k": [1]}}),
        ("ceilings", {"ceilings": {"a.b c": 1e300}, "metadata": {"k": {"deep": None}}}),
        ("weights", {"weights": {"a": 0.0}, "source": "llm_tuned"}),
    ],
)
async def test_a_configuration_is_stored_and_shown_in_the_contracts_shape(
    kit: MemoryKit, owner: Login, name: str, given: dict[str, Any]
) -> None:
    await approve(kit, owner)
    stored = (await put(kit, owner, name, BODY | given)).json()
    moment = "2026-01-15T12:00:00Z"
    times = {"created_at": moment, "updated_at": moment}
    assert list(stored.items()) == list(({"id": stored["id"]} | BODY | given | times).items())
    assert len(stored["id"]) == 32
    assert await read(kit, login_as(kit, "viewer")) == EMPTY | {name: stored}


@each
async def test_limits_default_to_none_set(kit: MemoryKit, owner: Login, name: str) -> None:
    await approve(kit, owner)
    stored = (await put(kit, owner, name, BODY)).json()
    assert [stored[limit] for limit in CONFIGS[name][1]] == [{}] * len(CONFIGS[name][1])
    assert stored.get("source", "system_default") == "system_default"


@each
async def test_an_upsert_replaces_the_whole_record(kit: MemoryKit, owner: Login, name: str) -> None:
    await approve(kit, owner)
    first = (await put(kit, owner, name, BODY | {CONFIGS[name][1][0]: {"a": 1}, "metadata": {"k": 1}})).json()
    kit.clock.advance(hours=1)
    second = (await put(kit, owner, name, BODY)).json()
    assert (second["id"] != first["id"], second["created_at"]) == (True, "2026-01-15T13:00:00Z")
    assert second[CONFIGS[name][1][0]] == {}
    assert (await read(kit, owner))[name] == second
    assert len(await stored_fields(kit.store, CONFIGS[name][0])) == 1


@each
async def test_an_id_and_a_creation_time_may_be_sent(kit: MemoryKit, owner: Login, name: str) -> None:
    await approve(kit, owner)
    sent = {"id": "any/text", "created_at": "2020-01-01T02:00:00+02:00", "updated_at": "2020-01-01T00:00:00Z"}
    stored = (await put(kit, owner, name, BODY | sent)).json()
    assert [stored[key] for key in sent] == ["any/text", "2020-01-01T00:00:00Z", "2026-01-15T12:00:00Z"]


@each
async def test_body_match_then_role_then_lock(kit: MemoryKit, owner: Login, name: str) -> None:
    member = login_as(kit, "member")
    answers = [
        await put(kit, member, name, BODY | {"tenant_id": "t_globex"}),
        await put(kit, member, name, BODY | {"env": "prod"}),
        await put(kit, member, name, BODY),
        await put(kit, owner, name, BODY),
    ]
    refusal = {"error": "strategy_lock_required", "action": f"temperature:upsert_{name}"}
    assert [(answer.status_code, answer.json()["detail"]) for answer in answers] == [
        (400, "tenant_id mismatch with request context"),
        (400, "env mismatch with request context"),
        (403, "insufficient role for tenant"),
        (409, refusal),
    ]
    assert await read(kit, owner) == EMPTY


@each
@pytest.mark.parametrize(
    ("role", "status"), [("owner", 200), ("admin", 200), ("member", 403), ("viewer", 403)]
)
async def test_owners_and_admins_write(
    kit: MemoryKit, owner: Login, name: str, role: Role, status: int
) -> None:
    await approve(kit, owner, f"temperature:upsert_{name}", "squared")
    assert (await put(kit, login_as(kit, role), name, BODY)).status_code == status


@each
async def test_a_lock_for_another_action_does_not_do(kit: MemoryKit, owner: Login, name: str) -> None:
    for other in {"temperature:*", *(f"temperature:upsert_{other}" for other in CONFIGS if other != name)}:
        await approve(kit, owner, other)
    assert (await put(kit, owner, name, BODY)).status_code == 409


@each_limit
@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), -float("inf"), 10**400, "NaN", "1e999", "much", None, {}], ids=repr
)
async def test_a_limit_that_is_no_finite_number_is_422(
    kit: MemoryKit, owner: Login, name: str, limit: str, value: Any
) -> None:
    await approve(kit, owner)
    assert (await put(kit, owner, name, BODY | {limit: {"a": 1, "b": value}})).status_code == 422
    assert await read(kit, owner) == EMPTY


@each_limit
@pytest.mark.parametrize("key", ["", "__x__", "\ud800"], ids=ascii)
async def test_a_metric_name_that_no_document_can_hold_is_422(
    kit: MemoryKit, owner: Login, name: str, limit: str, key: str
) -> None:
    await approve(kit, owner)
    assert (await put(kit, owner, name, BODY | {limit: {key: 1}})).status_code == 422


@each
@pytest.mark.parametrize(
    "change",
    [
        {"surface": None},
        {"surface": "\ud800"},
        {"created_at": "2026-01-01T00:00:00"},
        {"created_at": "0001-01-01T00:00:00+14:00"},
        {"source": "guess", "metadata": []},
        {"source": "guess", "metadata": {"a": [float("nan")]}},
    ],
    ids=ascii,
)
async def test_a_body_of_another_shape_is_422(
    kit: MemoryKit, owner: Login, name: str, change: dict[str, Any]
) -> None:
    await approve(kit, owner)
    assert (await put(kit, owner, name, BODY | change)).status_code == 422
    assert await read(kit, owner) == EMPTY


@pytest.mark.parametrize(
    "surface", ["", "a/b", "__x__", "grüße 🚀", "x" * 2000, "dev__squared", ".."], ids=ascii
)
async def test_any_text_is_a_surface_and_none_is_another(kit: MemoryKit, owner: Login, surface: str) -> None:
    await approve(kit, owner)
    stored = (await put(kit, owner, "weights", BODY | {"surface": surface, "weights": {"a": 1}})).json()
    assert (await read(kit, owner, surface))["weights"] == stored
    assert await read(kit, owner, "squared") == EMPTY


async def test_tenants_and_envs_are_apart(kit: MemoryKit, owner: Login) -> None:
    await approve(kit, owner)
    await put(kit, owner, "floors", BODY)
    assert await read(kit, owner, env="staging") == EMPTY
    assert await read(kit, login_as(kit, "owner", "t_globex")) == EMPTY


async def test_no_tenant_can_spell_anothers_record(kit: MemoryKit) -> None:
    ids = set()
    for scope in (Scope("t_a", "dev"), Scope("t_a__dev", "dev"), Scope("t_a", "staging")):
        for surface in ("squared", "dev__squared"):
            names = {"tenant": scope.tenant_id, "env": scope.env, "key": models.surface_key(surface)}
            ids.add(models.TEMPERATURE_FLOORS.id_template.format(**names))
    assert len(ids) == 6

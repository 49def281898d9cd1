"""Routes under /strategy-locks."""

from typing import Any

import httpx
import pytest

from engines.common.documents import KeyTaken, StoreUnavailable
from engines.common.identity import Role
from engines.storage.memory import MemoryDocumentStore
from engines.strategy_lock.models import STRATEGY_LOCKS
from tests.support.app import UNKNOWN_OUTCOME, Login, MemoryKit, running
from tests.support.faults import FaultyStore
from tests.support.records import PERSON, login_as, stored_fields

PATH = "/strategy-locks"
BODY: dict[str, Any] = {"scope": "budget", "title": "spend less"}
FULL: dict[str, Any] = BODY | {
    "surface": "squared",
    "description": "until spring",
    "constraints": {"max": 1.5, "nested": {"deep": [None, True]}},
    "allowed_actions": ["*", "x"],
    "three_wise_id": "w_1",
    "valid_from": "2026-02-01T00:00:00Z",
    "valid_until": "2026-03-01T01:00:00+01:00",
}
NOT_FOUND = (404, {"detail": "strategy_lock_not_found"})
INSUFFICIENT = (403, {"detail": "insufficient role for tenant"})
ROLES: list[Role] = ["owner", "admin", "member", "viewer"]


async def call(
    kit: MemoryKit, who: Login, method: str, path: str = "", body: Any = None, env: str = "dev", **query: str
) -> httpx.Response:
    how: dict[str, Any] = {} if body is None else {"json": body}
    return await kit.client.request(method, PATH + path, headers=who.headers(env), params=query, **how)


async def created(kit: MemoryKit, who: Login, body: dict[str, Any] | None = None, env: str = "dev") -> Any:
    return (await call(kit, who, "POST", body=BODY | (body or {}), env=env)).raise_for_status().json()


def answered(answer: httpx.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json()


async def test_a_lock_is_created_as_a_draft_with_the_contracts_defaults(kit: MemoryKit) -> None:
    lock = await created(kit, login_as(kit, "owner"))
    assert list(lock.items()) == [
        ("id", lock["id"]),
        ("tenant_id", "t_acme"),
        ("env", "dev"),
        ("surface", None),
        ("scope", "budget"),
        ("title", "spend less"),
        ("description", None),
        ("constraints", {}),
        ("allowed_actions", []),
        ("three_wise_id", None),
        ("created_by_user_id", PERSON),
        ("approved_by_user_id", None),
        ("status", "draft"),
        ("valid_from", "2026-01-15T12:00:00Z"),
        ("valid_until", None),
        ("created_at", "2026-01-15T12:00:00Z"),
        ("updated_at", "2026-01-15T12:00:00Z"),
    ]
    assert len(lock["id"]) == 32
    assert int(lock["id"], 16) >= 0


async def test_every_field_is_kept_and_times_are_in_utc(kit: MemoryKit) -> None:
    owner = login_as(kit, "owner")
    lock = await created(kit, owner, FULL)
    given = FULL | {"valid_until": "2026-03-01T00:00:00Z"}
    assert {name: lock[name] for name in given} == given
    assert (await call(kit, owner, "GET", f"/{lock['id']}")).json() == lock
    [stored] = await stored_fields(kit.store, STRATEGY_LOCKS)
    assert stored.keys() == lock.keys()


@pytest.mark.parametrize("name", ["id", "status", "approved_by_user_id", "created_by_user_id", "created_at"])
async def test_what_the_server_sets_cannot_be_sent(kit: MemoryKit, name: str) -> None:
    sent = {name: "approved" if name == "status" else "2020-01-01T00:00:00Z"}
    assert (await created(kit, login_as(kit, "owner"), sent))[name] != sent[name]


@pytest.mark.parametrize(
    "scope", ["campaign", "budget", "kpi_corridor", "code_deploy", "app_toggle", "other"]
)
async def test_scopes_are_those_of_the_contract(kit: MemoryKit, scope: str) -> None:
    assert (await created(kit, login_as(kit, "owner"), {"scope": scope}))["scope"] == scope


@pytest.mark.parametrize(
    "wrong",
    [
        {"scope": None},
        {"scope": "Budget"},
        {"title": None},
        {"title": 7},
        {"allowed_actions": "x"},
        {"allowed_actions": [None]},
        {"constraints": []},
        {"constraints": None},
        {"constraints": {"__x__": 1}},
        {"constraints": {"a": 2**63}},
        {"valid_from": "2026-02-01T00:00:00"},
        {"valid_until": "2026-02-01T00:00:00"},
        {"valid_until": "2026-02-01"},
        {"valid_until": "soon"},
        {"valid_until": "9999-12-31T23:59:59-01:00"},
        {"valid_from": "0001-01-01T00:00:00+01:00"},
    ],
    ids=repr,
)
async def test_a_body_of_another_shape_is_422_and_stores_nothing(
    kit: MemoryKit, wrong: dict[str, Any]
) -> None:
    owner = login_as(kit, "owner")
    assert (await call(kit, owner, "POST", body=BODY | wrong)).status_code == 422
    assert answered(await call(kit, owner, "GET")) == (200, [])


async def test_a_patch_with_a_time_without_timezone_is_422_and_changes_nothing(kit: MemoryKit) -> None:
    owner = login_as(kit, "owner")
    lock = await created(kit, owner)
    patch = {"title": "other", "valid_until": "2026-02-01T00:00:00"}
    assert (await call(kit, owner, "PATCH", f"/{lock['id']}", patch)).status_code == 422
    assert (await call(kit, owner, "GET", f"/{lock['id']}")).json() == lock


async def test_a_token_without_a_user_creates_nothing(kit: MemoryKit) -> None:
    nobody = login_as(kit, "owner", user_id="")
    expected = (400, {"detail": "user_id required for strategy lock creation"})
    assert answered(await call(kit, nobody, "POST", body=BODY)) == expected
    assert answered(await call(kit, nobody, "GET")) == (200, [])


async def test_locks_are_listed_oldest_first_and_by_status_surface_and_scope(kit: MemoryKit) -> None:
    owner = login_as(kit, "owner")
    ids = []
    for surface, scope in [("a", "budget"), ("b", "budget"), ("a", "other"), (None, "other")]:
        ids.append((await created(kit, owner, {"surface": surface, "scope": scope}))["id"])
        kit.clock.advance(seconds=1)
    await call(kit, owner, "POST", f"/{ids[1]}/approve")
    await call(kit, owner, "POST", f"/{ids[2]}/reject")
    expected: dict[tuple[str, ...], list[int]] = {
        (): [0, 1, 2, 3],
        ("status=draft",): [0, 3],
        ("status=approved",): [1],
        ("status=rejected",): [2],
        ("status=expired",): [],
        ("surface=a",): [0, 2],
        ("surface=A",): [],
        ("scope=other",): [2, 3],
        ("scope=no such",): [],
        ("surface=a", "scope=other"): [2],
        ("status=draft", "surface=a", "scope=budget"): [0],
    }
    for query, numbers in expected.items():
        found = await call(kit, owner, "GET", **dict(part.split("=") for part in query))
        assert [lock["id"] for lock in found.json()] == [ids[number] for number in numbers], query


async def test_locks_of_the_same_moment_are_listed_by_id(kit: MemoryKit) -> None:
    owner = login_as(kit, "owner")
    ids = [(await created(kit, owner))["id"] for _ in range(5)]
    assert [lock["id"] for lock in (await call(kit, owner, "GET")).json()] == sorted(ids)


async def test_an_unknown_status_in_the_query_is_422(kit: MemoryKit) -> None:
    assert (await call(kit, login_as(kit, "owner"), "GET", status="open")).status_code == 422


async def test_a_patch_changes_what_it_names_and_moves_updated_at(kit: MemoryKit) -> None:
    owner = login_as(kit, "owner")
    lock = await created(kit, owner, FULL)
    kit.clock.advance(minutes=1)
    patch = {
        "title": "new",
        "description": "",
        "constraints": {},
        "allowed_actions": [],
        "three_wise_id": "w_2",
        "valid_until": "2027-01-01T00:00:00Z",
    }
    answer = await call(kit, owner, "PATCH", f"/{lock['id']}", patch)
    assert answered(answer) == (200, lock | patch | {"updated_at": "2026-01-15T12:01:00Z"})
    assert (await call(kit, owner, "GET", f"/{lock['id']}")).json() == answer.json()


@pytest.mark.parametrize(
    "patch",
    [
        {},
        {"scope": "other"},
        {"surface": "b"},
        {"status": "approved"},
        {"valid_from": "2020-01-01T00:00:00Z"},
    ],
    ids=repr,
)
async def test_a_patch_cannot_change_other_fields(kit: MemoryKit, patch: dict[str, Any]) -> None:
    owner = login_as(kit, "owner")
    lock = await created(kit, owner, FULL)
    assert answered(await call(kit, owner, "PATCH", f"/{lock['id']}", patch)) == (200, lock)


@pytest.mark.parametrize(("verb", "status"), [("approve", "approved"), ("reject", "rejected")])
async def test_a_judgement_sets_status_and_judge_and_moves_updated_at(
    kit: MemoryKit, verb: str, status: str
) -> None:
    lock = await created(kit, login_as(kit, "owner", user_id="u_other"))
    kit.clock.advance(minutes=1)
    answer = await call(kit, login_as(kit, "admin"), "POST", f"/{lock['id']}/{verb}")
    changed = {"status": status, "approved_by_user_id": PERSON, "updated_at": "2026-01-15T12:01:00Z"}
    assert answered(answer) == (200, lock | changed)


@pytest.mark.parametrize("role", ROLES)
async def test_roles_are_those_of_the_contract(kit: MemoryKit, role: Role) -> None:
    lock, who = await created(kit, login_as(kit, "owner")), login_as(kit, role)
    one = f"/{lock['id']}"
    for method, path, body in [("POST", "", BODY), ("GET", "", None), ("GET", one, None)]:
        assert (await call(kit, who, method, path, body)).status_code == 200
    guarded = [
        ("PATCH", one, {"title": "t"}),
        ("POST", f"{one}/approve", None),
        ("POST", f"{one}/reject", None),
    ]
    for method, path, body in guarded:
        answer = await call(kit, who, method, path, body)
        if role in ("owner", "admin"):
            assert answer.status_code == 200
        else:
            assert answered(answer) == INSUFFICIENT


async def test_the_shape_of_a_patch_is_judged_before_the_role(kit: MemoryKit) -> None:
    answer = await call(kit, login_as(kit, "viewer"), "PATCH", "/x", {"title": 7})
    assert answer.status_code == 422


ON_ONE_LOCK = [
    ("GET", "", None),
    ("PATCH", "", {"title": "t"}),
    ("POST", "/approve", None),
    ("POST", "/reject", None),
]


@pytest.mark.parametrize(("method", "verb", "body"), ON_ONE_LOCK)
@pytest.mark.parametrize("lock_id", ["0" * 32, "__x__", "x" * 1501, "..."])
async def test_an_unknown_lock_is_404(
    kit: MemoryKit, lock_id: str, method: str, verb: str, body: Any
) -> None:
    answer = await call(kit, login_as(kit, "owner"), method, f"/{lock_id}{verb}", body)
    assert answered(answer) == NOT_FOUND


@pytest.mark.parametrize(("method", "verb", "body"), ON_ONE_LOCK)
@pytest.mark.parametrize(("tenant", "env"), [("t_globex", "dev"), ("t_acme", "staging")])
async def test_another_scopes_lock_is_404_whatever_the_store_says_of_a_foreign_change(
    tenant: str, env: str, method: str, verb: str, body: Any
) -> None:
    store = FaultyStore(MemoryDocumentStore())
    async with running(MemoryKit(store=store)) as kit:
        lock = await created(kit, login_as(kit, "owner"))
        store.faults[f"mutate {STRATEGY_LOCKS.name}"] = KeyTaken("the id is taken")
        intruder = login_as(kit, "owner", tenant)
        assert answered(await call(kit, intruder, method, f"/{lock['id']}{verb}", body, env)) == NOT_FOUND
        assert answered(await call(kit, intruder, "GET", env=env)) == (200, [])
        assert (await call(kit, login_as(kit, "owner"), "GET")).json() == [lock]


async def test_the_bodys_tenant_and_env_are_not_looked_at_beside_the_headers(kit: MemoryKit) -> None:
    lock = await created(kit, login_as(kit, "owner"), {"tenant_id": "t_globex", "env": "prod"})
    assert (lock["tenant_id"], lock["env"]) == ("t_acme", "dev")


async def test_without_headers_tenant_and_env_come_from_the_body(kit: MemoryKit) -> None:
    token = {"Authorization": f"Bearer {login_as(kit, 'owner').token}"}
    body = BODY | {"tenant_id": "t_acme", "env": "stage"}
    lock = (await kit.client.post(PATH, json=body, headers=token)).json()
    assert (lock["tenant_id"], lock["env"]) == ("t_acme", "staging")


@pytest.mark.parametrize("operation", ["put_all", "get", "scan"])
async def test_a_store_outage_is_503(operation: str) -> None:
    store = FaultyStore(MemoryDocumentStore())
    async with running(MemoryKit(store=store)) as kit:
        store.faults[operation] = StoreUnavailable("memory: away")
        method, path = {"put_all": ("POST", ""), "get": ("GET", "/x"), "scan": ("GET", "")}[operation]
        body = BODY if method == "POST" else None
        answer = await call(kit, login_as(kit, "owner"), method, path, body)
        detail = {"error": "state_store_unavailable", "reason": "memory: away"}
        if method == "POST":
            detail |= UNKNOWN_OUTCOME
        assert answered(answer) == (503, {"detail": detail})

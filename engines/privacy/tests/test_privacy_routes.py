"""Routes under /privacy/train-prefs."""

from typing import Any

import httpx
import pytest

from engines.common.documents import StoreUnavailable
from engines.privacy.models import TENANT_WIDE
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import Login, MemoryKit, running
from tests.support.faults import FaultyStore
from tests.support.records import PERSON, login_as

PATH = "/privacy/train-prefs"
INSUFFICIENT = (403, {"detail": "insufficient role for tenant"})


async def post(kit: MemoryKit, who: Login, path: str, body: Any, env: str = "dev") -> httpx.Response:
    return await kit.client.post(f"{PATH}/{path}", json=body, headers=who.headers(env))


async def get(kit: MemoryKit, who: Login, env: str = "dev", **query: str) -> httpx.Response:
    return await kit.client.get(PATH, params=query, headers=who.headers(env))


def answered(answer: httpx.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json()


def preference(user_id: str | None, opt_out: bool, env: str = "dev") -> dict[str, Any]:
    return {"tenant_id": "t_acme", "env": env, "user_id": user_id, "opt_out": opt_out}


@pytest.mark.parametrize("opt_out", [True, False])
@pytest.mark.parametrize("role", ["owner", "admin", "member"])
async def test_all_but_viewers_set_the_tenants_and_their_own_preference(
    kit: MemoryKit, role: Any, opt_out: bool
) -> None:
    who = login_as(kit, role)
    tenant = await post(kit, who, "tenant", {"opt_out": opt_out})
    user = await post(kit, who, "user", {"opt_out": opt_out, "user_id": PERSON})
    assert answered(tenant) == (200, preference(None, opt_out))
    assert answered(user) == (200, preference(PERSON, opt_out))
    assert list(user.json()) == ["tenant_id", "env", "user_id", "opt_out"]


@pytest.mark.parametrize("path", ["tenant", "user"])
async def test_a_viewer_sets_nothing_but_reads(kit: MemoryKit, path: str) -> None:
    viewer = login_as(kit, "viewer")
    refused = await post(kit, viewer, path, {"opt_out": True, "user_id": PERSON})
    assert answered(refused) == INSUFFICIENT
    expected = {"tenant_id": "t_acme", "env": "dev", "train_ok": True, "preferences": []}
    assert answered(await get(kit, viewer)) == (200, expected)


@pytest.mark.parametrize("user_id", ["u_other", "", PERSON.upper(), TENANT_WIDE])
async def test_another_users_preference_cannot_be_set(kit: MemoryKit, user_id: str) -> None:
    owner = login_as(kit, "owner")
    answer = await post(kit, owner, "user", {"opt_out": True, "user_id": user_id})
    assert answered(answer) == (403, {"detail": "user_id mismatch"})
    assert (await get(kit, owner)).json()["preferences"] == []


async def test_another_users_preference_cannot_be_asked_for(kit: MemoryKit) -> None:
    answer = await get(kit, login_as(kit, "owner"), user_id="u_other")
    assert answered(answer) == (403, {"detail": "user_id mismatch"})


@pytest.mark.parametrize("path", ["tenant", "user"])
@pytest.mark.parametrize(
    ("scope", "message"),
    [
        ({"tenant_id": "t_globex"}, "tenant_id mismatch with request context"),
        ({"env": "prod"}, "env mismatch with request context"),
        ({"env": "qa"}, "env mismatch with request context"),
        ({"tenant_id": "t_globex", "env": "prod"}, "tenant_id mismatch with request context"),
    ],
)
async def test_a_body_of_another_scope_is_400_and_sets_nothing(
    kit: MemoryKit, path: str, scope: dict[str, str], message: str
) -> None:
    owner = login_as(kit, "owner")
    answer = await post(kit, owner, path, {"opt_out": True, "user_id": PERSON} | scope)
    assert answered(answer) == (400, {"detail": message})
    assert (await get(kit, owner)).json()["preferences"] == []


async def test_the_body_is_compared_before_the_user(kit: MemoryKit) -> None:
    body = {"opt_out": True, "user_id": "u_other", "env": "prod"}
    answer = await post(kit, login_as(kit, "owner"), "user", body)
    assert answered(answer) == (400, {"detail": "env mismatch with request context"})


@pytest.mark.parametrize("scope", [{"tenant_id": "t_acme", "env": "Stage"}, {"tenant_id": "", "env": ""}])
async def test_a_body_may_repeat_its_scope_and_stage_is_stored_as_staging(
    kit: MemoryKit, scope: dict[str, str]
) -> None:
    answer = await post(kit, login_as(kit, "owner"), "tenant", {"opt_out": True} | scope, "stage")
    assert answered(answer) == (200, preference(None, opt_out=True, env="staging"))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("tenant", {}),
        ("tenant", {"opt_out": None}),
        ("tenant", {"opt_out": "perhaps"}),
        ("user", {"opt_out": True}),
        ("user", {"user_id": PERSON}),
        ("user", {"opt_out": True, "user_id": 7}),
    ],
)
async def test_a_body_of_another_shape_is_422(kit: MemoryKit, path: str, body: dict[str, Any]) -> None:
    assert (await post(kit, login_as(kit, "owner"), path, body)).status_code == 422


async def test_a_token_whose_subject_spells_the_tenant_wide_key_sets_nothing(kit: MemoryKit) -> None:
    spoof = login_as(kit, "member", user_id=TENANT_WIDE)
    answer = await post(kit, spoof, "user", {"opt_out": False, "user_id": TENANT_WIDE})
    detail = "user_id __tenant is reserved for the tenant-wide preference"
    assert answered(answer) == (422, {"detail": detail})


@pytest.mark.parametrize("query", [{}, {"user_id": PERSON}], ids=["all", "own"])
async def test_eligibility_is_the_callers(kit: MemoryKit, query: dict[str, str]) -> None:
    caller, other = login_as(kit, "owner"), login_as(kit, "owner", user_id="u_other")
    await post(kit, other, "user", {"opt_out": True, "user_id": "u_other"})
    assert (await get(kit, caller, **query)).json()["train_ok"] is True
    await post(kit, caller, "user", {"opt_out": True, "user_id": PERSON})
    answer = await get(kit, caller, **query)
    own = preference(PERSON, opt_out=True)
    assert answer.json()["train_ok"] is False
    assert answer.json()["preferences"] == ([own] if query else [preference("u_other", opt_out=True), own])
    assert list(answer.json()) == ["tenant_id", "env", "train_ok", "preferences"]


async def test_tenants_and_envs_are_apart(kit: MemoryKit, acme: Login, globex: Login) -> None:
    await post(kit, acme, "tenant", {"opt_out": True})
    expected = {"acme dev": (False, 1), "acme staging": (True, 0), "globex dev": (True, 0)}
    found = {}
    for name, who, env in (("acme", acme, "dev"), ("acme", acme, "staging"), ("globex", globex, "dev")):
        answer = (await get(kit, who, env)).json()
        found[f"{name} {env}"] = (answer["train_ok"], len(answer["preferences"]))
    assert found == expected


@pytest.mark.parametrize("operation", ["put", "get", "scan"])
async def test_a_store_outage_is_503_and_never_an_empty_list(operation: str) -> None:
    store = FaultyStore(MemoryDocumentStore())
    async with running(MemoryKit(store=store)) as kit:
        who = login_as(kit, "owner")
        store.faults[operation] = StoreUnavailable("memory: away")
        call = post(kit, who, "tenant", {"opt_out": True}) if operation == "put" else get(kit, who)
        detail = {"error": "state_store_unavailable", "reason": "memory: away"}
        assert answered(await call) == (503, {"detail": detail})


async def test_gap_a_plain_member_switches_the_whole_tenant(kit: MemoryKit) -> None:
    await post(kit, login_as(kit, "member"), "tenant", {"opt_out": True})
    assert (await get(kit, login_as(kit, "viewer", user_id="u_other"))).json()["train_ok"] is False


async def test_gap_every_member_sees_every_users_preference(kit: MemoryKit) -> None:
    await post(kit, login_as(kit, "owner"), "user", {"opt_out": True, "user_id": PERSON})
    seen = (await get(kit, login_as(kit, "viewer", user_id="u_other"))).json()["preferences"]
    assert seen == [preference(PERSON, opt_out=True)]


async def test_gap_a_change_of_preference_emits_no_event(kit: MemoryKit, acme: Login) -> None:
    await post(kit, acme, "tenant", {"opt_out": True})
    assert await kit.sink.latest(acme.tenant_id, "dev") is None

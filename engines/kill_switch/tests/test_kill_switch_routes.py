"""Routes under /kill-switches."""

from typing import Any

import httpx
import pytest

from engines.common.documents import StoreUnavailable
from engines.common.identity import Role
from engines.kill_switch.models import KILL_SWITCHES
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import Login, MemoryKit, running
from tests.support.faults import FaultyStore
from tests.support.records import login_as, stored_events

PATH = "/kill-switches"
ACTION = "safety:kill_switch_update"
INSUFFICIENT = (403, {"detail": "insufficient role for tenant"})
LOCK_REQUIRED = (409, {"detail": {"error": "strategy_lock_required", "action": ACTION}})


async def put(kit: MemoryKit, who: Login, body: Any, env: str = "dev") -> httpx.Response:
    return await kit.client.put(PATH, json=body, headers=who.headers(env))


async def get(kit: MemoryKit, who: Login, env: str = "dev") -> httpx.Response:
    return await kit.client.get(PATH, headers=who.headers(env))


async def unlocked(kit: MemoryKit, env: str = "dev", **values: Any) -> Login:
    """An owner whose tenant has an approved lock for the change, itself changed by ``values``."""
    owner = login_as(kit, "owner")
    body = {"scope": "other", "title": "t", "allowed_actions": [ACTION]} | values
    lock = (await kit.client.post("/strategy-locks", json=body, headers=owner.headers(env))).json()
    approval = await kit.client.post(f"/strategy-locks/{lock['id']}/approve", headers=owner.headers(env))
    approval.raise_for_status()
    return owner


def answered(answer: httpx.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json()


async def test_a_switch_that_was_never_set_is_null(kit: MemoryKit) -> None:
    assert answered(await get(kit, login_as(kit, "owner"))) == (200, None)


async def test_the_first_change_makes_the_switch_with_the_contracts_defaults(kit: MemoryKit) -> None:
    owner = await unlocked(kit)
    answer = await put(kit, owner, {})
    switch = answer.json()
    assert list(switch.items()) == [
        ("id", switch["id"]),
        ("tenant_id", "t_acme"),
        ("env", "dev"),
        ("disable_providers", []),
        ("disable_autonomy", False),
        ("disabled_actions", []),
        ("created_at", "2026-01-15T12:00:00Z"),
        ("updated_at", "2026-01-15T12:00:00Z"),
    ]
    assert len(switch["id"]) == 32
    assert answered(await get(kit, owner)) == (200, switch)


CHANGES = {
    "disable_providers": ["aws"],
    "disable_autonomy": True,
    "disabled_actions": ["Card_Read", "search"],
}


@pytest.mark.parametrize("name", list(CHANGES))
@pytest.mark.parametrize("others", ["absent", "null"])
async def test_a_change_replaces_what_it_names_and_keeps_the_rest(
    kit: MemoryKit, name: str, others: str
) -> None:
    owner = await unlocked(kit)
    before = (await put(kit, owner, CHANGES)).json()
    assert {field: before[field] for field in CHANGES} == CHANGES
    kit.clock.advance(minutes=1)
    new: Any = {"disable_providers": ["gcp"], "disable_autonomy": False, "disabled_actions": []}[name]
    rest = dict.fromkeys(CHANGES) if others == "null" else {}
    answer = await put(kit, owner, rest | {name: new})
    assert answered(answer) == (200, before | {name: new, "updated_at": "2026-01-15T12:01:00Z"})
    assert answered(await get(kit, owner)) == (200, answer.json())


async def test_providers_are_stored_in_lower_case_and_actions_as_they_are(kit: MemoryKit) -> None:
    body = {"disable_providers": ["AWS", "Azure", "gcp", "ÄÖ"], "disabled_actions": ["Search"]}
    switch = (await put(kit, await unlocked(kit), body)).json()
    assert switch["disable_providers"] == ["aws", "azure", "gcp", "äö"]
    assert switch["disabled_actions"] == ["Search"]


async def test_the_document_is_named_as_in_the_existing_engines(kit: MemoryKit) -> None:
    await put(kit, await unlocked(kit), {})
    assert (KILL_SWITCHES.name, KILL_SWITCHES.id_template) == ("kill_switches", "{tenant}_{env}")


@pytest.mark.parametrize(
    "wrong",
    [
        {"disable_providers": "aws"},
        {"disable_providers": [None]},
        {"disable_autonomy": "perhaps"},
        {"disabled_actions": [7]},
        [],
        None,
    ],
    ids=repr,
)
@pytest.mark.parametrize("role", ["owner", "viewer"])
async def test_a_body_of_another_shape_is_422_before_role_and_lock(
    kit: MemoryKit, role: Role, wrong: Any
) -> None:
    assert (await put(kit, login_as(kit, role), wrong)).status_code == 422


@pytest.mark.parametrize("role", ["owner", "admin", "member", "viewer"])
async def test_owners_and_admins_alone_read_and_change_it(kit: MemoryKit, role: Role) -> None:
    await unlocked(kit)
    who = login_as(kit, role)
    for answer in (await put(kit, who, {}), await get(kit, who)):
        if role in ("owner", "admin"):
            assert answer.status_code == 200
        else:
            assert answered(answer) == INSUFFICIENT


async def test_a_change_without_a_lock_is_409_and_changes_nothing(kit: MemoryKit) -> None:
    owner = login_as(kit, "owner")
    assert answered(await put(kit, owner, CHANGES)) == LOCK_REQUIRED
    assert answered(await get(kit, owner)) == (200, None)


async def test_the_role_is_judged_before_the_lock(kit: MemoryKit) -> None:
    assert answered(await put(kit, login_as(kit, "member"), {})) == INSUFFICIENT


@pytest.mark.parametrize(
    ("lock", "status"),
    [
        ({"allowed_actions": ["*"]}, 200),
        ({"allowed_actions": ["safety:*"]}, 409),
        ({"surface": "squared"}, 200),
        ({"valid_until": "2026-01-15T11:59:59Z"}, 409),
    ],
    ids=repr,
)
async def test_the_lock_is_any_that_allows_the_change(
    kit: MemoryKit, lock: dict[str, Any], status: int
) -> None:
    assert (await put(kit, await unlocked(kit, **lock), CHANGES)).status_code == status


async def test_tenants_and_envs_are_apart(kit: MemoryKit) -> None:
    owner = await unlocked(kit)
    await put(kit, owner, CHANGES)
    assert answered(await get(kit, owner, "staging")) == (200, None)
    assert answered(await put(kit, owner, CHANGES, "staging")) == LOCK_REQUIRED
    other = login_as(kit, "owner", "t_globex")
    assert answered(await get(kit, other)) == (200, None)
    assert answered(await put(kit, other, CHANGES)) == LOCK_REQUIRED


@pytest.mark.parametrize("operation", ["scan", "mutate", "get"])
async def test_a_store_outage_is_503(operation: str) -> None:
    store = FaultyStore(MemoryDocumentStore())
    async with running(MemoryKit(store=store)) as kit:
        owner = await unlocked(kit)
        store.faults[operation] = StoreUnavailable("memory: away")
        answer = await (get(kit, owner) if operation == "get" else put(kit, owner, CHANGES))
        detail = {"error": "state_store_unavailable", "reason": "memory: away"}
        assert answered(answer) == (503, {"detail": detail})


async def test_gap_a_change_is_not_audited(kit: MemoryKit) -> None:
    owner = await unlocked(kit)
    before = len(await stored_events(kit.sink))
    answer = await put(kit, owner, CHANGES)
    assert "x-audit-status" not in answer.headers
    assert len(await stored_events(kit.sink)) == before


async def test_gap_a_read_needs_no_lock(kit: MemoryKit) -> None:
    assert (await get(kit, login_as(kit, "admin"))).status_code == 200


async def test_gap_null_means_unchanged_so_only_an_empty_list_clears(kit: MemoryKit) -> None:
    owner = await unlocked(kit)
    await put(kit, owner, CHANGES)
    assert (await put(kit, owner, {"disable_providers": None})).json()["disable_providers"] == ["aws"]
    assert (await put(kit, owner, {"disable_providers": []})).json()["disable_providers"] == []

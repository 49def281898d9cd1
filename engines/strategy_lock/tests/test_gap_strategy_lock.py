"""Oddities of strategy locks that the contract keeps."""

from typing import Any

import pytest

from engines.common.documents import Scope
from engines.common.errors import Conflict
from engines.common.identity import RequestContext
from tests.support.app import MemoryKit
from tests.support.records import PERSON, login_as, stored_events

FULL: dict[str, Any] = {
    "scope": "other",
    "title": "t",
    "description": "d",
    "constraints": {"max": 1},
    "allowed_actions": ["x"],
    "three_wise_id": "w_1",
    "valid_until": "2026-02-01T00:00:00Z",
}


async def post(kit: MemoryKit, path: str = "", body: Any = None, role: Any = "owner") -> Any:
    answer = await kit.client.post(f"/strategy-locks{path}", json=body, headers=login_as(kit, role).headers())
    return answer.raise_for_status().json()


async def patch(kit: MemoryKit, lock_id: str, body: Any) -> Any:
    headers = login_as(kit, "owner").headers()
    answer = await kit.client.patch(f"/strategy-locks/{lock_id}", json=body, headers=headers)
    return answer.raise_for_status().json()


async def opens(kit: MemoryKit, action: str, surface: str | None = None) -> bool:
    asked = RequestContext(tenant_id="t_acme", env="dev", user_id=PERSON)
    try:
        await kit.services.strategy_locks.require(asked, action, surface)
    except Conflict:
        return False
    return True


async def test_gap_a_viewer_may_create_a_lock(kit: MemoryKit) -> None:
    assert (await post(kit, "", FULL, "viewer"))["status"] == "draft"


async def test_gap_the_creator_may_approve_an_own_lock(kit: MemoryKit) -> None:
    lock = await post(kit, f"/{(await post(kit, '', FULL))['id']}/approve")
    assert lock["created_by_user_id"] == lock["approved_by_user_id"] == PERSON


async def test_gap_a_rejection_sets_approved_by(kit: MemoryKit) -> None:
    lock = await post(kit, f"/{(await post(kit, '', FULL))['id']}/reject")
    assert (lock["status"], lock["approved_by_user_id"]) == ("rejected", PERSON)


async def test_gap_no_transition_is_guarded(kit: MemoryKit) -> None:
    lock_id = (await post(kit, "", FULL))["id"]
    verbs = ["reject", "approve", "approve", "reject", "reject", "approve"]
    found = [(await post(kit, f"/{lock_id}/{verb}"))["status"] for verb in verbs]
    assert found == ["rejected", "approved", "approved", "rejected", "rejected", "approved"]
    assert len(await stored_events(kit.sink)) == 1 + len(verbs)


async def test_gap_a_patch_keeps_the_approval_and_may_widen_it(kit: MemoryKit) -> None:
    lock_id = (await post(kit, "", FULL | {"three_wise_id": None}))["id"]
    await post(kit, f"/{lock_id}/approve")
    assert not await opens(kit, "y")
    changed = await patch(kit, lock_id, {"allowed_actions": ["*"], "valid_until": "2099-01-01T00:00:00Z"})
    assert (changed["status"], changed["approved_by_user_id"]) == ("approved", PERSON)
    assert await opens(kit, "y")


async def test_gap_a_patch_is_not_audited(kit: MemoryKit) -> None:
    lock_id = (await post(kit, "", FULL))["id"]
    headers = login_as(kit, "owner").headers()
    answer = await kit.client.patch(f"/strategy-locks/{lock_id}", json={"title": "n"}, headers=headers)
    assert "x-audit-status" not in answer.headers
    [event] = await stored_events(kit.sink)
    assert event.event.metadata["action"] == "strategy_lock.create"


@pytest.mark.parametrize("name", [name for name in FULL if name != "scope"])
async def test_gap_null_in_a_patch_means_unchanged_so_nothing_can_be_cleared(
    kit: MemoryKit, name: str
) -> None:
    lock = await post(kit, "", FULL)
    assert await patch(kit, lock["id"], {name: None}) == lock


async def test_gap_expired_is_never_assigned(kit: MemoryKit) -> None:
    lock_id = (await post(kit, "", FULL | {"three_wise_id": None}))["id"]
    await post(kit, f"/{lock_id}/approve")
    kit.clock.advance(days=60)
    assert not await opens(kit, "x")
    stored = await kit.services.strategy_locks.get(Scope("t_acme", "dev"), lock_id)
    assert stored.status == "approved"


async def test_gap_a_lock_made_for_one_surface_opens_another(kit: MemoryKit) -> None:
    lock_id = (await post(kit, "", FULL | {"three_wise_id": None, "surface": "a"}))["id"]
    await post(kit, f"/{lock_id}/approve")
    assert await opens(kit, "x", "b")


async def test_gap_a_window_may_end_before_it_begins(kit: MemoryKit) -> None:
    lock = await post(kit, "", FULL | {"valid_until": "2020-01-01T00:00:00Z"})
    assert lock["valid_until"] < lock["valid_from"]

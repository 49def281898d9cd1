"""http.md section 3 and domain.md section 1: strategy locks as records, and their life."""

import asyncio

from tests.support.callers import Caller
from tests.support.rules import Rules, Scenario, ago, ahead, ids, when

LOCKS = "/strategy-locks"
NEW = {"scope": "campaign", "title": "spring"}
NOT_FOUND = "strategy_lock_not_found"
FIELDS = {
    *("id", "tenant_id", "env", "surface", "scope", "title", "description", "constraints"),
    *("allowed_actions", "three_wise_id", "created_by_user_id", "approved_by_user_id", "status"),
    *("valid_from", "valid_until", "created_at", "updated_at"),
}

rules = Rules()


@rules("domain-1-model-1 a lock has its fields and defaults")
async def _(owner: Caller) -> None:
    lock = await owner.post(LOCKS, NEW)
    assert set(lock) == FIELDS
    none = ("surface", "description", "three_wise_id", "approved_by_user_id", "valid_until")
    assert {name: lock[name] for name in none} == dict.fromkeys(none)
    assert (lock["constraints"], lock["allowed_actions"], lock["status"]) == ({}, [], "draft")
    assert lock["created_by_user_id"] == owner.user_id
    assert len(lock["id"]) == 32
    assert when(lock["valid_from"]) <= when(lock["created_at"])
    assert when(lock["created_at"]).tzinfo is not None


@rules("domain-1-model-2 all six scopes, and no other")
async def _(owner: Caller) -> None:
    for scope in ("campaign", "budget", "kpi_corridor", "code_deploy", "app_toggle", "other"):
        await owner.post(LOCKS, NEW | {"scope": scope}, like={"scope": scope})
    await owner.post(LOCKS, NEW | {"scope": "everything"}, 422)


@rules("http-3-create-1 given fields come back")
async def _(owner: Caller) -> None:
    given = NEW | {
        "surface": "squared",
        "description": "words",
        "constraints": {"max": {"eur": 5}},
        "allowed_actions": ["a", "*"],
    }
    await owner.post(LOCKS, given, like=given)


@rules("http-3-create-2 gap: a viewer may create")
async def _(owner: Caller) -> None:
    viewer = owner.having("viewer")
    await viewer.post(LOCKS, NEW, like={"created_by_user_id": viewer.user_id, "status": "draft"})


@rules("http-3-create-3 title and scope are required")
async def _(owner: Caller) -> None:
    await owner.post(LOCKS, {"scope": "other"}, 422)
    await owner.post(LOCKS, {"title": "x"}, 422)


@rules("http-3-create-4 tenant and env of the body are ignored")
async def _(owner: Caller) -> None:
    await owner.post(LOCKS, NEW | {"tenant_id": "t_other", "env": "prod"}, like=owner.scoped())


@rules("http-3-create-5 a status in the body is ignored")
async def _(owner: Caller) -> None:
    body = NEW | {"status": "approved", "approved_by_user_id": "u_other"}
    await owner.post(LOCKS, body, like={"status": "draft", "approved_by_user_id": None})


@rules("http-3-create-6 fixed: a time without timezone is 422")
async def _(owner: Caller) -> None:
    for name in ("valid_from", "valid_until"):
        await owner.post(LOCKS, NEW | {name: "2026-01-01T00:00:00"}, 422)
    assert await owner.get(LOCKS) == []


@rules("http-3-create-7 a create is audited and says so")
async def _(owner: Caller) -> None:
    await owner.post(LOCKS, NEW, answers={"X-Audit-Status": "stored"})
    assert (await owner.dashboard())["event_sink"]["last_write_at"] is not None


@rules("http-3-list-1 all locks in insertion order, no paging")
async def _(owner: Caller) -> None:
    made = [await owner.post(LOCKS, NEW | {"title": str(n)}) for n in range(12)]
    assert ids(await owner.get(LOCKS)) == ids(made)


@rules("http-3-list-2 approving does not change the order")
async def _(owner: Caller) -> None:
    one, two = await owner.lock(), await owner.lock()
    await owner.post(f"{LOCKS}/{one['id']}/approve")
    assert ids(await owner.get(LOCKS)) == [one["id"], two["id"]]


@rules("http-3-list-3 filter by status")
async def _(owner: Caller) -> None:
    draft, approved = await owner.lock(), await owner.approved()
    assert ids(await owner.get(f"{LOCKS}?status=draft")) == [draft["id"]]
    assert ids(await owner.get(f"{LOCKS}?status=approved")) == [approved["id"]]
    assert await owner.get(f"{LOCKS}?status=expired") == []


@rules("http-3-list-4 an unknown status is 422")
async def _(owner: Caller) -> None:
    await owner.get(f"{LOCKS}?status=open", 422)


@rules("http-3-list-5 filter by surface")
async def _(owner: Caller) -> None:
    await owner.lock()
    lock = await owner.lock(surface="squared")
    assert ids(await owner.get(f"{LOCKS}?surface=squared")) == [lock["id"]]


@rules("http-3-list-6 filter by scope; an unknown scope finds nothing")
async def _(owner: Caller) -> None:
    await owner.lock(scope="budget")
    lock = await owner.lock(scope="code_deploy")
    assert ids(await owner.get(f"{LOCKS}?scope=code_deploy")) == [lock["id"]]
    assert await owner.get(f"{LOCKS}?scope=everything") == []


@rules("http-3-list-7 any member lists")
async def _(owner: Caller) -> None:
    lock = await owner.lock()
    assert ids(await owner.having("viewer").get(LOCKS)) == [lock["id"]]


@rules("http-3-get-1 one lock, to any member")
async def _(owner: Caller) -> None:
    lock = await owner.lock()
    assert await owner.having("viewer").get(f"{LOCKS}/{lock['id']}") == lock


@rules("http-3-get-2 an unknown lock is 404")
async def _(owner: Caller) -> None:
    await owner.get(f"{LOCKS}/unknown", 404, detail=NOT_FOUND)


@rules("http-3-get-3 another tenant's and another env's lock are 404")
async def _(owner: Caller) -> None:
    lock = await owner.lock()
    for caller in (await owner.neighbour(), owner.within("prod")):
        await caller.get(f"{LOCKS}/{lock['id']}", 404, detail=NOT_FOUND)


@rules("http-3-patch-1 the named fields change, the others stay")
async def _(owner: Caller) -> None:
    lock = await owner.lock("a", description="old")
    change = {"title": "new", "constraints": {"a": 1}, "allowed_actions": ["b"], "three_wise_id": "w"}
    patched = await owner.patch(f"{LOCKS}/{lock['id']}", change)
    assert patched == lock | change | {"updated_at": patched["updated_at"]}


@rules("http-3-patch-2 null leaves unchanged, so nothing can be cleared")
async def _(owner: Caller) -> None:
    lock = await owner.lock("a", description="old", valid_until=ahead(days=1))
    nothing = dict.fromkeys(("title", "description", "constraints", "allowed_actions", "valid_until"))
    patched = await owner.patch(f"{LOCKS}/{lock['id']}", nothing)
    assert patched == lock | {"updated_at": patched["updated_at"]}


@rules("http-3-patch-3 an approved lock stays approved")
async def _(owner: Caller) -> None:
    lock = await owner.approved()
    await owner.patch(f"{LOCKS}/{lock['id']}", {"title": "new"}, like={"status": "approved"})


@rules("http-3-patch-4 scope, surface and valid_from cannot be patched")
async def _(owner: Caller) -> None:
    lock = await owner.lock(surface="squared")
    change = {"scope": "budget", "surface": "round", "valid_from": ago(days=9), "status": "approved"}
    same = {name: lock[name] for name in change}
    await owner.patch(f"{LOCKS}/{lock['id']}", change, like=same)


@rules("http-3-patch-5 owner or admin")
async def _(owner: Caller) -> None:
    path = f"{LOCKS}/{(await owner.lock())['id']}"
    await owner.having("admin").patch(path, {"title": "new"})
    for role in ("member", "viewer"):
        await owner.having(role).patch(path, {"title": "x"}, 403, detail="insufficient role for tenant")


@rules("http-3-patch-6 an unknown or foreign lock is 404")
async def _(owner: Caller) -> None:
    path = f"{LOCKS}/{(await owner.lock())['id']}"
    await (await owner.neighbour()).patch(path, {"title": "x"}, 404, detail=NOT_FOUND)
    await owner.patch(f"{LOCKS}/unknown", {"title": "x"}, 404, detail=NOT_FOUND)


@rules("http-3-patch-7 fixed: an end without timezone is 422 and changes nothing")
async def _(owner: Caller) -> None:
    lock = await owner.lock()
    await owner.patch(f"{LOCKS}/{lock['id']}", {"valid_until": "2026-01-01T00:00:00"}, 422)
    assert await owner.get(f"{LOCKS}/{lock['id']}") == lock


@rules("domain-1-audit-1 a patch is not audited")
async def _(owner: Caller) -> None:
    lock = await owner.lock()
    await owner.patch(f"{LOCKS}/{lock['id']}", {"title": "new"}, answers={"X-Audit-Status": None})


@rules("http-3-approve-1 approved by the caller, audited")
async def _(owner: Caller) -> None:
    admin = owner.having("admin")
    lock = await owner.lock()
    like = {"id": lock["id"], "status": "approved", "approved_by_user_id": admin.user_id}
    answers = {"X-Audit-Status": "stored"}
    await admin.post(f"{LOCKS}/{lock['id']}/approve", like=like, answers=answers)


@rules("http-3-reject-1 gap: a reject sets approved_by_user_id too; audited")
async def _(owner: Caller) -> None:
    lock = await owner.lock()
    like = {"status": "rejected", "approved_by_user_id": owner.user_id}
    await owner.post(f"{LOCKS}/{lock['id']}/reject", like=like, answers={"X-Audit-Status": "stored"})


@rules("http-3-approve-2 approve and reject need owner or admin")
async def _(owner: Caller) -> None:
    lock = await owner.lock()
    for role in ("member", "viewer"):
        for verb in ("approve", "reject"):
            await owner.having(role).post(f"{LOCKS}/{lock['id']}/{verb}", None, 403)
    await owner.get(f"{LOCKS}/{lock['id']}", like={"status": "draft"})


@rules("http-3-approve-3 an unknown or foreign lock is 404")
async def _(owner: Caller) -> None:
    lock, stranger = await owner.lock(), await owner.neighbour()
    for verb in ("approve", "reject"):
        await owner.post(f"{LOCKS}/unknown/{verb}", None, 404, detail=NOT_FOUND)
        await stranger.post(f"{LOCKS}/{lock['id']}/{verb}", None, 404, detail=NOT_FOUND)


@rules("domain-1-life-1 gap: a rejected lock can be approved, an approved one rejected, repeatedly")
async def _(owner: Caller) -> None:
    lock = await owner.lock()
    for verb in ("reject", "approve", "approve", "reject", "reject", "approve"):
        status = {"approve": "approved", "reject": "rejected"}[verb]
        await owner.post(f"{LOCKS}/{lock['id']}/{verb}", like={"status": status})


@rules("domain-1-life-2 gap: a creator may approve the own lock")
async def _(owner: Caller) -> None:
    lock = await owner.approved()
    assert lock["created_by_user_id"] == lock["approved_by_user_id"] == owner.user_id


@rules("domain-1-life-3 gap: a lock past its end stays approved, expired is never set")
async def _(owner: Caller) -> None:
    lock = await owner.approved("*", valid_until=ago(days=1))
    await owner.get(f"{LOCKS}/{lock['id']}", like={"status": "approved"})


@rules("domain-1-life-4 updated_at moves on patch, approve and reject; created_at stays")
async def _(owner: Caller) -> None:
    lock = await owner.lock()
    path, last = f"{LOCKS}/{lock['id']}", when(lock["updated_at"])
    for change in (
        owner.patch(path, {"title": "x"}),
        owner.post(f"{path}/approve"),
        owner.post(f"{path}/reject"),
    ):
        changed = await change
        assert when(changed["updated_at"]) > last
        assert changed["created_at"] == lock["created_at"]
        last = when(changed["updated_at"])


@rules("domain-1-life-5 two approvals at once leave one approved lock")
async def _(owner: Caller) -> None:
    lock = await owner.lock()
    path = f"{LOCKS}/{lock['id']}/approve"
    both = await asyncio.gather(owner.post(path), owner.having("admin").post(path))
    assert [found["status"] for found in both] == ["approved", "approved"]
    assert len(await owner.get(LOCKS)) == 1


@rules.table()
async def test_rule(scenario: Scenario, owner: Caller) -> None:
    await scenario(owner)

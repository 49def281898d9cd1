"""http.md section 4 and domain.md section 2: licences and what they allow."""

from typing import Any

from tests.support.callers import Caller
from tests.support.rules import Rules, Scenario, ago, ahead, ids

LICENCES = "/firearms/licences"
DANGEROUS = {"error": "firearms_licence_required", "action": "dangerous_tool_use"}
ACTIONS = {"dangerous_tool_use": "medium", "agent_autonomy_high": "high", "publish_sensitive": "high"}
LEVELS = ("low", "medium", "high")
FIELDS = {
    *("id", "tenant_id", "env", "subject_type", "subject_id", "scope", "level", "status", "issued_by"),
    *("issued_at", "expires_at", "metadata", "created_at", "updated_at"),
}

rules = Rules()


async def issue(caller: Caller, **fields: Any) -> Any:
    return await caller.post(LICENCES, caller.scoped(subject_type="agent", subject_id="a") | fields)


async def check(
    caller: Caller, expected: bool, action: str = "dangerous_tool_use", who: str = "agent/a"
) -> None:
    assert await caller.get(f"{LICENCES}/check/{who}?action={action}") == {"allowed": expected}


@rules("domain-2-model-1 a licence has its fields and defaults")
async def _(owner: Caller) -> None:
    licence = await issue(owner)
    assert set(licence) == FIELDS
    assert (licence["level"], licence["status"], licence["metadata"]) == ("low", "active", {})
    assert licence["scope"] is licence["expires_at"] is None
    assert len(licence["id"]) == 32


@rules("domain-2-model-2 gap: issued_by is never filled by the server")
async def _(owner: Caller) -> None:
    assert (await issue(owner))["issued_by"] is None


@rules("domain-2-model-3 given fields come back, the subject type is free text")
async def _(owner: Caller) -> None:
    given = {
        "subject_type": "robot",
        "scope": "x",
        "level": "high",
        "issued_by": "jo",
        "metadata": {"a": [1]},
    }
    found = await issue(owner, **given)
    assert given.items() <= found.items()


@rules("domain-2-model-4 the client may set the status")
async def _(owner: Caller) -> None:
    for status in ("revoked", "expired"):
        assert (await issue(owner, status=status))["status"] == status


@rules("domain-2-model-5 other levels and statuses are 422")
async def _(owner: Caller) -> None:
    body = owner.scoped(subject_type="agent", subject_id="a")
    await owner.post(LICENCES, body | {"level": "huge"}, 422)
    await owner.post(LICENCES, body | {"status": "lost"}, 422)


@rules("http-4-issue-1 tenant, env, subject type and id are required")
async def _(owner: Caller) -> None:
    body = owner.scoped(subject_type="agent", subject_id="a")
    for name in body:
        await owner.post(LICENCES, {key: body[key] for key in body if key != name}, 422)


@rules("http-4-issue-2 body match before role")
async def _(owner: Caller) -> None:
    body = owner.scoped(subject_type="agent", subject_id="a", tenant_id="t_other")
    detail = "tenant_id mismatch with request context"
    await owner.having("viewer").post(LICENCES, body, 400, detail=detail)


@rules("http-4-issue-3 owner or admin")
async def _(owner: Caller) -> None:
    body = owner.scoped(subject_type="agent", subject_id="a")
    for role in ("member", "viewer"):
        await owner.having(role).post(LICENCES, body, 403, detail="insufficient role for tenant")
    await owner.having("admin").post(LICENCES, body)


@rules("http-4-issue-4 audited, and says so")
async def _(owner: Caller) -> None:
    body = owner.scoped(subject_type="agent", subject_id="a")
    await owner.post(LICENCES, body, answers={"X-Audit-Status": "stored"})
    assert (await owner.dashboard())["event_sink"]["last_write_at"] is not None


@rules("http-4-issue-5 gap: an id given again overwrites")
async def _(owner: Caller) -> None:
    licence = await issue(owner, level="low")
    await issue(owner, id=licence["id"], level="high")
    found = await owner.get(LICENCES)
    assert [(item["id"], item["level"]) for item in found] == [(licence["id"], "high")]


@rules("http-4-issue-6 fixed: an id of another tenant is 409 and stays as it was")
async def _(owner: Caller) -> None:
    licence, stranger = await issue(owner), await owner.neighbour()
    body = stranger.scoped(subject_type="agent", subject_id="a", id=licence["id"], level="high")
    await stranger.post(LICENCES, body, 409)
    assert await owner.get(f"{LICENCES}/{licence['id']}") == licence
    assert await stranger.get(LICENCES) == []


@rules("http-4-issue-7 fixed: an expiry without timezone is 422")
async def _(owner: Caller) -> None:
    body = owner.scoped(subject_type="agent", subject_id="a", expires_at="2030-01-01T00:00:00")
    await owner.post(LICENCES, body, 422)
    assert await owner.get(LICENCES) == []


@rules("http-4-issue-8 stage in the body is stored as staging")
async def _(owner: Caller) -> None:
    found = await issue(owner.within("staging"), env="stage")
    assert found["env"] == "staging"


@rules("http-4-revoke-1 the status alone changes; the body is ignored")
async def _(owner: Caller) -> None:
    licence = await issue(owner, level="high")
    revoked = await owner.patch(f"{LICENCES}/{licence['id']}", {"status": "active", "level": "low"})
    assert revoked == licence | {"status": "revoked", "updated_at": revoked["updated_at"]}


@rules("http-4-revoke-2 audited, and says so")
async def _(owner: Caller) -> None:
    licence = await issue(owner)
    await owner.patch(f"{LICENCES}/{licence['id']}", answers={"X-Audit-Status": "stored"})


@rules("http-4-revoke-3 owner or admin")
async def _(owner: Caller) -> None:
    licence = await issue(owner)
    for role in ("member", "viewer"):
        await owner.having(role).patch(f"{LICENCES}/{licence['id']}", None, 403)
    await owner.having("admin").patch(f"{LICENCES}/{licence['id']}")


@rules("http-4-revoke-4 an unknown or foreign licence is 404")
async def _(owner: Caller) -> None:
    licence, stranger = await issue(owner), await owner.neighbour()
    await owner.patch(f"{LICENCES}/unknown", None, 404, detail="licence_not_found")
    await stranger.patch(f"{LICENCES}/{licence['id']}", None, 404, detail="licence_not_found")


@rules("http-4-get-1 one licence, to any member")
async def _(owner: Caller) -> None:
    licence = await issue(owner)
    assert await owner.having("viewer").get(f"{LICENCES}/{licence['id']}") == licence


@rules("http-4-get-2 another tenant's and another env's licence are 404")
async def _(owner: Caller) -> None:
    licence = await issue(owner)
    for caller in (await owner.neighbour(), owner.within("prod")):
        await caller.get(f"{LICENCES}/{licence['id']}", 404, detail="licence_not_found")


@rules("http-4-list-1 the four filters, alone and together")
async def _(owner: Caller) -> None:
    one = await issue(owner, level="high")
    two = await issue(owner, subject_id="b", status="revoked")
    three = await issue(owner, subject_type="tool", level="high")
    expected = {
        "subject_type=agent": [one, two],
        "subject_id=a": [one, three],
        "status=revoked": [two],
        "level=high": [one, three],
        "subject_type=agent&level=high": [one],
        "subject_id=c": [],
    }
    for query, found in expected.items():
        assert sorted(ids(await owner.get(f"{LICENCES}?{query}"))) == sorted(ids(found)), query


@rules("http-4-list-2 an unknown status or level is 422")
async def _(owner: Caller) -> None:
    await owner.get(f"{LICENCES}?status=lost", 422)
    await owner.get(f"{LICENCES}?level=huge", 422)


@rules("http-4-check-1 the action is required")
async def _(owner: Caller) -> None:
    await owner.get(f"{LICENCES}/check/agent/a", 422)


@rules("http-4-check-2 any member may ask")
async def _(owner: Caller) -> None:
    await check(owner.having("viewer"), expected=False)


@rules("domain-2-rule-1 an action outside the table is allowed without a licence")
async def _(owner: Caller) -> None:
    for action in ("read", "DANGEROUS_TOOL_USE", "*"):
        await check(owner, expected=True, action=action)


@rules("domain-2-rule-2 every level against every dangerous action")
async def _(owner: Caller) -> None:
    for action, minimum in ACTIONS.items():
        await check(owner, expected=False, action=action)
        for level in LEVELS:
            subject = f"{action}-{level}"
            await issue(owner, subject_id=subject, level=level)
            enough = LEVELS.index(level) >= LEVELS.index(minimum)
            await check(owner, enough, action, f"agent/{subject}")


@rules("domain-2-rule-3 type and id of the subject are matched exactly")
async def _(owner: Caller) -> None:
    await issue(owner, level="high")
    await check(owner, expected=True)
    for who in ("agent/A", "Agent/a", "tool/a", "agent/b"):
        await check(owner, expected=False, who=who)


@rules("domain-2-rule-4 revoked and expired licences allow nothing")
async def _(owner: Caller) -> None:
    licence = await issue(owner, level="high")
    await owner.patch(f"{LICENCES}/{licence['id']}")
    await issue(owner, level="high", status="expired")
    await check(owner, expected=False)


@rules("domain-2-rule-5 past expires_at is no licence, though its status stays active")
async def _(owner: Caller) -> None:
    licence = await issue(owner, level="high", expires_at=ago(seconds=1))
    await check(owner, expected=False)
    assert (await owner.get(f"{LICENCES}/{licence['id']}"))["status"] == "active"


@rules("domain-2-rule-6 before expires_at it is one")
async def _(owner: Caller) -> None:
    await issue(owner, level="high", expires_at=ahead(hours=1))
    await check(owner, expected=True)


@rules("domain-2-rule-7 one fitting licence among unfitting ones is enough")
async def _(owner: Caller) -> None:
    await issue(owner, level="low")
    await issue(owner, level="high", expires_at=ago(days=1))
    await issue(owner, level="medium")
    await check(owner, expected=True)
    await check(owner, expected=False, action="publish_sensitive")


@rules("domain-2-rule-8 gap: the scope is ignored in matching")
async def _(owner: Caller) -> None:
    await issue(owner, level="high", scope="nothing at all")
    await check(owner, expected=True)


@rules("domain-2-rule-9 a licence of another env or tenant allows nothing")
async def _(owner: Caller) -> None:
    await issue(owner.within("prod"), level="high")
    await issue(await owner.neighbour(), level="high")
    await check(owner, expected=False)


@rules("http-4-demo-1 refused without a licence")
async def _(owner: Caller) -> None:
    await owner.post(f"{LICENCES}/dangerous-demo/agent/a", None, 403, detail=DANGEROUS)


@rules("http-4-demo-2 allowed with one, to any member")
async def _(owner: Caller) -> None:
    await issue(owner, level="medium")
    found = await owner.having("viewer").post(f"{LICENCES}/dangerous-demo/agent/a")
    assert found == {"status": "allowed"}


@rules.table()
async def test_rule(scenario: Scenario, owner: Caller) -> None:
    await scenario(owner)

"""http.md section 2, domain.md section 8 and events.md section 4: training preferences."""

from tests.support.callers import Caller
from tests.support.rules import Rules, Scenario

PREFS = "/privacy/train-prefs"
TENANT = "/privacy/train-prefs/tenant"
USER = "/privacy/train-prefs/user"
OUT = {"opt_out": True}
IN = {"opt_out": False}

rules = Rules()


def mine(caller: Caller, opt_out: bool = True) -> dict[str, object]:
    return {"user_id": caller.user_id, "opt_out": opt_out}


@rules("http-2-tenant-1 the preference has no user")
async def _(owner: Caller) -> None:
    expected = {"tenant_id": owner.tenant_id, "env": "dev", "user_id": None, "opt_out": True}
    assert await owner.post(TENANT, OUT) == expected


@rules("http-2-tenant-2 a plain member may switch the whole tenant")
async def _(owner: Caller) -> None:
    await owner.having("member").post(TENANT, OUT)


@rules("http-2-tenant-3 a viewer may not")
async def _(owner: Caller) -> None:
    await owner.having("viewer").post(TENANT, OUT, 403, detail="insufficient role for tenant")


@rules("http-2-tenant-4 another tenant in the body is 400")
async def _(owner: Caller) -> None:
    body = OUT | {"tenant_id": "t_other"}
    await owner.post(TENANT, body, 400, detail="tenant_id mismatch with request context")


@rules("http-2-tenant-5 another env in the body is 400")
async def _(owner: Caller) -> None:
    await owner.post(TENANT, OUT | {"env": "prod"}, 400, detail="env mismatch with request context")


@rules("http-2-tenant-6 a second call replaces the first")
async def _(owner: Caller) -> None:
    await owner.post(TENANT, OUT)
    await owner.post(TENANT, IN)
    await owner.get(PREFS, like={"preferences": [{"user_id": None, "opt_out": False}]})


@rules("http-2-user-1 one's own preference")
async def _(owner: Caller) -> None:
    await owner.post(USER, mine(owner), like=mine(owner) | owner.scoped())


@rules("http-2-user-2 another user's is 403")
async def _(owner: Caller) -> None:
    await owner.post(USER, OUT | {"user_id": "u_other"}, 403, detail="user_id mismatch")


@rules("http-2-user-3 a viewer may not set even the own one")
async def _(owner: Caller) -> None:
    viewer = owner.having("viewer")
    await viewer.post(USER, mine(viewer), 403, detail="insufficient role for tenant")


@rules("http-2-user-4 another tenant in the body is 400 before the user is compared")
async def _(owner: Caller) -> None:
    body = OUT | {"user_id": "u_other", "tenant_id": "t_other"}
    await owner.post(USER, body, 400, detail="tenant_id mismatch with request context")


@rules("http-2-user-5 user_id is required")
async def _(owner: Caller) -> None:
    await owner.post(USER, OUT, 422)


@rules("http-2-get-1 lists every user's preference to any member")
async def _(owner: Caller) -> None:
    member = owner.having("member")
    await owner.post(TENANT, OUT)
    await owner.post(USER, mine(owner))
    await member.post(USER, mine(member))
    found = (await owner.having("viewer").get(PREFS))["preferences"]
    assert {record["user_id"] for record in found} == {None, owner.user_id, member.user_id}


@rules("http-2-get-2 user_id narrows to the own one")
async def _(owner: Caller) -> None:
    await owner.post(TENANT, OUT)
    await owner.post(USER, mine(owner))
    await owner.get(f"{PREFS}?user_id={owner.user_id}", like={"preferences": [mine(owner)]})


@rules("http-2-get-3 another's user_id is 403")
async def _(owner: Caller) -> None:
    await owner.get(f"{PREFS}?user_id=u_other", 403, detail="user_id mismatch")


@rules("http-2-get-4 nothing set: eligible, no preferences")
async def _(owner: Caller) -> None:
    expected = {"tenant_id": owner.tenant_id, "env": "dev", "train_ok": True, "preferences": []}
    assert await owner.get(PREFS) == expected


@rules("events-4-precedence-1 a tenant opt-out blocks")
async def _(owner: Caller) -> None:
    await owner.post(TENANT, OUT)
    await owner.get(PREFS, like={"train_ok": False})


@rules("events-4-precedence-2 a user's opt-out blocks that user alone")
async def _(owner: Caller) -> None:
    await owner.post(USER, mine(owner))
    await owner.get(PREFS, like={"train_ok": False})
    await owner.having("member").get(PREFS, like={"train_ok": True})


@rules("events-4-precedence-3 gap A8: a user's opt-in beats the tenant's opt-out")
async def _(owner: Caller) -> None:
    await owner.post(TENANT, OUT)
    await owner.post(USER, mine(owner, opt_out=False))
    await owner.get(PREFS, like={"train_ok": True})


@rules("events-4-precedence-4 a tenant opt-in changes nothing for a user's opt-out")
async def _(owner: Caller) -> None:
    await owner.post(TENANT, IN)
    await owner.post(USER, mine(owner))
    await owner.get(PREFS, like={"train_ok": False})


@rules("domain-8-scope-1 a preference holds in its env alone")
async def _(owner: Caller) -> None:
    await owner.post(TENANT, OUT)
    await owner.within("staging").get(PREFS, like={"train_ok": True, "preferences": []})


@rules("domain-8-scope-2 a preference holds in its tenant alone")
async def _(owner: Caller) -> None:
    await owner.post(TENANT, OUT)
    await (await owner.neighbour()).get(PREFS, like={"train_ok": True, "preferences": []})


@rules("events-6-audit-1 a change of preference is not audited")
async def _(owner: Caller) -> None:
    await owner.post(TENANT, OUT, answers={"X-Audit-Status": None})
    assert (await owner.dashboard())["event_sink"]["last_write_at"] is None


@rules.table()
async def test_rule(scenario: Scenario, owner: Caller) -> None:
    await scenario(owner)

"""http.md section 0 and identity.md: where tenant, env, user and role come from, and what answers first."""

import jwt

from tests.support.app import SIGNING_SECRET
from tests.support.callers import Caller
from tests.support.rules import Rules, Scenario

PREFS = "/privacy/train-prefs"
SET = "/privacy/train-prefs/tenant"
NO_TENANT: dict[str, str | None] = {"X-Tenant-Id": None}
NO_ENV: dict[str, str | None] = {"X-Env": None}
BAD_BEARER: dict[str, str | None] = {"Authorization": "Bearer nonsense"}

rules = Rules()


def bearer(secret: str = SIGNING_SECRET, algorithm: str = "HS256", **claims: object) -> dict[str, str | None]:
    return {"Authorization": "Bearer " + jwt.encode(claims, secret, algorithm=algorithm)}


@rules("http-0-order-1 a body that is not JSON is 422 before the token")
async def _(owner: Caller) -> None:
    await owner.nobody().call("POST", SET, content=b"{", status=422)


@rules("http-0-order-2 a bad bearer is 401 before a missing env")
async def _(owner: Caller) -> None:
    detail = "invalid token: malformed token"
    await owner.get(PREFS, 401, headers=BAD_BEARER | NO_ENV, detail=detail)


@rules("http-0-order-3 a foreign tenant is 403 before a missing env")
async def _(owner: Caller) -> None:
    headers = {"X-Tenant-Id": "t_other"} | NO_ENV
    await owner.get(PREFS, 403, headers=headers, detail="tenant mismatch with token")


@rules("http-0-order-4 a missing env is 400 before the missing token")
async def _(owner: Caller) -> None:
    await owner.nobody().get(PREFS, 400, headers=NO_ENV, detail="tenant_id and env are required")


@rules("http-0-order-5 a missing tenant is 400 without a token's default")
async def _(owner: Caller) -> None:
    await owner.nobody().get(PREFS, 400, headers=NO_TENANT, detail="tenant_id and env are required")


@rules("http-0-order-6 a missing token is 401 before the body is validated")
async def _(owner: Caller) -> None:
    await owner.nobody().post(SET, {}, 401, detail="missing bearer token")


@rules("http-0-order-7 an invalid body is 422 for one with the role")
async def _(owner: Caller) -> None:
    await owner.post(SET, {}, 422)


@rules("http-0-order-8 an invalid body is 422 before the role is looked at")
async def _(owner: Caller) -> None:
    await owner.having("viewer").post(SET, {}, 422)


@rules("http-0-order-9 the role is 403 before the body's tenant is compared")
async def _(owner: Caller) -> None:
    body = {"opt_out": True, "tenant_id": "t_other"}
    await owner.having("viewer").post(SET, body, 403, detail="insufficient role for tenant")


@rules("http-0-errors-1 a validation error is a list of type, loc and msg")
async def _(owner: Caller) -> None:
    problem = {"type": "missing", "loc": ["body", "opt_out"], "msg": "Field required"}
    await owner.post(SET, {}, 422, like={"detail": [problem]})


@rules("http-0-errors-2 fixed: an unknown env is 400")
async def _(owner: Caller) -> None:
    await owner.within("qa").get(PREFS, 400)


@rules("http-0-errors-3 fixed: an unknown role text is 400")
async def _(owner: Caller) -> None:
    await owner.get(PREFS, 400, headers={"X-Membership-Role": "king"})


@rules("http-0-errors-4 fixed: a tenant of another pattern is 400 without a token")
async def _(owner: Caller) -> None:
    await owner.nobody().get(PREFS, 400, headers={"X-Tenant-Id": "ACME"})


@rules("http-0-errors-5 an error has no other key than detail")
async def _(owner: Caller) -> None:
    assert set(await owner.post(SET, {}, 422)) == {"detail"}


@rules("http-0-success-1 unknown body fields are ignored")
async def _(owner: Caller) -> None:
    await owner.post(SET, {"opt_out": True, "colour": "red"}, like={"opt_out": True})


@rules("http-0-success-2 a create answers 200")
async def _(owner: Caller) -> None:
    await owner.post("/kpi/definitions", owner.scoped(name="visits"), 200)


@rules("http-0-bearer-1 the scheme is case-insensitive")
async def _(owner: Caller) -> None:
    await owner.get(PREFS, headers={"Authorization": f"BEARER {owner.token}"})


@rules("http-0-bearer-2 another scheme is no bearer token")
async def _(owner: Caller) -> None:
    await owner.get(PREFS, 401, headers={"Authorization": "Basic dTpw"}, detail="missing bearer token")


@rules("http-0-env-1 X-Env may be in any case")
async def _(owner: Caller) -> None:
    await owner.within("DEV").get(PREFS, like={"env": "dev"})


@rules("http-0-env-2 stage becomes staging")
async def _(owner: Caller) -> None:
    await owner.within("Stage").get(PREFS, like={"env": "staging"})


@rules("http-0-env-3 what is written under stage is found under staging")
async def _(owner: Caller) -> None:
    await owner.within("stage").post(SET, {"opt_out": True})
    await owner.within("staging").get(PREFS, like={"preferences": [{"env": "staging", "opt_out": True}]})


@rules("identity-1-tenant-1 the header beats the query")
async def _(owner: Caller) -> None:
    await owner.get(f"{PREFS}?tenant_id=t_other", like={"tenant_id": owner.tenant_id})


@rules("identity-1-tenant-2 the query beats the body")
async def _(owner: Caller) -> None:
    body = {"opt_out": True, "tenant_id": "t_other"}
    detail = "tenant_id mismatch with request context"
    await owner.post(f"{SET}?tenant_id={owner.tenant_id}", body, 400, headers=NO_TENANT, detail=detail)


@rules("identity-1-tenant-3 the body beats the token's default")
async def _(owner: Caller) -> None:
    body = {"opt_out": True, "tenant_id": "t_other"}
    await owner.post(SET, body, 403, headers=NO_TENANT, detail="tenant mismatch with token")


@rules("identity-1-tenant-4 the token's default is the last resort")
async def _(owner: Caller) -> None:
    await owner.get(PREFS, headers=NO_TENANT, like={"tenant_id": owner.tenant_id})


@rules("identity-1-tenant-5 an empty header counts as none")
async def _(owner: Caller) -> None:
    await owner.get(PREFS, headers={"X-Tenant-Id": ""}, like={"tenant_id": owner.tenant_id})


@rules("identity-1-env-1 the header beats the query")
async def _(owner: Caller) -> None:
    await owner.get(f"{PREFS}?env=prod", like={"env": "dev"})


@rules("identity-1-env-2 the query beats the body")
async def _(owner: Caller) -> None:
    body = {"opt_out": True, "env": "prod"}
    detail = "env mismatch with request context"
    await owner.post(f"{SET}?env=dev", body, 400, headers=NO_ENV, detail=detail)


@rules("identity-1-env-3 the body gives the env when nothing else does")
async def _(owner: Caller) -> None:
    await owner.post(SET, {"opt_out": True, "env": "prod"}, headers=NO_ENV, like={"env": "prod"})


@rules("identity-1-env-4 the token gives no env")
async def _(owner: Caller) -> None:
    await owner.get(PREFS, 400, headers=NO_ENV)


@rules("identity-1-user-1 the token's subject beats X-User-Id")
async def _(owner: Caller) -> None:
    body = {"scope": "other", "title": "mine"}
    like = {"created_by_user_id": owner.user_id}
    await owner.post("/strategy-locks", body, headers={"X-User-Id": "u_other"}, like=like)


@rules("identity-1-role-1 X-Membership-Role gives no right")
async def _(owner: Caller) -> None:
    headers = {"X-Membership-Role": "owner"}
    await owner.having("viewer").post(SET, {"opt_out": True}, 403, headers=headers)


@rules("identity-1-role-2 X-Membership-Role takes no right")
async def _(owner: Caller) -> None:
    await owner.post(SET, {"opt_out": True}, headers={"X-Membership-Role": "viewer"})


@rules("identity-1-request-1 X-Request-Id is echoed: the contract's engines did not")
async def _(owner: Caller) -> None:
    await owner.get(PREFS, headers={"X-Request-Id": "r-1"}, answers={"X-Request-Id": "r-1"})


@rules("identity-1-body-1 an array body gives no tenant")
async def _(owner: Caller) -> None:
    body = [owner.scoped(provider="p")]
    await owner.nobody().post("/budget/usage", body, 400, headers=NO_TENANT | NO_ENV)


@rules("identity-1-agree-1 an empty tenant and env in the body are skipped")
async def _(owner: Caller) -> None:
    await owner.post(SET, {"opt_out": True, "tenant_id": "", "env": ""})


@rules("identity-1-agree-2 an invalid env in the body is a mismatch")
async def _(owner: Caller) -> None:
    body = {"opt_out": True, "env": "qa"}
    await owner.post(SET, body, 400, detail="env mismatch with request context")


@rules("identity-1-agree-3 stage in the body agrees with staging")
async def _(owner: Caller) -> None:
    await owner.within("staging").post(SET, {"opt_out": True, "env": "STAGE"})


@rules("identity-3-jwt-1 another signature is 401")
async def _(owner: Caller) -> None:
    headers = bearer("another-secret-of-more-than-32-bytes!", sub="u", tenant_ids=[owner.tenant_id])
    await owner.get(PREFS, 401, headers=headers, like={"detail": is_invalid_token})


@rules("identity-3-jwt-2 a token without sub is 401")
async def _(owner: Caller) -> None:
    headers = bearer(tenant_ids=[owner.tenant_id])
    await owner.get(PREFS, 401, headers=headers, like={"detail": is_invalid_token})


@rules("identity-3-jwt-3 fixed: a token past its exp is 401")
async def _(owner: Caller) -> None:
    headers = bearer(sub="u", tenant_ids=[owner.tenant_id], exp=1)
    await owner.get(PREFS, 401, headers=headers, like={"detail": is_invalid_token})


@rules("identity-3-jwt-4 fixed: the algorithms none and HS512 are 401")
async def _(owner: Caller) -> None:
    for key, algorithm in (("", "none"), (SIGNING_SECRET * 2, "HS512")):
        headers = bearer(key, algorithm, sub="u", tenant_ids=[owner.tenant_id])
        await owner.get(PREFS, 401, headers=headers, like={"detail": is_invalid_token})


@rules("identity-3-jwt-5 the claims are sub, email, tenant_ids, default_tenant_id and role_map")
async def _(owner: Caller) -> None:
    claims = (await owner.get("/auth/me"))["claims"]
    assert set(claims) == {"sub", "email", "tenant_ids", "default_tenant_id", "role_map"}


@rules("identity-3-jwt-6 a token is verified on routes that need no tenant")
async def _(owner: Caller) -> None:
    await owner.get("/auth/me", 401, headers=BAD_BEARER, like={"detail": is_invalid_token})


def is_invalid_token(detail: str) -> bool:
    return detail.startswith("invalid token: ")


@rules.table()
async def test_rule(scenario: Scenario, owner: Caller) -> None:
    await scenario(owner)

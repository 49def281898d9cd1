"""http.md section 1 and identity.md section 5: sign-up, login, refresh, the system tenants."""

from uuid import uuid4

from tests.support.app import SYSTEM_KEY
from tests.support.callers import Caller, token_of
from tests.support.rules import Rules, Scenario

rules = Rules()
KEY: dict[str, str | None] = {"X-System-Key": SYSTEM_KEY}


def credentials(**more: str) -> dict[str, str]:
    return {"email": f"{uuid4().hex}@example.com", "password": "p"} | more


@rules("http-1-signup-1 with a tenant name: token, user, tenant and the owner's membership")
async def _(owner: Caller) -> None:
    person = credentials(tenant_name="Acme", display_name="Jo")
    found = await owner.nobody().post(
        "/auth/signup",
        person,
        like={
            "token_type": "bearer",
            "user": {"email": person["email"], "display_name": "Jo", "avatar_url": None},
            "tenant": {"name": "Acme", "slug": None, "status": "active"},
            "memberships": [{"role": "owner", "status": "active"}],
        },
    )
    assert found["tenant"]["id"].startswith("t_")
    assert len(found["tenant"]["id"]) == len("t_") + 32
    assert set(found["user"]) == {"id", "email", "display_name", "avatar_url"}


@rules("http-1-signup-2 without a tenant name there is no tenant and no membership")
async def _(owner: Caller) -> None:
    await owner.nobody().post("/auth/signup", credentials(), like={"tenant": None, "memberships": []})


@rules("http-1-signup-3 an address is taken once")
async def _(owner: Caller) -> None:
    person = credentials()
    await owner.nobody().post("/auth/signup", person)
    await owner.nobody().post("/auth/signup", person, 400, detail="user already exists")


@rules("http-1-signup-4 decided: an address is taken whatever its case")
async def _(owner: Caller) -> None:
    person = credentials()
    await owner.nobody().post("/auth/signup", person)
    louder = person | {"email": person["email"].upper()}
    await owner.nobody().post("/auth/signup", louder, 400, detail="user already exists")


@rules("http-1-signup-5 an empty password and an address without @ are accepted")
async def _(owner: Caller) -> None:
    await owner.nobody().post("/auth/signup", {"email": uuid4().hex, "password": ""})


@rules("http-1-signup-6 a missing password is 422")
async def _(owner: Caller) -> None:
    await owner.nobody().post("/auth/signup", {"email": "a@example.com"}, 422)


@rules("http-1-signup-7 no password hash is shown")
async def _(owner: Caller) -> None:
    answer = await owner.nobody().send("POST", "/auth/signup", credentials(tenant_name="Acme"))
    assert "password" not in answer.text


@rules("http-1-login-1 the token of a login opens the tenant; tenant is null")
async def _(owner: Caller) -> None:
    person = credentials(tenant_name="Acme")
    signed_up = await owner.nobody().post("/auth/signup", person)
    found = await owner.nobody().post("/auth/login", person, like={"tenant": None, "token_type": "bearer"})
    headers = {"Authorization": f"Bearer {found['access_token']}", "X-Tenant-Id": signed_up["tenant"]["id"]}
    await owner.get("/bossman/tenant-dashboard", headers=headers)


@rules("http-1-login-2 an unknown user and a wrong password get the same 401")
async def _(owner: Caller) -> None:
    person = credentials()
    await owner.nobody().post("/auth/signup", person)
    for wrong in (credentials(), person | {"password": "q"}):
        await owner.nobody().post("/auth/login", wrong, 401, detail="invalid credentials")


@rules("http-1-login-3 a missing field is 422")
async def _(owner: Caller) -> None:
    await owner.nobody().post("/auth/login", {"email": "a@example.com"}, 422)


@rules("http-1-me-1 the auth context, without tenant and env")
async def _(owner: Caller) -> None:
    tenant = owner.tenant_id
    like = {
        "user_id": owner.user_id,
        "tenant_ids": [tenant],
        "default_tenant_id": tenant,
        "role_map": {tenant: "owner"},
        "provider": "internal",
    }
    found = await owner.get("/auth/me", headers={"X-Tenant-Id": None, "X-Env": None}, like=like)
    assert set(found) == set(like) | {"email", "claims"}


@rules("http-1-me-2 without a token 401")
async def _(owner: Caller) -> None:
    for path in ("/auth/me", "/auth/bootstrap"):
        await owner.nobody().get(path, 401, detail="missing bearer token")


@rules("http-1-me-3 bootstrap answers what me answers")
async def _(owner: Caller) -> None:
    assert await owner.get("/auth/bootstrap") == await owner.get("/auth/me")


@rules("http-1-refresh-1 a new token with freshly read memberships")
async def _(owner: Caller) -> None:
    like = {"tenant": None, "memberships": [{"tenant_id": owner.tenant_id, "role": "owner"}]}
    await owner.post("/auth/refresh", like=like)


@rules("http-1-refresh-2 roles are read from the store, not from the old token")
async def _(owner: Caller) -> None:
    forged = {"Authorization": f"Bearer {token_of(owner.user_id, 't_other', 'admin')}"}
    like = {"memberships": [{"tenant_id": owner.tenant_id, "role": "owner"}]}
    await owner.post("/auth/refresh", headers=forged, like=like)


@rules("http-1-refresh-3 a user who is gone is 401")
async def _(owner: Caller) -> None:
    await owner.having("member").post("/auth/refresh", None, 401, detail="user not found")


@rules("http-1-refresh-4 without a token 401")
async def _(owner: Caller) -> None:
    await owner.nobody().post("/auth/refresh", None, 401, detail="missing bearer token")


@rules("http-1-system-1 the system tenants are created in order, and once")
async def _(owner: Caller) -> None:
    path = "/auth/bootstrap/tenants"
    first = await owner.nobody().post(path, headers=KEY)
    assert first == {"status": "ok", "created": ["t_system", "t_northstar"]}
    assert await owner.nobody().post(path, headers=KEY) == {"status": "ok", "created": []}


@rules("http-1-system-2 another key is 403")
async def _(owner: Caller) -> None:
    headers = {"X-System-Key": "guess"}
    await owner.post("/auth/bootstrap/tenants", None, 403, headers=headers, detail="invalid system key")


@rules("http-1-system-3 no key is 422")
async def _(owner: Caller) -> None:
    await owner.post("/auth/bootstrap/tenants", None, 422)


@rules("identity-5-signup-1 a user without a tenant passes no tenant route")
async def _(owner: Caller) -> None:
    token = (await owner.nobody().post("/auth/signup", credentials()))["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    await owner.get("/privacy/train-prefs", 403, headers=headers, detail="tenant mismatch with token")


@rules("identity-5-signup-2 two tenants may have one name")
async def _(owner: Caller) -> None:
    one, two = [await owner.nobody().post("/auth/signup", credentials(tenant_name="Same")) for _ in range(2)]
    assert one["tenant"]["id"] != two["tenant"]["id"]


@rules.table()
async def test_rule(scenario: Scenario, owner: Caller) -> None:
    await scenario(owner)

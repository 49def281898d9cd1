"""Sign-up, login, refresh and the system tenants over HTTP."""

import json
import re
from typing import Any

import httpx
import jwt
import pytest

from engines.common.documents import SYSTEM
from engines.common.errors import Unauthorized
from tests.support.app import SIGNING_SECRET, SYSTEM_KEY, Login, MemoryKit, running
from tests.support.records import login_as

ID = "[0-9a-f]{32}"
JSON = {"Content-Type": "application/json"}


async def post(kit: MemoryKit, path: str, body: Any = None, **headers: str) -> httpx.Response:
    # Through json.dumps, since httpx itself cannot send a lone surrogate.
    content = None if body is None else json.dumps(body)
    return await kit.client.post(f"/auth/{path}", content=content, headers=JSON | headers)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_signup_with_a_tenant_creates_user_tenant_and_owner(kit: MemoryKit) -> None:
    body = {"email": "Ann@Example.com", "password": "p", "display_name": "Ann", "tenant_name": "Ann's"}
    answer = (await post(kit, "signup", body)).json()
    user, tenant, [owner] = answer["user"], answer["tenant"], answer["memberships"]
    assert list(answer) == ["access_token", "token_type", "user", "tenant", "memberships"]
    assert answer["token_type"] == "bearer"
    assert re.fullmatch(ID, user["id"])
    assert user == {
        "id": user["id"],
        "email": "Ann@Example.com",
        "display_name": "Ann",
        "avatar_url": None,
    }
    assert re.fullmatch(f"t_{ID}", tenant["id"])
    times = {"created_at", "updated_at"}
    assert {key: tenant[key] for key in tenant if key not in times} == {
        "id": tenant["id"],
        "name": "Ann's",
        "slug": None,
        "status": "active",
        "created_by": user["id"],
    }
    assert {key: owner[key] for key in owner if key not in times} == {
        "id": owner["id"],
        "tenant_id": tenant["id"],
        "user_id": user["id"],
        "role": "owner",
        "status": "active",
    }
    assert jwt.decode(answer["access_token"], SIGNING_SECRET, algorithms=["HS256"]) == {
        "default_tenant_id": tenant["id"],
        "email": "Ann@Example.com",
        "role_map": {tenant["id"]: "owner"},
        "sub": user["id"],
        "tenant_ids": [tenant["id"]],
    }


@pytest.mark.parametrize("tenant_name", [{}, {"tenant_name": None}, {"tenant_name": ""}], ids=str)
async def test_signup_without_a_tenant_passes_no_tenant_route(
    kit: MemoryKit, tenant_name: dict[str, Any]
) -> None:
    answer = (await post(kit, "signup", {"email": "a@b.c", "password": "p"} | tenant_name)).json()
    assert (answer["tenant"], answer["memberships"]) == (None, [])
    headers = bearer(answer["access_token"]) | {"X-Env": "dev"}
    refused = await kit.client.get("/privacy/train-prefs", headers=headers)
    assert (refused.status_code, refused.json()) == (400, {"detail": "tenant_id and env are required"})


async def test_the_password_is_stored_as_a_hash_only(kit: MemoryKit) -> None:
    answer = (await post(kit, "signup", {"email": "a@b.c", "password": "hunter2 hunter2"})).json()
    stored = await kit.services.identity.users.get(SYSTEM, answer["user"]["id"])
    assert stored is not None
    assert re.fullmatch("[0-9a-f]{64}:[0-9a-f]{32}", stored.record.password_hash or "")
    assert "hunter2" not in str(answer)
    assert "password_hash" not in str(answer)


@pytest.mark.parametrize("email", ["acme@example.com", "ACME@example.com", "Acme@EXAMPLE.com"])
async def test_an_address_is_taken_in_every_case(kit: MemoryKit, acme: Login, email: str) -> None:
    answer = await post(kit, "signup", {"email": email, "password": "p", "tenant_name": "x"})
    assert (answer.status_code, answer.json()) == (400, {"detail": "user already exists"})


@pytest.mark.parametrize("email", ["acme@example.com", "ACME@Example.COM"])
async def test_login_answers_like_signup_but_without_a_tenant(
    kit: MemoryKit, acme: Login, email: str
) -> None:
    answer = await post(kit, "login", {"email": email, "password": "password of acme"})
    assert answer.status_code == 200
    body = answer.json()
    assert body["tenant"] is None
    assert [m["tenant_id"] for m in body["memberships"]] == [acme.tenant_id]
    assert body["user"]["id"] == acme.user_id
    assert body["access_token"] == acme.token


async def test_an_unknown_user_and_a_wrong_password_are_told_apart_by_nothing(
    kit: MemoryKit, acme: Login
) -> None:
    same = {"X-Request-Id": "r"}
    unknown = await post(kit, "login", {"email": "nobody@example.com", "password": "x"}, **same)
    wrong = await post(kit, "login", {"email": acme.email, "password": "x"}, **same)
    assert (wrong.status_code, wrong.json()) == (401, {"detail": "invalid credentials"})
    assert (unknown.status_code, unknown.text, unknown.headers) == (401, wrong.text, wrong.headers)


@pytest.mark.parametrize("stored", [None, "", "garbage", ":", "00:", "é:é"], ids=repr)
async def test_a_malformed_stored_hash_is_401(kit: MemoryKit, acme: Login, stored: str | None) -> None:
    users = kit.services.identity.users
    user = await users.get(SYSTEM, acme.user_id)
    assert user is not None
    await users.put(SYSTEM, acme.user_id, user.record.model_copy(update={"password_hash": stored}))
    answer = await post(kit, "login", {"email": acme.email, "password": "password of acme"})
    assert (answer.status_code, answer.json()) == (401, {"detail": "invalid credentials"})


async def test_refresh_answers_like_login(kit: MemoryKit, acme: Login) -> None:
    answer = await post(kit, "refresh", **bearer(acme.token))
    login = await post(kit, "login", {"email": acme.email, "password": "password of acme"})
    assert (answer.status_code, answer.json()) == (200, login.json())


async def test_refresh_of_a_user_that_is_gone_is_401(kit: MemoryKit) -> None:
    ghost = login_as(kit, "owner", user_id="u_ghost")
    answer = await post(kit, "refresh", **bearer(ghost.token))
    assert (answer.status_code, answer.json()) == (401, {"detail": "user not found"})
    with pytest.raises(Unauthorized, match=r"^user not found$"):
        await kit.services.identity.refresh("")


async def test_the_system_tenants_are_created_once_and_have_no_members(kit: MemoryKit) -> None:
    first = await post(kit, "bootstrap/tenants", **{"X-System-Key": SYSTEM_KEY})
    second = await post(kit, "bootstrap/tenants", **{"X-System-Key": SYSTEM_KEY})
    assert (first.status_code, first.json()) == (
        200,
        {"status": "ok", "created": ["t_system", "t_northstar"]},
    )
    assert (second.status_code, second.json()) == (200, {"status": "ok", "created": []})
    found = await kit.services.identity.tenants.find(SYSTEM)
    assert {tenant.record.id: tenant.record.name for tenant in found} == {
        "t_system": "System Control Plane",
        "t_northstar": "Northstar Corp",
    }
    assert await kit.services.identity.memberships.find(SYSTEM) == []


async def test_only_the_missing_system_tenant_is_created(kit: MemoryKit) -> None:
    headers = {"X-System-Key": SYSTEM_KEY}
    await post(kit, "bootstrap/tenants", **headers)
    await kit.services.identity.tenants.delete(SYSTEM, "t_system")
    assert (await post(kit, "bootstrap/tenants", **headers)).json()["created"] == ["t_system"]


@pytest.mark.parametrize("key", ["wrong", "", SYSTEM_KEY.upper(), SYSTEM_KEY + " x", "ü"])
async def test_a_wrong_system_key_is_403(kit: MemoryKit, key: str) -> None:
    headers = [(b"x-system-key", key.encode())]
    answer = await kit.client.post("/auth/bootstrap/tenants", headers=headers)
    assert (answer.status_code, answer.json()) == (403, {"detail": "invalid system key"})


async def test_a_missing_system_key_is_422(kit: MemoryKit) -> None:
    answer = await post(kit, "bootstrap/tenants")
    assert answer.status_code == 422
    assert [problem["loc"] for problem in answer.json()["detail"]] == [["header", "x-system-key"]]


@pytest.mark.parametrize("key", ["", "None", SYSTEM_KEY])
async def test_without_a_configured_key_the_system_routes_are_closed(key: str) -> None:
    async with running(MemoryKit(), SYSTEM_BOOTSTRAP_KEY=None) as kit:
        answer = await post(kit, "bootstrap/tenants", **{"X-System-Key": key})
        assert (answer.status_code, answer.json()) == (403, {"detail": "invalid system key"})


@pytest.mark.parametrize("path", ["signup", "login"])
@pytest.mark.parametrize("text", ["grüße 🚀", "\ud800", "\x00", "x" * 500_000, "'; --", "a\nb"], ids=ascii)
async def test_no_text_is_ever_a_server_error(kit: MemoryKit, path: str, text: str) -> None:
    outcomes = set()
    for field in ("email", "password", "display_name", "tenant_name"):
        plain = {"email": f"{field}@b.c", "password": "p", "display_name": "n", "tenant_name": "t"}
        answer = await post(kit, path, plain | {field: text})
        assert set(answer.json()) in (
            {"detail"},
            {"access_token", "token_type", "user", "tenant", "memberships"},
        )
        outcomes.add(answer.status_code)
    refused = {"\ud800": {400}, "\x00": {422}}  # no Unicode, and an address that shows nothing
    assert outcomes == ({401} if path == "login" else {200} | refused.get(text, set()))


@pytest.mark.parametrize("field", ["email", "display_name", "tenant_name"])
async def test_a_lone_surrogate_in_a_stored_text_is_400(kit: MemoryKit, field: str) -> None:
    answer = await post(kit, "signup", {"email": "a@b.c", "password": "p"} | {field: "\ud800"})
    assert (answer.status_code, answer.json()) == (400, {"detail": f"{field} is not valid Unicode text"})

"""Which memberships grant anything, and when a change of them takes effect."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engines.common.documents import SYSTEM
from engines.identity.models import TenantMembership
from tests.support.app import Login, MemoryKit


async def change(kit: MemoryKit, membership: TenantMembership) -> None:
    await kit.services.identity.memberships.put(SYSTEM, membership.id, membership)


async def own_membership(kit: MemoryKit, login: Login) -> TenantMembership:
    [stored] = await kit.services.identity.memberships.find(SYSTEM, {"user_id": login.user_id})
    return stored.record


async def sign_in(kit: MemoryKit, login: Login, how: str) -> dict[str, Any]:
    """The answer of a login or refresh, whichever ``how`` names."""
    body = {"email": login.email, "password": "password of acme"}
    headers = {"Authorization": f"Bearer {login.token}"}
    answer = await kit.client.post(f"/auth/{how}", json=body, headers=headers)
    return dict(answer.raise_for_status().json())


async def says(kit: MemoryKit, token: str) -> dict[str, Any]:
    answer = await kit.client.get("/auth/me", headers={"Authorization": f"Bearer {token}"})
    return dict(answer.raise_for_status().json())


both_ways = pytest.mark.parametrize("how", ["login", "refresh"])


@both_ways
@pytest.mark.parametrize("status", ["pending", "revoked"])
async def test_only_an_active_membership_grants_anything(
    kit: MemoryKit, acme: Login, how: str, status: Any
) -> None:
    await change(kit, (await own_membership(kit, acme)).model_copy(update={"status": status}))
    answer = await sign_in(kit, acme, how)
    assert answer["memberships"] == []
    me = await says(kit, answer["access_token"])
    assert (me["tenant_ids"], me["role_map"], me["default_tenant_id"]) == ([], {}, "")


@both_ways
async def test_a_revoked_membership_beside_an_active_one_grants_nothing(
    kit: MemoryKit, acme: Login, globex: Login, how: str
) -> None:
    invited = TenantMembership(tenant_id=globex.tenant_id, user_id=acme.user_id, status="revoked")
    await change(kit, invited)
    answer = await sign_in(kit, acme, how)
    me = await says(kit, answer["access_token"])
    assert me["role_map"] == {acme.tenant_id: "owner"}
    headers = acme.headers() | {
        "Authorization": f"Bearer {answer['access_token']}",
        "X-Tenant-Id": globex.tenant_id,
    }
    refused = await kit.client.get("/privacy/train-prefs", headers=headers)
    assert (refused.status_code, refused.json()) == (403, {"detail": "tenant mismatch with token"})


@both_ways
async def test_a_new_role_counts_from_the_next_sign_in(kit: MemoryKit, acme: Login, how: str) -> None:
    await change(kit, (await own_membership(kit, acme)).model_copy(update={"role": "viewer"}))
    answer = await sign_in(kit, acme, how)
    assert (await says(kit, answer["access_token"]))["role_map"] == {acme.tenant_id: "viewer"}


@both_ways
async def test_the_first_membership_by_time_is_the_default_tenant(
    kit: MemoryKit, acme: Login, how: str
) -> None:
    for name, day in (("t_late", 3), ("t_early", 1), ("t_middle", 2)):
        joined = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=day)
        await change(kit, TenantMembership(tenant_id=name, user_id=acme.user_id, created_at=joined))
    answer = await sign_in(kit, acme, how)
    me = await says(kit, answer["access_token"])
    assert me["tenant_ids"] == ["t_early", "t_middle", "t_late", acme.tenant_id]
    assert me["default_tenant_id"] == "t_early"


async def test_memberships_of_other_users_grant_nothing(kit: MemoryKit, acme: Login, globex: Login) -> None:
    assert [m["user_id"] for m in (await sign_in(kit, acme, "login"))["memberships"]] == [acme.user_id]


@both_ways
async def test_gap_a_suspended_tenant_still_works(kit: MemoryKit, acme: Login, how: str) -> None:
    tenants = kit.services.identity.tenants
    stored = await tenants.get(SYSTEM, acme.tenant_id)
    assert stored is not None
    suspended = stored.record.model_copy(update={"status": "suspended"})
    await tenants.put(SYSTEM, acme.tenant_id, suspended)
    answer = await sign_in(kit, acme, how)
    headers = acme.headers() | {"Authorization": f"Bearer {answer['access_token']}"}
    assert (await kit.client.get("/bossman/tenant-dashboard", headers=headers)).status_code == 200


async def test_gap_a_token_outlives_a_revoked_membership_until_refresh(kit: MemoryKit, acme: Login) -> None:
    await change(kit, (await own_membership(kit, acme)).model_copy(update={"status": "revoked"}))
    before = await kit.client.get("/bossman/tenant-dashboard", headers=acme.headers())
    fresh = (await sign_in(kit, acme, "refresh"))["access_token"]
    headers = acme.headers() | {"Authorization": f"Bearer {fresh}"}
    after = await kit.client.get("/bossman/tenant-dashboard", headers=headers)
    assert (before.status_code, after.status_code) == (200, 403)


async def test_gap_a_token_never_expires(kit: MemoryKit, acme: Login) -> None:
    kit.clock.advance(days=36_500)
    assert set((await says(kit, acme.token))["claims"]) == {
        "sub",
        "email",
        "tenant_ids",
        "default_tenant_id",
        "role_map",
    }


async def test_gap_an_empty_password_is_accepted(kit: MemoryKit) -> None:
    body = {"email": "empty@example.com", "password": ""}
    assert (await kit.client.post("/auth/signup", json=body)).status_code == 200
    assert (await kit.client.post("/auth/login", json=body)).status_code == 200
    wrong = await kit.client.post("/auth/login", json=body | {"password": " "})
    assert wrong.status_code == 401


@pytest.mark.parametrize("email", ["no address", "@"], ids=repr)
async def test_gap_an_email_has_no_format(kit: MemoryKit, email: str) -> None:
    answer = await kit.client.post("/auth/signup", json={"email": email, "password": "p"})
    assert (answer.status_code, answer.json()["user"]["email"]) == (200, email)


async def test_a_few_wrong_passwords_keep_nobody_out(kit: MemoryKit, acme: Login) -> None:
    for _ in range(5):
        await kit.client.post("/auth/login", json={"email": acme.email, "password": "x"})
    assert (await sign_in(kit, acme, "login"))["user"]["id"] == acme.user_id

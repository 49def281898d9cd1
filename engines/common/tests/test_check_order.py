"""The order of checks on every mounted route: whatever comes first in the contract answers first."""

from typing import Any

import httpx
import pytest

from tests.support.app import Login, MemoryKit
from tests.support.records import login_as
from tests.support.routes import BODIES, PUBLIC, TOKEN_ONLY, WITH_TENANT, WITH_TOKEN, Mounted, mounted_routes

JSON = {"Content-Type": "application/json"}
BAD_TOKEN = {"Authorization": "Bearer nonsense"}
MISSING = {"detail": "tenant_id and env are required"}

every_route = pytest.mark.parametrize("route", WITH_TOKEN, ids=str)
every_tenant_route = pytest.mark.parametrize("route", WITH_TENANT, ids=str)
every_body_route = pytest.mark.parametrize("route", [r for r in WITH_TENANT if r.has_body], ids=str)


async def call(kit: MemoryKit, route: Mounted, headers: dict[str, str], **how: Any) -> httpx.Response:
    if not how and route.has_body:
        how = {"json": route.body}
    return await kit.client.request(route.method, route.path, headers=headers, **how)


def answered(answer: httpx.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json()


def without(headers: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in names}


def test_every_mounted_route_is_known_here() -> None:
    paths = {route.path for route in mounted_routes()}
    assert paths == PUBLIC | TOKEN_ONLY | {
        "/analytics/events/cta-click",
        "/analytics/events/pageview",
        "/bossman/tenant-dashboard",
        "/privacy/train-prefs",
        "/privacy/train-prefs/tenant",
        "/privacy/train-prefs/user",
    }
    assert {route.path for route in WITH_TENANT if route.has_body} == set(BODIES)


@every_body_route
@pytest.mark.parametrize(
    "headers",
    [{}, BAD_TOKEN, {"X-Env": "qa"}],
    ids=["no_token", "bad_token", "bad_env"],
)
async def test_1_a_body_that_is_not_json_is_422_before_everything(
    kit: MemoryKit, route: Mounted, headers: dict[str, str]
) -> None:
    answer = await call(kit, route, JSON | headers, content=b'{"surface":')
    assert answer.status_code == 422
    assert [problem["type"] for problem in answer.json()["detail"]] == ["json_invalid"]


@every_route
async def test_2_a_bad_bearer_is_401_before_the_context(kit: MemoryKit, route: Mounted) -> None:
    answer = await call(kit, route, BAD_TOKEN)
    assert answered(answer) == (401, {"detail": "invalid token: malformed token"})
    assert answer.headers["www-authenticate"] == "Bearer"


@every_tenant_route
@pytest.mark.parametrize("env", [{}, {"X-Env": "dev"}, {"X-Env": "qa"}], ids=["no_env", "env", "bad_env"])
@pytest.mark.parametrize("tenant", ["t_foreign", "MALFORMED"])
async def test_3_a_foreign_tenant_is_403_whatever_the_env(
    kit: MemoryKit, acme: Login, route: Mounted, env: dict[str, str], tenant: str
) -> None:
    headers = without(acme.headers(), "X-Env") | {"X-Tenant-Id": tenant} | env
    answer = await call(kit, route, headers)
    assert answered(answer) == (403, {"detail": "tenant mismatch with token"})


@every_tenant_route
@pytest.mark.parametrize("given", [{}, {"X-Tenant-Id": "t_acme"}, {"X-Env": "dev"}], ids=str)
async def test_4_a_missing_tenant_or_env_is_400_even_without_a_token(
    kit: MemoryKit, route: Mounted, given: dict[str, str]
) -> None:
    assert answered(await call(kit, route, given)) == (400, MISSING)


@every_tenant_route
async def test_4_a_missing_env_is_400_although_the_token_names_the_tenant(
    kit: MemoryKit, acme: Login, route: Mounted
) -> None:
    answer = await call(kit, route, without(acme.headers(), "X-Env", "X-Tenant-Id"))
    assert answered(answer) == (400, MISSING)


@every_tenant_route
@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"X-Env": "qa"}, "invalid env: expected dev, staging or prod"),
        ({"X-Membership-Role": "king"}, "invalid membership role: expected owner, admin, member or viewer"),
    ],
    ids=["env", "role"],
)
@pytest.mark.parametrize("with_token", [True, False])
async def test_4_a_malformed_env_or_role_is_400(
    kit: MemoryKit, acme: Login, route: Mounted, header: dict[str, str], message: str, with_token: bool
) -> None:
    headers = acme.headers() if with_token else without(acme.headers(), "Authorization")
    assert answered(await call(kit, route, headers | header)) == (400, {"detail": message})


@every_tenant_route
async def test_4_a_malformed_tenant_without_a_token_is_400(kit: MemoryKit, route: Mounted) -> None:
    answer = await call(kit, route, {"X-Tenant-Id": "MALFORMED", "X-Env": "dev"})
    expected = "invalid tenant_id: expected t_ followed by a-z, 0-9, _ or -"
    assert answered(answer) == (400, {"detail": expected})


@every_route
@pytest.mark.parametrize("scheme", [None, "Basic dTpw", "Bearer", "Bearer "])
async def test_5_no_bearer_is_401(kit: MemoryKit, route: Mounted, scheme: str | None) -> None:
    headers = {"X-Tenant-Id": "t_acme", "X-Env": "dev"} | ({"Authorization": scheme} if scheme else {})
    answer = await call(kit, route, headers)
    assert answered(answer) == (401, {"detail": "missing bearer token"})
    assert answer.headers["www-authenticate"] == "Bearer"


@every_body_route
async def test_5_no_bearer_is_401_before_the_body_is_validated(kit: MemoryKit, route: Mounted) -> None:
    answer = await call(kit, route, {"X-Tenant-Id": "t_acme", "X-Env": "dev"}, json={})
    assert answered(answer) == (401, {"detail": "missing bearer token"})


@every_body_route
@pytest.mark.parametrize("body", [b"{}", b"[1]", b"null", b'"text"', b""], ids=repr)
async def test_6_a_body_of_another_shape_is_422(
    kit: MemoryKit, acme: Login, route: Mounted, body: bytes
) -> None:
    answer = await call(kit, route, acme.headers() | JSON, content=body)
    assert answer.status_code == 422
    assert {problem["loc"][0] for problem in answer.json()["detail"]} == {"body"}


@pytest.mark.parametrize("window_days", ["0", "91", "-1", "x", "1.5", ""])
async def test_6_a_query_out_of_range_is_422(kit: MemoryKit, acme: Login, window_days: str) -> None:
    answer = await kit.client.get(
        "/bossman/tenant-dashboard", params={"window_days": window_days}, headers=acme.headers()
    )
    assert answer.status_code == 422
    assert [problem["loc"] for problem in answer.json()["detail"]] == [["query", "window_days"]]


ROLE_TABLE = {
    "GET /bossman/tenant-dashboard": {"owner", "admin"},
    "POST /privacy/train-prefs/tenant": {"owner", "admin", "member"},
    "POST /privacy/train-prefs/user": {"owner", "admin", "member"},
    "GET /privacy/train-prefs": {"owner", "admin", "member", "viewer"},
    "POST /analytics/events/pageview": {"owner", "admin", "member", "viewer"},
    "POST /analytics/events/cta-click": {"owner", "admin", "member", "viewer"},
}


@every_tenant_route
@pytest.mark.parametrize("role", ["owner", "admin", "member", "viewer"])
async def test_7_roles_are_those_of_the_contract(kit: MemoryKit, route: Mounted, role: Any) -> None:
    answer = await call(kit, route, login_as(kit, role).headers())
    if role in ROLE_TABLE[str(route)]:
        assert answer.status_code == 200
    else:
        assert answered(answer) == (403, {"detail": "insufficient role for tenant"})


@every_tenant_route
async def test_the_role_header_gives_no_right(kit: MemoryKit, route: Mounted) -> None:
    headers = login_as(kit, "viewer").headers() | {"X-Membership-Role": "owner"}
    expected = 200 if "viewer" in ROLE_TABLE[str(route)] else 403
    assert (await call(kit, route, headers)).status_code == expected


@every_tenant_route
async def test_env_and_tenant_may_come_from_the_query(kit: MemoryKit, route: Mounted) -> None:
    owner = login_as(kit, "owner")
    where = {"tenant_id": owner.tenant_id, "env": "STAGE"}
    headers = without(owner.headers(), "X-Tenant-Id", "X-Env")
    assert (await call(kit, route, headers, params=where, json=route.body)).status_code == 200


@every_body_route
async def test_env_and_tenant_may_come_from_the_body(kit: MemoryKit, route: Mounted) -> None:
    owner = login_as(kit, "owner")
    body = BODIES[route.path] | {"tenant_id": owner.tenant_id, "env": "Stage"}
    headers = without(owner.headers(), "X-Tenant-Id", "X-Env")
    assert (await call(kit, route, headers, json=body)).status_code == 200


@every_route
async def test_the_bearer_scheme_may_be_in_any_case(kit: MemoryKit, acme: Login, route: Mounted) -> None:
    headers = acme.headers() | {"Authorization": f"bEaReR {acme.token}"}
    body = {"json": route.body | {"user_id": acme.user_id}} if route.body else {}
    assert (await call(kit, route, headers, **body)).status_code == 200

"""The order of checks on every mounted route: whatever comes first in the contract answers first."""

from typing import Any

import httpx
import pytest

from tests.support.app import Login, MemoryKit
from tests.support.records import login_as
from tests.support.routes import (
    BODIES,
    EMPTY_BODY_IS_FINE,
    NEEDS_A_PAYLOAD,
    PUBLIC,
    TOKEN_ONLY,
    WITH_TENANT,
    WITH_TOKEN,
    Mounted,
    mounted_routes,
)

JSON = {"Content-Type": "application/json"}
BAD_TOKEN = {"Authorization": "Bearer nonsense"}
MISSING = {"detail": "tenant_id and env are required"}

every_route = pytest.mark.parametrize("route", WITH_TOKEN, ids=str)
every_tenant_route = pytest.mark.parametrize("route", WITH_TENANT, ids=str)
every_strict_body_route = pytest.mark.parametrize(
    "route",
    [r for r in WITH_TENANT if r.has_body and r.path not in EMPTY_BODY_IS_FINE | NEEDS_A_PAYLOAD],
    ids=str,
)
every_body_route = pytest.mark.parametrize("route", [r for r in WITH_TENANT if r.has_body], ids=str)


async def call(kit: MemoryKit, route: Mounted, headers: dict[str, str], **how: Any) -> httpx.Response:
    tenant = how.pop("tenant", headers.get("X-Tenant-Id", ""))
    if not how.keys() & {"json", "content"} and route.has_body:
        how["json"] = route.body_of(tenant)
    how["params"] = route.query | how.get("params", {})
    return await kit.client.request(route.method, route.path_of(tenant), headers=headers, **how)


def without_scope(route: Mounted) -> dict[str, Any]:
    """A call whose body and query name neither tenant nor env."""
    empty: dict[str, Any] = {"json": {}} if route.has_body else {}
    return {"tenant": "t_acme", "params": {"env": ""} if "env" in route.query else {}} | empty


def answered(answer: httpx.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json()


def without(headers: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in names}


def test_every_mounted_route_is_known_here() -> None:
    assert {str(route) for route in WITH_TENANT} == set(ROLE_TABLE)
    assert {route.path for route in mounted_routes()} == PUBLIC | TOKEN_ONLY | {r.path for r in WITH_TENANT}
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
    assert answered(await call(kit, route, given, **without_scope(route))) == (400, MISSING)


@every_tenant_route
async def test_4_a_missing_env_is_400_although_the_token_names_the_tenant(
    kit: MemoryKit, acme: Login, route: Mounted
) -> None:
    answer = await call(kit, route, without(acme.headers(), "X-Env", "X-Tenant-Id"), **without_scope(route))
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


@every_strict_body_route
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


EVERYONE = {"owner", "admin", "member", "viewer"}
OWNERS = {"owner", "admin"}
ROLE_TABLE = {
    "GET /bossman/tenant-dashboard": OWNERS,
    "POST /privacy/train-prefs/tenant": {"owner", "admin", "member"},
    "POST /privacy/train-prefs/user": {"owner", "admin", "member"},
    "GET /privacy/train-prefs": EVERYONE,
    "POST /analytics/events/pageview": EVERYONE,
    "POST /analytics/events/cta-click": EVERYONE,
    "POST /strategy-locks": EVERYONE,
    "GET /strategy-locks": EVERYONE,
    "GET /strategy-locks/{lock_id}": EVERYONE,
    "PATCH /strategy-locks/{lock_id}": OWNERS,
    "POST /strategy-locks/{lock_id}/approve": OWNERS,
    "POST /strategy-locks/{lock_id}/reject": OWNERS,
    "POST /firearms/licences": OWNERS,
    "GET /firearms/licences": EVERYONE,
    "GET /firearms/licences/check/{subject_type}/{subject_id}": EVERYONE,
    "POST /firearms/licences/dangerous-demo/{subject_type}/{subject_id}": EVERYONE,
    "GET /firearms/licences/{licence_id}": EVERYONE,
    "PATCH /firearms/licences/{licence_id}": OWNERS,
    "PUT /temperature/floors": OWNERS,
    "PUT /temperature/ceilings": OWNERS,
    "PUT /temperature/weights": OWNERS,
    "GET /temperature/config": EVERYONE,
    "GET /temperature/current": EVERYONE,
    "GET /temperature/history": EVERYONE,
    "POST /kpi/definitions": OWNERS,
    "GET /kpi/definitions": EVERYONE,
    "PUT /kpi/corridors": OWNERS,
    "GET /kpi/corridors": EVERYONE,
    "GET /kpi/config": EVERYONE,
    "POST /budget/usage": EVERYONE,
    "GET /budget/usage": EVERYONE,
    "GET /budget/usage/summary": EVERYONE,
    "GET /kill-switches": OWNERS,
    "PUT /kill-switches": OWNERS,
    "PUT /tenants/{tenant_id}/analytics/config": OWNERS,
    "GET /tenants/{tenant_id}/analytics/config": EVERYONE,
    "GET /tenants/{tenant_id}/analytics/config/current": EVERYONE,
    "PUT /seo/pages": OWNERS,
    "GET /seo/pages": EVERYONE,
    "GET /seo/pages/{surface}/{page_type}": EVERYONE,
}
NOT_FOR_WANT_OF_RIGHTS = {200, 404, 409}
"""Who may act gets an answer, or learns that there is no such record or no approved lock."""
LICENCE = "firearms_licence_required"


def is_refused_for_role(answer: httpx.Response) -> bool:
    return answered(answer) == (403, {"detail": "insufficient role for tenant"})


def is_let_through(answer: httpx.Response) -> bool:
    if answer.status_code == 403:
        return LICENCE in answer.text
    return answer.status_code in NOT_FOR_WANT_OF_RIGHTS


@every_tenant_route
@pytest.mark.parametrize("role", ["owner", "admin", "member", "viewer"])
async def test_7_roles_are_those_of_the_contract(kit: MemoryKit, route: Mounted, role: Any) -> None:
    answer = await call(kit, route, login_as(kit, role).headers())
    if role in ROLE_TABLE[str(route)]:
        assert is_let_through(answer), answer.text
    else:
        assert is_refused_for_role(answer), answer.text


@every_tenant_route
async def test_the_role_header_gives_no_right(kit: MemoryKit, route: Mounted) -> None:
    headers = login_as(kit, "viewer").headers() | {"X-Membership-Role": "owner"}
    answer = await call(kit, route, headers)
    assert is_let_through(answer) == ("viewer" in ROLE_TABLE[str(route)])


@every_tenant_route
async def test_env_and_tenant_may_come_from_the_query(kit: MemoryKit, route: Mounted) -> None:
    owner = login_as(kit, "owner")
    where = {"tenant_id": owner.tenant_id, "env": "DEV"}
    headers = without(owner.headers(), "X-Tenant-Id", "X-Env")
    assert is_let_through(await call(kit, route, headers, params=where, tenant=owner.tenant_id))


@every_body_route
async def test_env_and_tenant_may_come_from_the_body(kit: MemoryKit, route: Mounted) -> None:
    owner = login_as(kit, "owner")
    body = (route.body_of(owner.tenant_id) or {}) | {"tenant_id": owner.tenant_id, "env": "Stage"}
    headers = without(owner.headers(), "X-Tenant-Id", "X-Env")
    assert is_let_through(await call(kit, route, headers, json=body, tenant=owner.tenant_id))


@every_route
async def test_the_bearer_scheme_may_be_in_any_case(kit: MemoryKit, acme: Login, route: Mounted) -> None:
    headers = acme.headers() | {"Authorization": f"bEaReR {acme.token}"}
    body = {"json": given | {"user_id": acme.user_id}} if (given := route.body_of(acme.tenant_id)) else {}
    assert is_let_through(await call(kit, route, headers, **body))

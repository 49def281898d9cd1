"""RequestContext: which of header, query, body and token decides, and what is refused."""

import re
from typing import Any

import pytest
from starlette.datastructures import Headers

from engines.common.documents import Scope
from engines.common.errors import BadRequest, Forbidden
from engines.common.identity import (
    AuthContext,
    RequestContext,
    check_body_scope,
    is_tenant_id,
    normalise_env,
    resolve,
)

TENANTS = ["t_header", "t_query", "t_body", "t_token"]
TOKEN = AuthContext(
    user_id="u_token",
    tenant_ids=TENANTS,
    default_tenant_id="t_token",
    role_map={"t_header": "viewer", "t_token": "admin"},
)
ANYWHERE = {"x-tenant-id": "t_header", "x-env": "dev"}


def context(
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    body: dict[str, Any] | None = None,
    auth: AuthContext | None = TOKEN,
) -> RequestContext:
    return resolve(Headers(headers or {}), query or {}, body or {}, auth)


@pytest.mark.parametrize(
    ("headers", "query", "body", "expected"),
    [
        ({"X-Tenant-Id": "t_header"}, {"tenant_id": "t_query"}, {"tenant_id": "t_body"}, "t_header"),
        ({"X-Tenant-Id": ""}, {"tenant_id": "t_query"}, {"tenant_id": "t_body"}, "t_query"),
        ({}, {"tenant_id": ""}, {"tenant_id": "t_body"}, "t_body"),
        ({}, {}, {"tenant_id": ""}, "t_token"),
        ({}, {}, {"tenant_id": 7}, "t_token"),
        ({}, {}, {"tenant_id": None}, "t_token"),
        ({}, {}, {}, "t_token"),
    ],
    ids=["header", "query", "body", "empty_body", "number_in_body", "null_in_body", "token"],
)
def test_tenant_comes_from_header_query_body_token(
    headers: dict[str, str], query: dict[str, str], body: dict[str, Any], expected: str
) -> None:
    assert context(headers | {"x-env": "dev"}, query, body).tenant_id == expected


@pytest.mark.parametrize(
    ("headers", "query", "body", "expected"),
    [
        ({"X-Env": "prod"}, {"env": "staging"}, {"env": "dev"}, "prod"),
        ({"X-Env": ""}, {"env": "staging"}, {"env": "dev"}, "staging"),
        ({}, {"env": ""}, {"env": "dev"}, "dev"),
        ({"X-Env": "Stage"}, {}, {}, "staging"),
        ({}, {"env": "STAGE"}, {}, "staging"),
        ({}, {}, {"env": "stage"}, "staging"),
        ({"X-Env": "PROD"}, {}, {}, "prod"),
    ],
)
def test_env_comes_from_header_query_body_in_its_stored_form(
    headers: dict[str, str], query: dict[str, str], body: dict[str, Any], expected: str
) -> None:
    assert context(headers | {"x-tenant-id": "t_header"}, query, body).env == expected


@pytest.mark.parametrize("env", [{}, {"env": ""}, {"env": 1}, {"env": ["dev"]}])
def test_env_never_comes_from_the_token(env: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match=r"^tenant_id and env are required$"):
        context(body=env)


@pytest.mark.parametrize(
    ("headers", "query", "body", "auth", "expected"),
    [
        ({"X-User-Id": "u_header"}, {"user_id": "u_query"}, {}, TOKEN, "u_token"),
        ({"X-User-Id": "u_header"}, {"user_id": "u_query"}, {}, None, "u_header"),
        ({"X-User-Id": ""}, {"user_id": "u_query"}, {}, None, "u_query"),
        ({}, {}, {"user_id": "u_body"}, None, None),
        ({}, {}, {}, None, None),
    ],
    ids=["token", "header", "query", "body_not_consulted", "none"],
)
def test_user_comes_from_token_header_query(
    headers: dict[str, str],
    query: dict[str, str],
    body: dict[str, Any],
    auth: AuthContext | None,
    expected: str | None,
) -> None:
    assert context(ANYWHERE | headers, query, body, auth).user_id == expected


@pytest.mark.parametrize("given", [{"x-env": "dev"}, {"x-tenant-id": "t_body"}], ids=["env", "tenant"])
def test_user_comes_from_the_body_only_while_tenant_or_env_was_missing(given: dict[str, str]) -> None:
    body = {"tenant_id": "t_body", "env": "dev", "user_id": "u_body"}
    assert context(given, body=body, auth=None).user_id == "u_body"


@pytest.mark.parametrize(
    ("headers", "auth", "expected"),
    [
        ({"X-Membership-Role": "owner"}, TOKEN, "owner"),
        ({"X-Membership-Role": ""}, TOKEN, "viewer"),
        ({}, TOKEN, "viewer"),
        ({"X-Tenant-Id": "t_query"}, TOKEN, None),
        ({}, None, None),
    ],
    ids=["header", "empty_header", "token", "no_role_in_this_tenant", "no_token"],
)
def test_role_comes_from_header_then_token(
    headers: dict[str, str], auth: AuthContext | None, expected: str | None
) -> None:
    merged = {key.lower(): value for key, value in headers.items()}
    assert context(ANYWHERE | merged, auth=auth).membership_role == expected


def test_request_id_comes_from_its_header_or_is_32_hex_and_new() -> None:
    assert context(ANYWHERE | {"x-request-id": "free text"}).request_id == "free text"
    generated = {context(ANYWHERE | {"x-request-id": given}).request_id for given in ("", "")}
    assert len(generated) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", request_id) for request_id in generated)


def test_a_context_holds_nothing_else() -> None:
    assert context(ANYWHERE | {"x-request-id": "r"}).model_dump() == {
        "request_id": "r",
        "tenant_id": "t_header",
        "env": "dev",
        "user_id": "u_token",
        "membership_role": "viewer",
        "auth_subject": None,
        "is_system": False,
    }
    assert context(ANYWHERE).scope == Scope("t_header", "dev")


@pytest.mark.parametrize("where", ["header", "query", "body"])
def test_a_tenant_that_the_token_does_not_name_is_forbidden_before_anything_else(where: str) -> None:
    sources: dict[str, Any] = {
        "headers": {"x-tenant-id": "t_foreign"} if where == "header" else {},
        "query": {"tenant_id": "t_foreign"} if where == "query" else {},
        "body": {"tenant_id": "t_foreign"} if where == "body" else {},
    }
    with pytest.raises(Forbidden, match=r"^tenant mismatch with token$"):
        context(**sources)


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"x-tenant-id": "T_upper"}, "invalid tenant_id: expected t_ followed by a-z, 0-9, _ or -"),
        ({"x-tenant-id": "t_"}, "invalid tenant_id: expected t_ followed by a-z, 0-9, _ or -"),
        ({"x-tenant-id": "system"}, "invalid tenant_id: expected t_ followed by a-z, 0-9, _ or -"),
        ({"x-env": "qa"}, "invalid env: expected dev, staging or prod"),
        ({"x-env": "local"}, "invalid env: expected dev, staging or prod"),
        ({"x-env": "dev "}, "invalid env: expected dev, staging or prod"),
        ({"x-membership-role": "king"}, "invalid membership role: expected owner, admin, member or viewer"),
        ({"x-membership-role": "Owner"}, "invalid membership role: expected owner, admin, member or viewer"),
    ],
)
def test_malformed_values_are_a_bad_request(headers: dict[str, str], message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        context(ANYWHERE | headers, auth=None)
    assert caught.value.detail == message


@pytest.mark.parametrize(
    ("value", "expected"),
    [("t_a", True), ("t_a-b_0", True), ("t_", False), ("t_A", False), ("x_a", False), ("t_a\n", False)],
)
def test_tenant_ids(value: str, expected: bool) -> None:
    assert is_tenant_id(value) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("dev", "dev"),
        ("STAGE", "staging"),
        ("Staging", "staging"),
        ("prod", "prod"),
        ("", None),
        ("qa", None),
    ],
)
def test_normalised_envs(value: str, expected: str | None) -> None:
    assert normalise_env(value) == expected


@pytest.mark.parametrize(
    ("tenant_id", "env"),
    [(None, None), ("", ""), ("t_header", "dev"), ("t_header", "DEV")],
)
def test_a_body_may_repeat_its_scope(tenant_id: str | None, env: str | None) -> None:
    # Returns nothing; that it does not raise is the statement.
    check_body_scope(context(ANYWHERE), tenant_id, env)


def test_a_body_may_say_stage_for_staging() -> None:
    check_body_scope(context({"x-tenant-id": "t_header", "x-env": "staging"}), None, "Stage")


@pytest.mark.parametrize(
    ("tenant_id", "env", "message"),
    [
        ("t_query", None, "tenant_id mismatch with request context"),
        ("t_query", "prod", "tenant_id mismatch with request context"),
        (None, "prod", "env mismatch with request context"),
        ("t_header", "qa", "env mismatch with request context"),
    ],
)
def test_a_body_that_names_another_scope_is_a_bad_request(
    tenant_id: str | None, env: str | None, message: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        check_body_scope(context(ANYWHERE), tenant_id, env)
    assert caught.value.detail == message

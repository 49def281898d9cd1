"""What strangers and broken clients send to the running stack: 4xx in the one error shape, never 5xx."""

import base64
import json
from typing import Any

import httpx
import jwt
import pytest

from tests.support.app import Login
from tests.support.people import sign_up
from tests.support.stack import Stack

DASHBOARD = "/bossman/tenant-dashboard"
PAGEVIEW = "/analytics/events/pageview"
MANY_KEYS = b",".join(b'"%d":0' % key for key in range(60_000))


@pytest.fixture(scope="module")
def owner(stack: Stack) -> Login:
    with stack.client() as http:
        return sign_up(http, "Initech")


def encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def unsigned(claims: dict[str, Any]) -> str:
    return f"{encoded({'alg': 'none', 'typ': 'JWT'})}.{encoded(claims)}."


def tokens(owner: Login) -> dict[str, str]:
    claims = jwt.decode(owner.token, options={"verify_signature": False})
    header, payload, signature = owner.token.split(".")
    return {
        "forged": jwt.encode(claims, "some other secret of 32 bytes or more", algorithm="HS256"),
        "alg_none": unsigned(claims),
        "hs512": jwt.encode(claims, "x" * 64, algorithm="HS512"),
        "rs256_header": f"{encoded({'alg': 'RS256', 'typ': 'JWT'})}.{payload}.{signature}",
        "tampered": f"{header}.{payload[:-4]}AAAA.{signature}",
        "garbage": "not-a-token",
    }


@pytest.mark.parametrize("kind", ["forged", "alg_none", "hs512", "rs256_header", "tampered", "garbage"])
def test_a_token_that_is_not_ours_is_401(http: httpx.Client, owner: Login, kind: str) -> None:
    headers = owner.headers() | {"Authorization": f"Bearer {tokens(owner)[kind]}"}
    answer = http.get(DASHBOARD, headers=headers)
    assert answer.status_code == 401
    assert answer.json()["detail"].startswith("invalid token: ")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("changed", "status", "detail"),
    [
        ({"X-Env": "qa"}, 400, "invalid env: expected dev, staging or prod"),
        ({"X-Env": ""}, 400, "tenant_id and env are required"),
        ({"X-Tenant-Id": "t_UPPER"}, 403, "tenant mismatch with token"),
        (
            {"X-Membership-Role": "king"},
            400,
            "invalid membership role: expected owner, admin, member or viewer",
        ),
        ({"Authorization": ""}, 401, "missing bearer token"),
        (
            {"Authorization": "", "X-Tenant-Id": "../x"},
            400,
            "invalid tenant_id: expected t_ followed by a-z, 0-9, _ or -",
        ),
        ({"Authorization": "Basic abc"}, 401, "missing bearer token"),
    ],
    ids=["unknown_env", "no_env", "odd_tenant", "junk_role", "no_token", "malformed_tenant", "other_scheme"],
)
def test_a_bad_header_is_refused_with_its_reason(
    http: httpx.Client, owner: Login, changed: dict[str, str], status: int, detail: str
) -> None:
    answer = http.get(DASHBOARD, headers=owner.headers() | changed)
    assert (answer.status_code, answer.json()) == (status, {"detail": detail})


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 422),
        (b"[]", 422),
        (b"", 422),
        (b"\xff\xfe", 422),
        (b"[" * 100_000, 400),
        (b'{"surface": 5}', 422),
        (b'{"surface": "s", "metadata": {"x": [[1]]}}', 422),
        (b'{"surface": "s", "metadata": {"x": "\\ud800"}}', 422),
        (b'{"surface": "s", "metadata": {"x": 1' + b"0" * 40 + b"}}", 422),
        (b'{"surface": "s", "metadata": {"x": [1, NaN]}}', 422),
        (b'{"surface": "s", "metadata": {"x": -Infinity}}', 422),
        (b'{"surface": "s", "utm_source": "\\ud800"}', 422),
        (b'{"surface": "s", "metadata": {"k": [0' + b",0" * 45_000 + b"]}}", 422),
        (
            b'{"surface": "s", "metadata": {' + MANY_KEYS + b"}}",
            422,
        ),
        (b'{"surface": "s", "metadata": {"x": "' + b"y" * 1_100_000 + b'"}}', 413),
    ],
    ids=[
        *("no_json", "array", "empty", "no_text", "deep", "wrong_type"),
        *("nested_list", "surrogate", "huge_number", "nan", "infinity", "surrogate_in_a_field"),
        *("long_list", "many_keys", "huge_body"),
    ],
)
def test_a_bad_body_is_refused_in_the_one_shape(
    http: httpx.Client, owner: Login, content: bytes, status: int
) -> None:
    answer = http.post(
        PAGEVIEW, content=content, headers=owner.headers() | {"Content-Type": "application/json"}
    )
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert "detail" in body or body["status"] == "error"

"""Internal tokens: exact claims, and what is not accepted as one."""

import base64
import json
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from engines.common.errors import Unauthorized
from engines.common.identity import AuthContext
from engines.identity.models import TenantMembership, User
from engines.identity.tokens import Tokens
from tests.support.app import SIGNING_SECRET, Login, MemoryKit

PAST, FUTURE = 1_000_000_000, 32_000_000_000
CLAIMS = {
    "default_tenant_id": "t_b",
    "email": "p@example.com",
    "role_map": {"t_a": "viewer", "t_b": "owner"},
    "sub": "u_1",
    "tenant_ids": ["t_b", "t_a"],
}


def encode(payload: bytes) -> str:
    return base64.urlsafe_b64encode(payload).rstrip(b"=").decode()


def signed(claims: Any, secret: str = SIGNING_SECRET, **headers: Any) -> str:
    return jwt.encode(claims, secret, algorithm="HS256", headers=headers)


def unsigned(header: bytes, claims: Any, signature: str = "") -> str:
    return f"{encode(header)}.{encode(json.dumps(claims).encode())}.{signature}"


def test_a_token_holds_exactly_the_contracts_header_and_claims() -> None:
    memberships = [
        TenantMembership(tenant_id="t_b", user_id="u_1", role="owner"),
        TenantMembership(tenant_id="t_a", user_id="u_1", role="viewer"),
    ]
    token = Tokens(SIGNING_SECRET).issue(User(id="u_1", email="p@example.com"), memberships)
    header, payload, signature = token.split(".")
    assert header == encode(b'{"alg":"HS256","typ":"JWT"}')
    assert payload == encode(json.dumps(CLAIMS, separators=(",", ":"), sort_keys=True).encode())
    assert "=" not in signature
    assert jwt.decode(token, SIGNING_SECRET, algorithms=["HS256"]) == CLAIMS


def test_a_user_without_memberships_has_a_token_without_tenants() -> None:
    token = Tokens(SIGNING_SECRET).issue(User(id="u_1", email="p@example.com"), [])
    expected = {
        "default_tenant_id": "",
        "email": "p@example.com",
        "role_map": {},
        "sub": "u_1",
        "tenant_ids": [],
    }
    assert jwt.decode(token, SIGNING_SECRET, algorithms=["HS256"]) == expected


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"exp": FUTURE},
        {"nbf": PAST},
        {"iat": PAST},
        {"aud": "anyone", "iss": "anywhere", "jti": "1"},
    ],
    ids=["plain", "future_exp", "past_nbf", "past_iat", "aud_iss_jti"],
)
def test_a_good_token_says_what_its_claims_say(more: dict[str, Any]) -> None:
    assert Tokens(SIGNING_SECRET).verify(signed(CLAIMS | more)) == AuthContext(
        user_id="u_1",
        email="p@example.com",
        tenant_ids=["t_b", "t_a"],
        default_tenant_id="t_b",
        role_map={"t_a": "viewer", "t_b": "owner"},
        provider="internal",
        claims=CLAIMS | more,
    )


def test_missing_claims_but_sub_have_the_contracts_defaults() -> None:
    expected = AuthContext(user_id="u_1", claims={"sub": "u_1"})
    assert Tokens(SIGNING_SECRET).verify(signed({"sub": "u_1"})) == expected
    assert (expected.email, expected.tenant_ids, expected.default_tenant_id, expected.role_map) == (
        "",
        [],
        "",
        {},
    )


def rs256() -> str:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return jwt.encode(CLAIMS, pem, algorithm="RS256")


def tampered() -> str:
    header, _, signature = signed(CLAIMS).split(".")
    raised = CLAIMS | {"role_map": {"t_a": "owner"}}
    return f"{header}.{encode(json.dumps(raised).encode())}.{signature}"


def hs512() -> str:
    return jwt.encode(CLAIMS, SIGNING_SECRET * 2, algorithm="HS512")


MALFORMED = "malformed token"
WRONG_SIGNATURE = "signature does not match"
WRONG_ALGORITHM = "algorithm not allowed"
BAD_CLAIMS = "malformed claims"

REFUSED: dict[str, tuple[str, str]] = {
    "garbage": ("garbage", MALFORMED),
    "two_parts": ("a.b", MALFORMED),
    "four_parts": (signed(CLAIMS) + ".x", MALFORMED),
    "only_dots": ("..", MALFORMED),
    "not_base64": ("!.!.!", MALFORMED),
    "header_no_json": (unsigned(b"nothing", CLAIMS), MALFORMED),
    "header_no_object": (unsigned(b"[]", CLAIMS), MALFORMED),
    "header_deeply_nested": (unsigned(b'{"alg":"HS256","x":' + b"[" * 20_000, CLAIMS), MALFORMED),
    "tampered": (tampered(), WRONG_SIGNATURE),
    "other_secret": (signed(CLAIMS, "another secret of at least thirty-two bytes"), WRONG_SIGNATURE),
    "no_signature": (unsigned(b'{"alg":"HS256","typ":"JWT"}', CLAIMS), WRONG_SIGNATURE),
    "alg_none": (unsigned(b'{"alg":"none","typ":"JWT"}', CLAIMS), WRONG_ALGORITHM),
    "alg_None": (unsigned(b'{"alg":"None","typ":"JWT"}', CLAIMS), WRONG_ALGORITHM),
    "alg_missing": (unsigned(b'{"typ":"JWT"}', CLAIMS), WRONG_ALGORITHM),
    "alg_lower_case": (unsigned(b'{"alg":"hs256"}', CLAIMS), WRONG_ALGORITHM),
    "hs512": (hs512(), WRONG_ALGORITHM),
    "rs256": (rs256(), WRONG_ALGORITHM),
    "expired": (signed(CLAIMS | {"exp": PAST}), "expired"),
    "exp_text": (signed(CLAIMS | {"exp": "soon"}), MALFORMED),
    "not_yet_valid": (signed(CLAIMS | {"nbf": FUTURE}), "the token is not yet valid (nbf)"),
    "iat_to_come": (signed(CLAIMS | {"iat": FUTURE}), "the token is not yet valid (iat)"),
    "no_sub": (signed({"email": "p@example.com"}), 'token is missing the "sub" claim'),
    "sub_null": (signed(CLAIMS | {"sub": None}), 'token is missing the "sub" claim'),
    "tenant_ids_text": (signed(CLAIMS | {"tenant_ids": "t_a"}), BAD_CLAIMS),
    "tenant_ids_numbers": (signed(CLAIMS | {"tenant_ids": [1]}), BAD_CLAIMS),
    "role_map_list": (signed(CLAIMS | {"role_map": ["owner"]}), BAD_CLAIMS),
    "email_null": (signed(CLAIMS | {"email": None}), BAD_CLAIMS),
}


def sub_of_another_type(sub: Any) -> str:
    """PyJWT does not sign such a claim, so it is signed by hand."""
    return jwt.api_jws.encode(json.dumps(CLAIMS | {"sub": sub}).encode(), SIGNING_SECRET, "HS256")


@pytest.mark.parametrize(("token", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_a_bad_token_is_refused_with_its_reason(token: str, reason: str) -> None:
    with pytest.raises(Unauthorized) as caught:
        Tokens(SIGNING_SECRET).verify(token)
    assert caught.value.detail == f"invalid token: {reason}"


@pytest.mark.parametrize("sub", [7, ["u_1"], {"id": "u_1"}, True], ids=repr)
def test_a_sub_that_is_not_text_is_refused(sub: Any) -> None:
    with pytest.raises(Unauthorized, match=r"^invalid token: subject must be a string$"):
        Tokens(SIGNING_SECRET).verify(sub_of_another_type(sub))


@pytest.mark.parametrize("payload", [b"[]", b'"text"', b"7", b"not json", b"\xff"], ids=repr)
def test_a_payload_that_is_no_json_object_is_refused(payload: bytes) -> None:
    token = jwt.api_jws.encode(payload, SIGNING_SECRET, "HS256")
    with pytest.raises(Unauthorized, match=r"^invalid token: malformed token$"):
        Tokens(SIGNING_SECRET).verify(token)


@pytest.mark.parametrize("name", ["garbage", "alg_none", "rs256", "expired", "no_sub", "other_secret"])
async def test_over_http_a_bad_token_is_401(kit: MemoryKit, name: str) -> None:
    token, reason = REFUSED[name]
    answer = await kit.client.get("/auth/me", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()) == (401, {"detail": f"invalid token: {reason}"})


async def test_bytes_outside_ascii_in_the_header_are_401(kit: MemoryKit) -> None:
    request = httpx.Request(
        "GET", "http://localhost/auth/me", headers=[(b"Authorization", "Bearer ü.ü.ü".encode())]
    )
    answer = await kit.client.send(request)
    assert (answer.status_code, answer.json()) == (401, {"detail": "invalid token: malformed token"})


async def test_me_shows_what_the_token_says_and_bootstrap_the_same(kit: MemoryKit, acme: Login) -> None:
    headers = {"Authorization": f"Bearer {acme.token}"}
    claims = jwt.decode(acme.token, SIGNING_SECRET, algorithms=["HS256"])
    expected = {
        "user_id": acme.user_id,
        "email": "acme@example.com",
        "tenant_ids": [acme.tenant_id],
        "default_tenant_id": acme.tenant_id,
        "role_map": {acme.tenant_id: "owner"},
        "provider": "internal",
        "claims": claims,
    }
    for path in ("/auth/me", "/auth/bootstrap"):
        answer = await kit.client.get(path, headers=headers)
        assert (answer.status_code, answer.json()) == (200, expected)
        assert list(answer.json()) == list(expected)

"""Signed tokens with claims that nobody would issue: 401, never a 500."""

import base64
import hashlib
import hmac

import pytest

from tests.support.app import SIGNING_SECRET, MemoryKit

DEEP = "[" * 400 + "]" * 400
EXTREME = {
    "exp 1e400": '"exp": 1e400',
    "exp -1e400": '"exp": -1e400',
    "exp NaN": '"exp": NaN',
    "exp text": '"exp": "soon"',
    "exp list": '"exp": [1]',
    "exp null": '"exp": null',
    "exp true": '"exp": true',
    "exp negative": '"exp": -1',
    "exp long": f'"exp": {"9" * 5_000}',
    "nbf 1e400": '"nbf": 1e400',
    "nbf huge": f'"nbf": {"9" * 400}',
    "iat 1e400": '"iat": 1e400',
    "iat object": '"iat": {}',
    "email number": '"email": 7',
    "tenants nested": '"tenant_ids": [["t_a"]]',
    "tenants text": '"tenant_ids": "t_a"',
    "tenants numbers": '"tenant_ids": [1e400]',
    "roles nested": '"role_map": {"t_a": {"t_a": "owner"}}',
    "roles list": '"role_map": ["owner"]',
    "default null": '"default_tenant_id": null',
    "other 1e400": '"other": 1e400',
    "other deep": f'"other": {DEEP}',
    "other deeper": f'"other": {"[" * 60_000}{"]" * 60_000}',
    "other surrogate": '"other": "\\ud800"',
    "name surrogate": '"\\ud800": 1',
    "email surrogate": '"email": "\\ud800"',
}


def signed(payload: str) -> str:
    def part(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    text = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(payload.encode())
    signature = hmac.new(SIGNING_SECRET.encode(), text, hashlib.sha256).digest()
    return (text + b"." + part(signature)).decode()


@pytest.mark.parametrize("claim", EXTREME.values(), ids=EXTREME.keys())
async def test_extreme_claims_are_401(kit: MemoryKit, claim: str) -> None:
    headers = {"Authorization": "Bearer " + signed('{"sub": "u", ' + claim + "}")}
    answer = await kit.client.get("/auth/me", headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("subject", ["7", "null", "[]", "true", "1e400", '"\\ud800"'])
async def test_extreme_subjects_are_401(kit: MemoryKit, subject: str) -> None:
    headers = {"Authorization": "Bearer " + signed('{"sub": ' + subject + "}")}
    assert (await kit.client.get("/auth/me", headers=headers)).status_code == 401


async def test_a_plain_token_made_like_these_is_accepted(kit: MemoryKit) -> None:
    headers = {"Authorization": "Bearer " + signed('{"sub": "u", "exp": 4e9, "other": [[1, "a"], {}]}')}
    assert (await kit.client.get("/auth/me", headers=headers)).status_code == 200

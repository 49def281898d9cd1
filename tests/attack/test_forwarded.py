"""What a front forwards is taken from a front alone, and only in the environments that have one."""

from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from engines.common.front import Front, is_behind_front
from engines.common.security_headers import SecurityHeaders

POD, GOOGLE, PUBLIC = "10.0.0.7", "35.191.4.5", "203.0.113.9"


async def seen(env: str, peer: str, host: str, **headers: str) -> httpx.Response:
    """What the app sees of a request from ``peer``."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found = {"scheme": scope["scheme"], "client": Request(scope).client.host}  # type: ignore[union-attr]
        await JSONResponse(found)(scope, receive, send)

    transport = httpx.ASGITransport(SecurityHeaders(Front(app, env)), client=(peer, 4711))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await client.get("/bossman/", headers=sent)


TLS = {"X_Forwarded_Proto": "https"}


@pytest.mark.parametrize("env", ["staging", "stage", "prod", "PROD"])
@pytest.mark.parametrize("peer", [POD, GOOGLE, "127.0.0.1", "169.254.1.1", "fd00::1", "::ffff:10.0.0.7"])
async def test_behind_a_front_its_host_scheme_and_caller_are_taken(env: str, peer: str) -> None:
    answer = await seen(env, peer, "bossman.example", X_Forwarded_For=f"1.1.1.1, {PUBLIC}, {POD}", **TLS)
    assert answer.json() == {"scheme": "https", "client": PUBLIC}
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize(
    ("env", "peer"), [("prod", "8.8.8.8"), ("dev", POD), ("test", POD), ("", "127.0.0.1")]
)
async def test_elsewhere_they_are_not(env: str, peer: str) -> None:
    assert (await seen(env, peer, "bossman.example", **TLS)).status_code == 421
    answer = await seen(env, peer, "localhost", X_Forwarded_For="9.9.9.9", **TLS)
    assert answer.json() == {"scheme": "http", "client": peer}
    assert "strict-transport-security" not in answer.headers


@pytest.mark.parametrize("proto", ["http", "https, http", "ftp", "", "HTTPS"])
async def test_a_foreign_host_needs_tls_on_the_last_hop(proto: str) -> None:
    answer = await seen("prod", POD, "bossman.example", X_Forwarded_Proto=proto)
    assert (answer.status_code, "X-Forwarded-Proto: https" in answer.text) == (421, True)


@pytest.mark.parametrize("env", ["prod", "dev"])
@pytest.mark.parametrize("host", ["backend", "172.18.0.5:8000"])
async def test_row_16_the_host_of_an_upstream_that_is_none_of_ours_names_the_fronts_settings(
    env: str, host: str
) -> None:
    answer = await seen(env, POD, host)
    assert (answer.status_code, "proxy_set_header Host $http_host" in answer.text) == (421, True)


@pytest.mark.parametrize(
    ("forwarded", "caller"),
    [
        ("", POD),
        ("nonsense", POD),
        (f"{PUBLIC}, nonsense", POD),
        (f"9.9.9.9, {PUBLIC}", PUBLIC),
        (f"9.9.9.9, {PUBLIC}, 10.1.1.1", PUBLIC),
        ("10.2.2.2", "10.2.2.2"),
        ("2001:db8::1", "2001:db8::1"),
    ],
)
async def test_the_caller_is_the_last_address_that_no_front_has(forwarded: str, caller: str) -> None:
    values: dict[str, Any] = TLS | {"X_Forwarded_For": forwarded}
    assert (await seen("prod", POD, "bossman.example", **values)).json()["client"] == caller


def test_only_known_environments_have_a_front() -> None:
    known = {env: is_behind_front(env) for env in ("prod", "staging", "dev", "production", "")}
    assert known == {"prod": True, "staging": True, "dev": False, "production": False, "": False}

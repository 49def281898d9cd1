"""Headers of every answer: of pages and JSON, of errors and of what fails inside."""

import httpx
import pytest

from engines.app import create_app
from engines.common.security_headers import DEFAULTS, ISOLATION
from tests.support.app import SYSTEM_KEY, Login, MemoryKit, serving, settings
from tests.support.routes import mounted_routes

ROUTES = mounted_routes()
OTHERS = ("/docs", "/openapi.json", "/bossman/", "/bossman", "/bossman/sign-in", "/bossman/static/page.css")
KEPT = {"/bossman/static/page.css"}
"""Its address changes with its content."""


def check(answer: httpx.Response, *, may_be_kept: bool = False) -> None:
    for name, value in ISOLATION.items():
        assert answer.headers[name] == value, answer.url
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    if not may_be_kept:
        assert answer.headers["cache-control"] == "no-store", answer.url


@pytest.mark.parametrize("route", ROUTES, ids=str)
async def test_every_route_says_so(kit: MemoryKit, acme: Login, route: object) -> None:
    method, path = str(route).split(" ", 1)
    own = acme.headers() | {"X-System-Key": SYSTEM_KEY}
    for headers in ({}, own):
        check(await kit.client.request(method, path.replace("{", "").replace("}", ""), headers=headers))


@pytest.mark.parametrize("path", OTHERS)
async def test_what_is_no_api_too(kit: MemoryKit, path: str) -> None:
    check(await kit.client.get(path), may_be_kept=path in KEPT)


async def test_errors_too(kit: MemoryKit) -> None:
    client = kit.client
    answers = {
        404: await client.get("/nowhere"),
        405: await client.delete("/livez"),
        413: await client.post("/auth/login", content=b" " * 1_048_577),
        421: await client.get("/livez", headers={"Host": "evil.example"}),
        422: await client.post("/auth/login", json={}),
    }
    for status, answer in answers.items():
        assert answer.status_code == status
        check(answer)


async def test_what_fails_inside_too(kit: MemoryKit) -> None:
    app = create_app(settings(), kit.adapters())
    async with serving(app):
        app.state.services.identity = None
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="https://localhost") as client:
            answer = await client.post("/auth/login", json={"email": "a", "password": "b"})
    assert answer.status_code == 500
    check(answer)
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


async def test_an_answer_with_a_token_is_kept_by_nobody(kit: MemoryKit, acme: Login) -> None:
    body = {"email": acme.email, "password": "password of acme"}
    answer = await kit.client.post("/auth/login", json=body)
    assert "access_token" in answer.json()
    assert {name: answer.headers[name] for name in DEFAULTS} == DEFAULTS

"""Sessions of the page, and forms that only it can send."""

from typing import Any

import httpx
import jwt
import pytest

from engines.common.documents import SYSTEM
from engines.identity.models import TenantMembership
from tests.support.app import SIGNING_SECRET, Login, MemoryKit
from tests.support.page_client import HOME, form_of, hold, sign_in


async def test_signing_in_keeps_the_token_out_of_reach_of_scripts_and_other_sites(
    browser: httpx.AsyncClient, acme: Login
) -> None:
    answer = await sign_in(browser, acme)
    assert (answer.status_code, answer.headers["location"]) == (303, HOME)
    [cookie] = [c for c in answer.headers.get_list("set-cookie") if c.startswith("bossman_session=")]
    parts = cookie.lower().split("; ")
    assert {"httponly", "samesite=lax", "path=/bossman", "max-age=43200"} <= set(parts)
    assert "secure" not in parts
    page = await browser.get(HOME)
    assert page.status_code == 200
    assert ">acme <small>dev" in page.text


async def test_over_https_the_cookies_are_secure(kit: MemoryKit, acme: Login) -> None:
    async with httpx.AsyncClient(transport=kit.client._transport, base_url="https://localhost") as browser:
        answer = await sign_in(browser, acme)
        assert answer.status_code == 303
        assert all("Secure" in cookie for cookie in answer.headers.get_list("set-cookie"))


async def test_a_token_of_many_tenants_fits_and_shrinks_again(
    kit: MemoryKit, browser: httpx.AsyncClient, acme: Login
) -> None:
    identity = kit.services.identity
    others = [TenantMembership(tenant_id=f"t_{n:032}", user_id=acme.user_id) for n in range(110)]
    for other in others:
        await identity.memberships.put(SYSTEM, other.id, other)
    answer = await sign_in(browser, acme)
    cookies = [c for c in answer.headers.get_list("set-cookie") if c.startswith("bossman_session")]
    assert len(cookies) > 2
    assert max(len(cookie) for cookie in cookies) < 4_000
    page = await browser.get(HOME)
    assert (page.status_code, "100 of 111 tenants are listed" in page.text) == (200, True)
    for other in others:
        await identity.memberships.delete(SYSTEM, other.id)
    await sign_in(browser, acme)
    assert [name for name in browser.cookies if name.startswith("bossman_session_")] == []
    assert (await browser.get(HOME)).status_code == 200


async def test_the_json_api_does_not_read_the_cookie(browser: httpx.AsyncClient, acme: Login) -> None:
    await sign_in(browser, acme)
    answer = await browser.get("/bossman/tenant-dashboard", headers={"X-Env": "dev"})
    assert answer.status_code in (400, 401)


@pytest.mark.parametrize("password", ["wrong", ""])
async def test_a_wrong_password_shows_the_form_again_and_starts_nothing(
    browser: httpx.AsyncClient, acme: Login, password: str
) -> None:
    answer = await sign_in(browser, acme, password)
    assert answer.status_code == 401
    assert "do not belong together" in answer.text
    assert f'value="{acme.email}"' in answer.text
    assert "bossman_session" not in browser.cookies


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost.evil.example", "Sec-Fetch-Site": "same-origin"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["sign-in", "sign-out"])
async def test_a_form_of_another_site_is_refused(
    browser: httpx.AsyncClient, acme: Login, path: str, headers: dict[str, str]
) -> None:
    await sign_in(browser, acme)
    form = {"form_token": await form_of(browser), "email": acme.email, "password": "password of acme"}
    answer = await browser.post(HOME + path, data=form, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("token", [None, "", "guessed", "é"])
@pytest.mark.parametrize("path", ["sign-in", "sign-out"])
async def test_a_form_without_its_secret_is_refused(
    browser: httpx.AsyncClient, acme: Login, path: str, token: str | None
) -> None:
    await form_of(browser)
    form = {"email": acme.email, "password": "password of acme"}
    form |= {} if token is None else {"form_token": token}
    assert (await browser.post(HOME + path, data=form)).status_code == 403
    browser.cookies.clear()
    assert (await browser.post(HOME + path, data=form)).status_code == 403


async def test_signing_out_ends_the_session_and_is_no_link(browser: httpx.AsyncClient, acme: Login) -> None:
    await sign_in(browser, acme)
    assert (await browser.get(f"{HOME}sign-out")).status_code == 405
    answer = await browser.post(f"{HOME}sign-out", data={"form_token": await form_of(browser, HOME)})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{HOME}sign-in")
    assert "bossman_session" not in browser.cookies
    assert (await browser.get(HOME)).status_code == 401


@pytest.mark.parametrize(
    "surface", ["http://evil.example", "//evil.example", "x\r\nSet-Cookie: a=b", "\u202e"]
)
async def test_after_sign_in_one_goes_to_our_own_page_only(
    browser: httpx.AsyncClient, acme: Login, surface: str
) -> None:
    answer = await sign_in(browser, acme, surface=surface, env="prod", next=surface, location=surface)
    target = httpx.URL(answer.headers["location"])
    assert (target.is_relative_url, target.path, target.params["surface"]) == (True, HOME, surface)
    assert target.params["env"] == "prod"


def expired_token(who: Login) -> str:
    claims: dict[str, Any] = {"sub": who.user_id, "tenant_ids": [who.tenant_id], "exp": 1}
    return jwt.encode(claims, SIGNING_SECRET, algorithm="HS256")


@pytest.mark.parametrize("token", ["", "nonsense", "expired"])
async def test_without_a_usable_session_one_gets_the_form(
    browser: httpx.AsyncClient, acme: Login, token: str
) -> None:
    if token:
        hold(browser, expired_token(acme) if token == "expired" else token)
    answer = await browser.get(HOME, params={"env": "prod"})
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("text/html")
    assert ("session has ended" in answer.text) is bool(token)
    assert '<input type="hidden" name="env" value="prod">' in answer.text
    if token:
        assert "bossman_session" not in browser.cookies
    fragment = await browser.get(f"{HOME}fragment")
    assert fragment.status_code == 401
    assert 'data-code="401"' in fragment.text


async def test_a_form_that_is_too_large_or_unreadable_is_refused(browser: httpx.AsyncClient) -> None:
    for content, status in ((b"a=" + b"x" * 9_000, 413), (b"\xff", 400), (b"a&" * 40, 400)):
        answer = await browser.post(f"{HOME}sign-in", content=content)
        assert (answer.status_code, answer.headers["content-type"][:9]) == (status, "text/html")

"""Sessions of the page, and forms that only it can send."""

import httpx
import pytest

from engines.common.documents import SYSTEM
from engines.identity.models import TenantMembership
from tests.support.app import Login, MemoryKit, running
from tests.support.page_client import FORM, HOME, SESSION, form_of, hold, hold_text, sign_in


async def test_signing_in_keeps_the_session_out_of_reach_of_scripts_and_other_sites(
    browser: httpx.AsyncClient, acme: Login
) -> None:
    answer = await sign_in(browser, acme)
    assert (answer.status_code, answer.headers["location"]) == (303, HOME)
    [cookie] = [c for c in answer.headers.get_list("set-cookie") if c.startswith(f"{SESSION}=")]
    parts = cookie.lower().split("; ")
    assert {"httponly", "samesite=lax", "path=/bossman", "max-age=43200"} <= set(parts)
    assert "secure" not in parts
    page = await browser.get(HOME)
    assert page.status_code == 200
    assert ">acme <small>dev" in page.text


@pytest.mark.parametrize("base", ["https://localhost", "http://bossman:8000"])
async def test_cookies_stay_on_tls_but_for_the_machine_itself(kit: MemoryKit, acme: Login, base: str) -> None:
    async with httpx.AsyncClient(transport=kit.client._transport, base_url=base) as browser:
        answer = await browser.get(f"{HOME}sign-in")
        found = FORM.search(answer.text)
        assert found
        form = {"form_token": found[1], "email": acme.email, "password": "password of acme"}
        held = {"Cookie": answer.headers["set-cookie"].split(";")[0]}
        answer = await browser.post(f"{HOME}sign-in", data=form, headers=held)
        assert answer.status_code == 303
        cookies = answer.headers.get_list("set-cookie")
        assert [("Secure" in cookie, "HttpOnly" in cookie) for cookie in cookies] == [(True, True)]


async def test_a_token_of_many_tenants_fits_and_shrinks_again(
    kit: MemoryKit, browser: httpx.AsyncClient, acme: Login
) -> None:
    identity = kit.services.identity
    others = [TenantMembership(tenant_id=f"t_{n:032}", user_id=acme.user_id) for n in range(110)]
    for other in others:
        await identity.memberships.put(SYSTEM, other.id, other)
    answer = await sign_in(browser, acme)
    cookies = [c for c in answer.headers.get_list("set-cookie") if c.startswith(SESSION)]
    assert len(cookies) > 2
    assert max(len(cookie) for cookie in cookies) < 4_000
    page = await browser.get(HOME)
    assert (page.status_code, "100 of 111 tenants are listed" in page.text) == (200, True)
    for other in others:
        await identity.memberships.delete(SYSTEM, other.id)
    await sign_in(browser, acme)
    assert [name for name in browser.cookies if name.startswith(f"{SESSION}_")] == []
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
    assert SESSION not in browser.cookies


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


FRONT = {"Host": "bossman:8000", "Origin": "https://front.example"}
"""What comes through an nginx with ``proxy_pass http://bossman:8000`` and nothing else."""


async def send_form(browser: httpx.AsyncClient, who: Login, headers: dict[str, str]) -> httpx.Response:
    form = {"form_token": await form_of(browser), "email": who.email, "password": "password of acme"}
    return await browser.post(f"{HOME}sign-in", data=form, headers=headers)


@pytest.mark.parametrize(
    "headers",
    [
        FRONT | {"Sec-Fetch-Site": "same-origin"},
        {"Host": "bossman:8000", "Origin": "http://bossman:8000"},
        {"Host": "localhost:443", "Origin": "https://localhost"},
        {"Host": "LOCALHOST", "Origin": "http://localhost:80"},
    ],
    ids=["default_host", "own_host", "default_port_of_tls", "default_port"],
)
async def test_row_16_a_form_of_our_own_page_passes_whatever_host_a_front_says(
    browser: httpx.AsyncClient, acme: Login, headers: dict[str, str]
) -> None:
    assert (await send_form(browser, acme, headers)).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        FRONT,
        FRONT | {"Sec-Fetch-Site": "none"},
        {"Host": "127.0.0.1:8000", "Origin": "https://front.example", "Sec-Fetch-Site": "same-origin"},
        {"Host": "localhost", "Origin": "http://localhost:8443"},
    ],
    ids=["plain_http", "no_word", "loopback", "host_without_port"],
)
async def test_row_16_what_cannot_be_told_from_another_site_names_the_fronts_setting(
    browser: httpx.AsyncClient, acme: Login, headers: dict[str, str]
) -> None:
    answer = await send_form(browser, acme, headers)
    assert (answer.status_code, "proxy_set_header Host $http_host" in answer.text) == (403, True)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_row_16_a_form_of_another_site_passes_no_front(
    browser: httpx.AsyncClient, acme: Login, site: str
) -> None:
    answer = await send_form(browser, acme, FRONT | {"Sec-Fetch-Site": site})
    assert (answer.status_code, "sent by another site" in answer.text) == (403, True)


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
    assert SESSION not in browser.cookies
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


@pytest.mark.parametrize("session", ["", "nonsense", "expired", "access token"])
async def test_without_a_usable_session_one_gets_the_form(
    kit: MemoryKit, browser: httpx.AsyncClient, acme: Login, session: str
) -> None:
    if session == "expired":
        hold(browser, acme.token, kit.clock)
        kit.clock.advance(hours=12)
    elif session:
        hold_text(browser, acme.token if session == "access token" else session)
    answer = await browser.get(HOME, params={"env": "prod"})
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("text/html")
    assert ("session has ended" in answer.text) is bool(session)
    assert '<input type="hidden" name="env" value="prod">' in answer.text
    if session:
        assert SESSION not in browser.cookies
    fragment = await browser.get(f"{HOME}fragment")
    assert fragment.status_code == 401
    assert 'data-code="401"' in fragment.text


async def test_after_signing_out_a_copy_of_the_cookie_opens_nothing(
    browser: httpx.AsyncClient, acme: Login
) -> None:
    await sign_in(browser, acme)
    value = browser.cookies[SESSION]
    copy = {"Cookie": f"{SESSION}={value}"}
    assert (await browser.get(HOME, headers=copy)).status_code == 200
    await browser.post(f"{HOME}sign-out", data={"form_token": await form_of(browser, HOME)})
    for path in (HOME, f"{HOME}fragment"):
        assert (await browser.get(path, headers=copy)).status_code == 401
    bearer = {"Authorization": f"Bearer {value}", "X-Env": "dev"}
    for path in ("/auth/me", "/bossman/tenant-dashboard"):
        assert (await browser.get(path, headers=copy | bearer)).status_code == 401


async def test_the_end_of_one_session_is_not_that_of_another(browser: httpx.AsyncClient, acme: Login) -> None:
    await sign_in(browser, acme)
    first = {"Cookie": f"{SESSION}={browser.cookies[SESSION]}"}
    await sign_in(browser, acme)
    await browser.post(f"{HOME}sign-out", data={"form_token": await form_of(browser, HOME)})
    assert (await browser.get(HOME, headers=first)).status_code == 200


async def test_a_session_is_no_access_token(browser: httpx.AsyncClient, acme: Login) -> None:
    await sign_in(browser, acme)
    headers = acme.headers(Authorization=f"Bearer {browser.cookies[SESSION]}")
    for path in ("/auth/me", "/auth/bootstrap", "/bossman/tenant-dashboard", "/strategy-locks"):
        answer = await browser.get(path, headers=headers)
        assert (answer.status_code, answer.json()["detail"][:13]) == (401, "invalid token")
    assert (await browser.post("/auth/refresh", headers=headers)).status_code == 401


async def test_two_stacks_on_one_host_have_cookies_of_their_own(
    browser: httpx.AsyncClient, acme: Login
) -> None:
    await sign_in(browser, acme)
    async with running(MemoryKit(), AUTH_JWT_SIGNING="x" * 32) as other:
        others = await other.client.get(f"{HOME}sign-in")
    names = {cookie.split("=")[0] for cookie in others.headers.get_list("set-cookie")}
    assert names
    assert not names & set(browser.cookies)


async def test_a_form_that_is_too_large_or_unreadable_is_refused(browser: httpx.AsyncClient) -> None:
    for content, status in ((b"a=" + b"x" * 9_000, 413), (b"\xff", 400), (b"a&" * 40, 400)):
        answer = await browser.post(f"{HOME}sign-in", content=content)
        assert (answer.status_code, answer.headers["content-type"][:9]) == (status, "text/html")

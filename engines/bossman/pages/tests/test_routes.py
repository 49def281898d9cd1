"""The page over HTTP: sessions, forms that only it can send, headers, and errors that are pages."""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest

from engines.common.documents import SYSTEM, StoreUnavailable
from engines.common.identity import Role
from engines.identity.models import TenantMembership
from tests.support.app import SIGNING_SECRET, Login, MemoryKit, running, send_pageview, sign_up
from tests.support.faults import FaultyStore
from tests.support.records import login_as

HOME = "/bossman/"
CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
FORM = re.compile(r'name="form_token" value="([\w-]+)"')
MOST_BYTES = 150_000


@pytest.fixture
async def browser(kit: MemoryKit, acme: Login) -> AsyncIterator[httpx.AsyncClient]:
    """A client with cookies of its own that follows no redirect."""
    transport = kit.client._transport
    async with httpx.AsyncClient(transport=transport, base_url="http://engines") as client:
        yield client


async def form_of(browser: httpx.AsyncClient, path: str = f"{HOME}sign-in") -> str:
    found = FORM.search((await browser.get(path)).text)
    assert found
    return found[1]


async def sign_in(
    browser: httpx.AsyncClient, who: Login, password: str | None = None, **fields: str
) -> httpx.Response:
    name = who.email.split("@")[0]
    form = {"form_token": await form_of(browser), "email": who.email}
    form["password"] = f"password of {name}" if password is None else password
    return await browser.post(f"{HOME}sign-in", data=form | fields, headers={"Sec-Fetch-Site": "same-origin"})


def hold(browser: httpx.AsyncClient, token: str) -> None:
    """Put a token into the browser as the session."""
    browser.cookies.set("bossman_session", token, domain="engines.local", path="/bossman")


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
    async with httpx.AsyncClient(transport=kit.client._transport, base_url="https://engines") as browser:
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
        {"Origin": "http://engines.evil.example", "Sec-Fetch-Site": "same-origin"},
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


@pytest.mark.parametrize(
    "path", ["", "sign-in", "fragment", "?window_days=none", "static/page.css", "static/none.css"]
)
async def test_every_answer_forbids_framing_and_foreign_content(
    browser: httpx.AsyncClient, acme: Login, path: str
) -> None:
    await sign_in(browser, acme)
    headers = (await browser.get(HOME + path)).headers
    assert headers["content-security-policy"] == CSP
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    kept = "public, max-age=31536000, immutable"
    assert headers["cache-control"] == (kept if path == "static/page.css" else "no-store")


async def test_the_page_holds_nothing_inline(browser: httpx.AsyncClient, acme: Login) -> None:
    await sign_in(browser, acme)
    for path in (HOME, f"{HOME}sign-in", f"{HOME}?window_days=x"):
        text = (await browser.get(path)).text
        assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:|https?://(?!engines)", text) == []
        assert re.findall(r"<script(?![^>]*\ssrc=\"/bossman/static/)", text) == []


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


async def test_another_tenant_is_refused(browser: httpx.AsyncClient, acme: Login, globex: Login) -> None:
    await sign_in(browser, acme)
    for tenant in (globex.tenant_id, "MALFORMED", "t_<script>"):
        answer = await browser.get(HOME, params={"tenant_id": tenant})
        assert answer.status_code == 403
        assert "tenant mismatch with token" in answer.text
    sneaky = await browser.get(HOME, headers={"X-Tenant-Id": globex.tenant_id, "X-Env": "prod"})
    assert ">acme <small>dev" in sneaky.text
    assert globex.tenant_id not in sneaky.text


@pytest.mark.parametrize(
    ("role", "status"), [("owner", 200), ("admin", 200), ("member", 403), ("viewer", 403)]
)
async def test_only_owners_and_admins_see_it(
    kit: MemoryKit, browser: httpx.AsyncClient, acme: Login, role: Role, status: int
) -> None:
    hold(browser, login_as(kit, role, acme.tenant_id).token)
    answer = await browser.get(HOME)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")


async def test_an_account_without_a_tenant_is_told_so(kit: MemoryKit, browser: httpx.AsyncClient) -> None:
    body = {"email": "alone@example.com", "password": "p"}
    hold(browser, (await kit.client.post("/auth/signup", json=body)).json()["access_token"])
    answer = await browser.get(HOME)
    assert (answer.status_code, "belongs to no tenant" in answer.text) == (403, True)


@pytest.mark.parametrize(
    "query", [{"window_days": "0"}, {"window_days": "91"}, {"window_days": "²"}, {"env": "qa"}]
)
async def test_an_unusable_address_is_a_page_too(
    browser: httpx.AsyncClient, acme: Login, query: dict[str, str]
) -> None:
    await sign_in(browser, acme)
    answer = await browser.get(HOME, params=query)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "POST"])
async def test_another_method_is_a_page_too(browser: httpx.AsyncClient, method: str) -> None:
    answer = await browser.request(method, HOME)
    assert (answer.status_code, answer.headers["content-type"][:9]) == (405, "text/html")


async def test_a_form_that_is_too_large_or_unreadable_is_refused(browser: httpx.AsyncClient) -> None:
    for content, status in ((b"a=" + b"x" * 9_000, 413), (b"\xff", 400), (b"a&" * 40, 400)):
        answer = await browser.post(f"{HOME}sign-in", content=content)
        assert (answer.status_code, answer.headers["content-type"][:9]) == (status, "text/html")


async def test_a_store_that_is_away_is_a_page_that_says_what_to_do() -> None:
    parts = MemoryKit()
    parts.store = store = FaultyStore(parts.store)
    async with running(parts) as kit:
        acme = await sign_up(kit.client, "acme")
        hold(kit.client, acme.token)
        store.faults["get"] = StoreUnavailable("firestore: connection refused")
        for path in (HOME, f"{HOME}fragment"):
            answer = await kit.client.get(path)
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "5"
            assert "<code>./scripts/doctor</code>" in answer.text
            assert "Traceback" not in answer.text
        store.faults.clear()
        store.faults["scan event_arrivals/{tenant}_{env}/hours"] = StoreUnavailable("firestore: away")
        assert "The counts could not be read" in (await kit.client.get(HOME)).text


@pytest.mark.parametrize("host", ["engines:81", "evil'; rm -rf ~ #", "a b", "[::1]"])
async def test_commands_call_no_host_that_is_none(browser: httpx.AsyncClient, acme: Login, host: str) -> None:
    hold(browser, acme.token)
    text = (await browser.get(HOME, headers={"Host": host, "Cookie": f"bossman_session={acme.token}"})).text
    base = "http://engines:81" if host == "engines:81" else "http://127.0.0.1:8000"
    assert f"curl -fsS {base}/analytics/events/pageview" in text
    assert "rm -rf" not in text


async def test_what_breaks_inside_is_a_page_without_a_trace(
    kit: MemoryKit, browser: httpx.AsyncClient, acme: Login
) -> None:
    hold(browser, acme.token)
    kit.services.dashboard = None  # type: ignore[assignment]
    answer = await browser.get(HOME)
    assert (answer.status_code, answer.headers["content-type"][:9]) == (500, "text/html")
    assert "Traceback" not in answer.text
    assert "NoneType" not in answer.text


async def test_a_full_page_with_its_files_is_small(
    kit: MemoryKit, browser: httpx.AsyncClient, acme: Login
) -> None:
    for _ in range(30):
        await send_pageview(kit.client, acme)
    await kit.services.arrivals.flush()
    hold(browser, acme.token)
    page = await browser.get(HOME)
    files = re.findall(r'(?:src|href)="(/bossman/static/[^"]+)"', page.text)
    assert len(files) == 3
    sizes = [len((await browser.get(file)).raise_for_status().content) for file in files]
    assert len(page.content) + sum(sizes) <= MOST_BYTES


async def test_two_tenants_and_two_envs_are_apart(
    kit: MemoryKit, browser: httpx.AsyncClient, acme: Login, globex: Login
) -> None:
    await send_pageview(kit.client, acme)
    hold(browser, acme.token)
    assert "Alive:" in (await browser.get(HOME)).text
    assert "Waiting:" in (await browser.get(HOME, params={"env": "staging"})).text
    hold(browser, globex.token)
    page = (await browser.get(HOME)).text
    assert "Waiting:" in page
    assert acme.tenant_id not in page

"""The overview's page: the operator's session, forms of other sites, headers, and hostile names."""

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser

import httpx
import pytest

from engines.bossman.pages.answers import SECURITY_HEADERS
from tests.support.app import SYSTEM_KEY, Login, MemoryKit, running, send_pageview, sign_up
from tests.support.page_client import OPERATOR, SESSION, session_cookie

PATH = "/bossman/onboarding"
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
FORM = re.compile(r'name="form_token" value="([\w-]+)"')
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</code></pre><svg onload=alert(1)>",
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}",
    "javascript:alert(1)",
    "a\u202egnp.exe\u200b",
)


class Markup(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action")]


@pytest.fixture
async def browser(kit: MemoryKit, acme: Login) -> AsyncIterator[httpx.AsyncClient]:
    """A client with cookies of its own that follows no redirect."""
    async with httpx.AsyncClient(
        transport=kit.client._transport, base_url="http://localhost", headers=HTML
    ) as client:
        yield client


async def give_key(browser: httpx.AsyncClient, key: str = SYSTEM_KEY, **headers: str) -> httpx.Response:
    found = FORM.search((await browser.get(PATH)).text)
    assert found
    form = {"form_token": found[1], "key": key}
    return await browser.post(
        f"{PATH}/sign-in", data=form, headers={"Sec-Fetch-Site": "same-origin"} | headers
    )


async def test_the_key_opens_a_session_that_holds_no_key(browser: httpx.AsyncClient, acme: Login) -> None:
    answer = await browser.get(PATH)
    assert (answer.status_code, acme.tenant_id in answer.text) == (401, False)
    answer = await give_key(browser)
    assert (answer.status_code, answer.headers["location"]) == (303, PATH)
    [cookie] = [c for c in answer.headers.get_list("set-cookie") if c.startswith(f"{OPERATOR}=")]
    parts = set(cookie.lower().split("; "))
    assert {"httponly", "samesite=strict", f"path={PATH}", "max-age=28800"} <= parts
    assert SYSTEM_KEY not in str(answer.headers)
    page = await browser.get(PATH)
    assert (page.status_code, acme.tenant_id in page.text) == (200, True)
    assert SYSTEM_KEY not in page.text


async def test_the_answer_is_json_unless_html_is_accepted(browser: httpx.AsyncClient) -> None:
    for accept in ("*/*", "application/json", ""):
        answer = await browser.get(PATH, headers={"Accept": accept, "X-System-Key": SYSTEM_KEY})
        assert answer.headers["content-type"] == "application/json"
    answer = await browser.get(PATH)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["vary"] == "Accept, Cookie"


async def test_the_session_opens_no_json_and_the_header_no_page(browser: httpx.AsyncClient) -> None:
    assert (await browser.get(PATH, headers={"X-System-Key": SYSTEM_KEY})).status_code == 401
    await give_key(browser)
    assert (await browser.get(PATH, headers={"Accept": "application/json"})).status_code == 403


async def test_it_ends_by_itself_and_by_hand(kit: MemoryKit, browser: httpx.AsyncClient) -> None:
    await give_key(browser)
    kit.clock.advance(hours=7, minutes=59)
    page = await browser.get(PATH)
    assert page.status_code == 200
    kit.clock.advance(minutes=2)
    ended = await browser.get(PATH)
    assert (ended.status_code, "Your session has ended" in ended.text) == (401, True)
    await give_key(browser)
    form = FORM.search((await browser.get(PATH)).text)
    assert form
    await browser.post(f"{PATH}/sign-out", data={"form_token": form[1]})
    assert OPERATOR not in browser.cookies


@pytest.mark.parametrize("key", ["", "wrong", "é", SYSTEM_KEY + " "])
async def test_a_wrong_key_opens_nothing(browser: httpx.AsyncClient, acme: Login, key: str) -> None:
    answer = await give_key(browser, key)
    assert (answer.status_code, "This is not the key." in answer.text) == (403, True)
    assert OPERATOR not in browser.cookies
    assert (await browser.get(PATH)).status_code == 401


@pytest.mark.parametrize("forged", ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "9999999999.n.{}", "é"])
async def test_a_made_up_cookie_opens_nothing(browser: httpx.AsyncClient, acme: Login, forged: str) -> None:
    cookie = f"{OPERATOR}=".encode() + forged.format("0" * 64).encode()
    answer = await browser.get(PATH, headers={b"Cookie": cookie, b"Accept": b"text/html"})
    assert (answer.status_code, acme.tenant_id in answer.text) == (401, False)


async def test_a_session_of_another_key_is_refused(browser: httpx.AsyncClient) -> None:
    await give_key(browser)
    held = HTML | {"Cookie": f"{OPERATOR}={browser.cookies[OPERATOR]}"}
    assert (await browser.get(PATH, headers=held)).status_code == 200
    async with running(MemoryKit(), SYSTEM_BOOTSTRAP_KEY="another-key") as other:
        assert (await other.client.get(PATH, headers=held)).status_code == 401


async def test_signing_out_ends_it_for_whoever_kept_a_copy(browser: httpx.AsyncClient) -> None:
    await give_key(browser)
    copy = {"Cookie": f"{OPERATOR}={browser.cookies[OPERATOR]}"}
    form = FORM.search((await browser.get(PATH)).text)
    assert form
    answer = await browser.post(f"{PATH}/sign-out", data={"form_token": form[1]})
    assert answer.status_code == 303
    assert (await browser.get(PATH, headers=copy)).status_code == 401


async def test_a_tenants_session_does_not_open_it(browser: httpx.AsyncClient, acme: Login) -> None:
    member = session_cookie(acme.token)[1]
    for value in (member, acme.token):
        cookie = f"{SESSION}={value}; {OPERATOR}={value}"
        assert (await browser.get(PATH, headers={"Cookie": cookie} | acme.headers())).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
    ],
    ids=str,
)
async def test_a_form_of_another_site_is_refused(browser: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await give_key(browser, SYSTEM_KEY, **headers)
    assert answer.status_code == 403
    assert OPERATOR not in browser.cookies


@pytest.mark.parametrize("path", ["sign-in", "sign-out"])
async def test_a_form_without_its_secret_is_refused(browser: httpx.AsyncClient, path: str) -> None:
    await give_key(browser)
    held = browser.cookies[OPERATOR]
    answer = await browser.post(f"{PATH}/{path}", data={"key": SYSTEM_KEY, "form_token": "guessed"})
    assert answer.status_code == 403
    assert browser.cookies[OPERATOR] == held


async def test_an_unset_key_closes_the_page_and_says_so() -> None:
    async with running(MemoryKit(), SYSTEM_BOOTSTRAP_KEY=None) as kit:
        answer = await kit.client.get(PATH, headers=HTML)
        assert (answer.status_code, "is not set" in answer.text) == (401, True)
        assert "<form" not in answer.text


async def test_every_answer_keeps_other_sites_out(browser: httpx.AsyncClient) -> None:
    answers = [await browser.get(PATH), await give_key(browser, "wrong"), await give_key(browser)]
    answers += [
        await browser.get(PATH),
        await browser.get(f"{PATH}?limit=x"),
        await browser.get(f"{PATH}?env=qa"),
    ]
    assert [answer.status_code for answer in answers] == [401, 403, 303, 200, 422, 422]
    for answer in answers:
        for name, value in SECURITY_HEADERS.items():
            assert answer.headers[name] == value
        assert answer.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in answers[3].headers["content-security-policy"]
    assert answers[3].headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_name_is_text(kit: MemoryKit, browser: httpx.AsyncClient, name: str) -> None:
    await give_key(browser)
    plain = Markup((await browser.get(PATH)).text)
    body = {"email": "e@example.com", "password": "p", "tenant_name": name}
    (await kit.client.post("/auth/signup", json=body)).raise_for_status()
    page = await browser.get(PATH, params={"search": name})
    assert page.status_code == 200
    marked = Markup((await browser.get(PATH)).text)
    assert marked.tags == plain.tags
    assert marked.attributes == plain.attributes
    assert "script" not in Markup(page.text).tags
    assert all(link == "" or link.startswith(("/bossman/", "#")) for link in marked.links)
    assert "\u202e" not in page.text.replace(f'value="{name}"', "")


async def test_pages_lead_on_and_keep_the_filter(kit: MemoryKit, browser: httpx.AsyncClient) -> None:
    await give_key(browser)
    for number in range(3):
        login = await sign_up(kit.client, f"t{number}")
        await send_pageview(kit.client, login)
    await kit.services.milestones.flush()
    page = await browser.get(PATH, params={"limit": "2", "state": "incomplete"})
    [link] = [found for found in Markup(page.text).links if "cursor=" in found]
    assert "state=incomplete" in link
    assert "First page" not in page.text
    following = await browser.get(link)
    assert (following.text.count('class="card tenant'), "First page" in following.text) == (1, True)

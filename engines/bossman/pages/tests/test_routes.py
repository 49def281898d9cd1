"""The page over HTTP: what it holds, its headers, and errors that are pages."""

import re

import httpx
import pytest

from engines.common.documents import StoreUnavailable
from engines.common.identity import Role
from engines.identity.passwords import HashQueue
from engines.server.limits import ServerLimits
from tests.support.app import Login, MemoryKit, running, send_pageview, sign_up
from tests.support.faults import FaultyStore
from tests.support.page_client import HOME, hold, sign_in
from tests.support.records import login_as

CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
MOST_BYTES = 150_000


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
        assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:|https?://(?!localhost)", text) == []
        assert re.findall(r"<script(?![^>]*\ssrc=\"/bossman/static/)", text) == []


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


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "POST", "OPTIONS", "TRACE"])
async def test_another_method_is_a_page_too(browser: httpx.AsyncClient, method: str) -> None:
    answer = await browser.request(method, HOME)
    assert (answer.status_code, answer.headers["content-type"][:9]) == (405, "text/html")
    assert answer.headers["allow"] == "GET"


async def test_a_wait_after_wrong_passwords_is_told_on_the_page_too(
    browser: httpx.AsyncClient, acme: Login
) -> None:
    answers = [await sign_in(browser, acme, "wrong") for _ in range(7)]
    assert [answer.status_code for answer in answers] == [401] * 6 + [429]
    assert answers[-1].headers["retry-after"] == "1"
    assert answers[-1].headers["content-type"].startswith("text/html")


async def test_a_full_queue_of_sign_ins_is_told_on_the_page_too(
    kit: MemoryKit, browser: httpx.AsyncClient, acme: Login
) -> None:
    kit.services.identity._hashes = HashQueue(ServerLimits(hashes_waiting=-1))
    answer = await sign_in(browser, acme)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


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


@pytest.mark.parametrize("host", ["localhost:81", "127.0.0.1:81", "[::1]:81", "bossman"])
async def test_commands_call_the_host_that_was_asked(
    browser: httpx.AsyncClient, acme: Login, host: str
) -> None:
    hold(browser, acme.token)
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    text = (await browser.get(HOME, headers={"Host": host, "Cookie": cookies})).text
    base = "http://127.0.0.1:8000" if host.startswith("[") else f"http://{host}"
    assert f"curl -fsS {base}/analytics/events/pageview" in text


async def test_what_breaks_inside_is_a_page_without_a_trace(
    kit: MemoryKit, browser: httpx.AsyncClient, acme: Login
) -> None:
    hold(browser, acme.token)
    kit.services.dashboard = None  # type: ignore[assignment]  # broken on purpose
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

"""The page as people use it: signing in, looking, switching, with the keyboard, without scripts."""

from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from engines.common.documents import StoreUnavailable
from engines.nexus.backends.sink import SinkRetryable
from tests.support.app import MovableClock
from tests.support.faults import FaultySink, FaultyStore
from tests.support.filler import Filler
from tests.support.page import Server, Tab, password_of, sign_up, tab
from tests.support.page_client import session_cookie

REFUSED = SinkRetryable("memory/events", "connection refused", "unreachable")
NOTICE_SECONDS = 10


def violations(seen: Tab) -> list[str]:
    found = Axe().run(seen.page).response["violations"]
    return [f"{rule['id']}: {node['html'][:200]}" for rule in found for node in rule["nodes"]]


def check_clean(seen: Tab) -> None:
    """Nothing in the console, nothing asked of another host, nothing that axe minds, nothing too wide."""
    assert seen.errors == []
    assert {urlsplit(url).netloc for url in seen.requests} == {urlsplit(seen.base).netloc}
    assert violations(seen) == []
    page = seen.page
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize("filled", [True, False], ids=["full", "empty"])
@pytest.mark.parametrize(("width", "scheme"), [(1920, "light"), (768, "dark"), (360, "light")])
def test_it_is_clean_in_every_width_and_scheme(
    chromium: Browser, server: Server, filled: bool, width: int, scheme: str
) -> None:
    acme = sign_up(server, "acme")
    if filled:
        Filler(server.base, acme).everything()
    with tab(chromium, server, viewport={"width": width, "height": 900}, color_scheme=scheme) as seen:
        seen.sign_in(acme, password_of("acme"))
        seen.until("Alive:" if filled else "Waiting:", 5)
        check_clean(seen)
        for details in seen.page.locator("details").all():
            details.evaluate("one => { one.open = true; }")
        assert violations(seen) == []


def test_a_wrong_password_is_said_and_the_right_one_works(chromium: Browser, server: Server) -> None:
    acme = sign_up(server, "acme")
    with tab(chromium, server) as seen:
        seen.sign_in(acme, "wrong")
        expect(seen.page.get_by_role("alert")).to_contain_text("do not belong together")
        expect(seen.page.get_by_label("E-mail address")).to_have_value(acme.email)
        expect(seen.page.get_by_label("Password")).to_be_focused()
        assert violations(seen) == []
        seen.page.get_by_label("Password").fill(password_of("acme"))
        seen.page.keyboard.press("Enter")
        seen.until("Waiting:", 5)


def test_two_tenants_see_their_own(chromium: Browser, server: Server) -> None:
    acme, globex = sign_up(server, "acme"), sign_up(server, "globex")
    Filler(server.base, acme).pageviews(1)
    with tab(chromium, server) as one, tab(chromium, server) as other:
        one.sign_in(acme, password_of("acme")).until("Alive:", 5)
        other.sign_in(globex, password_of("globex")).until("Waiting:", 5)
        assert acme.tenant_id not in other.page.content()
        other.open(f"/bossman/?tenant_id={acme.tenant_id}")
        expect(other.page.get_by_role("heading", level=1)).to_have_text("Not yours to see")


def test_a_tenant_an_env_and_a_surface_are_chosen_with_the_keyboard_alone(
    chromium: Browser, server: Server
) -> None:
    acme = sign_up(server, "acme")
    Filler(server.base, acme, "prod").pageviews(1)
    with tab(chromium, server) as seen:
        page, keys = seen.open("/bossman/sign-in").page, seen.page.keyboard
        expect(page.get_by_label("E-mail address")).to_be_focused()
        keys.type(acme.email)
        keys.press("Tab")
        keys.type(password_of("acme"))
        keys.press("Enter")
        seen.until("Waiting:", 5)
        keys.press("Tab")
        expect(page.get_by_role("link", name="Skip to the verdict")).to_be_focused()
        for _ in range(3):
            keys.press("Tab")
        expect(page.get_by_label("Env")).to_be_focused()
        keys.type("prod")
        keys.press("Tab")
        keys.type("blog")
        keys.press("Enter")
        seen.until("Alive:", 5)
        assert "env=prod&surface=blog" in page.url
        _focus_is_visible_everywhere(seen)


def _focus_is_visible_everywhere(seen: Tab) -> None:
    stops = seen.page.locator("a, button, select, input:not([type=hidden]), summary, [tabindex='0']").count()
    unseen = "getComputedStyle(document.activeElement).outlineStyle === 'none'"
    seen.page.evaluate("document.activeElement.blur()")
    for _ in range(min(stops, 30)):
        seen.page.keyboard.press("Tab")
        if seen.page.evaluate("document.activeElement !== document.body"):
            assert not seen.page.evaluate(unseen), seen.page.evaluate("document.activeElement.outerHTML")


def test_a_fault_and_its_end_show_without_a_reload(
    chromium: Browser, server: Server, sink: FaultySink
) -> None:
    acme = sign_up(server, "acme")
    Filler(server.base, acme).pageviews(1)
    with tab(chromium, server) as seen:
        seen.sign_in(acme, password_of("acme")).until("Alive:", 5)
        sink.faults["probe"] = REFUSED
        assert seen.until("Not alive:", NOTICE_SECONDS) < NOTICE_SECONDS
        expect(seen.page.locator(".sink .badge")).to_have_text("down")
        assert violations(seen) == []
        sink.faults.clear()
        seen.until("Alive:", NOTICE_SECONDS)
        assert seen.errors == []


def test_what_is_open_stays_open_and_ages_go_on(chromium: Browser, server: Server) -> None:
    acme = sign_up(server, "acme")
    Filler(server.base, acme).pageviews(1)
    with tab(chromium, server) as seen:
        seen.sign_in(acme, password_of("acme")).until("Alive:", 5)
        summary = seen.page.locator("#minutes-numbers > summary")
        summary.click()
        age = seen.page.locator(".tile .age time").first
        first, live = age.inner_text(), seen.page.locator("#live").element_handle()
        expect(age).not_to_have_text(first, timeout=3_000)
        assert "your time" in (age.get_attribute("title") or "")
        seen.page.wait_for_function("old => !old.isConnected", arg=live, timeout=8_000)
        expect(seen.page.locator("#minutes-numbers table")).to_be_visible()
        expect(summary).to_be_focused()


def test_the_end_of_the_session_shows_and_leads_to_the_form(chromium: Browser, server: Server) -> None:
    acme = sign_up(server, "acme")
    with tab(chromium, server) as seen:
        seen.sign_in(acme, password_of("acme")).until("Waiting:", 5)
        name, expired = session_cookie(acme.token, MovableClock())
        where = {"domain": "127.0.0.1", "path": "/bossman"}
        seen.context.add_cookies([{"name": name, "value": expired, **where}])  # type: ignore[typeddict-item]
        seen.until("your session has ended", NOTICE_SECONDS)
        assert violations(seen) == []
        seen.page.locator("#notice").get_by_role("link", name="Sign in again").click()
        expect(seen.page.get_by_role("heading", level=1)).to_have_text("Sign in to Bossman")


def test_a_store_or_a_process_that_is_away_shows_over_what_was_last_known(
    chromium: Browser, server: Server, store: FaultyStore
) -> None:
    acme = sign_up(server, "acme")
    with tab(chromium, server) as seen:
        seen.sign_in(acme, password_of("acme")).until("Waiting:", 5)
        store.faults["get"] = StoreUnavailable("firestore: connection refused")
        seen.until("cannot read the tenant", NOTICE_SECONDS)
        expect(seen.page.locator("#notice")).to_contain_text("./scripts/doctor")
        expect(seen.page.locator("#live")).to_be_visible()
        store.faults.clear()
        seen.until("Waiting:", NOTICE_SECONDS)
        expect(seen.page.locator("#notice")).to_be_hidden()
        server.stop()
        seen.until("Bossman does not answer", NOTICE_SECONDS)
        server.start()
        seen.until("Waiting:", NOTICE_SECONDS + 5)


def test_refreshing_pauses_on_request(chromium: Browser, server: Server, sink: FaultySink) -> None:
    acme = sign_up(server, "acme")
    with tab(chromium, server) as seen:
        seen.sign_in(acme, password_of("acme")).until("Waiting:", 5)
        seen.page.get_by_role("button", name="Pause").click()
        asked = len(seen.requests)
        expect(seen.page.locator("#updated")).to_contain_text("Paused")
        seen.page.wait_for_timeout(6_000)
        assert len(seen.requests) == asked
        seen.page.get_by_role("button", name="Resume").click()
        expect(seen.page.locator("#updated")).to_contain_text("Live")


def test_it_works_without_scripts(chromium: Browser, server: Server, sink: FaultySink) -> None:
    acme = sign_up(server, "acme")
    with tab(chromium, server, java_script_enabled=False) as seen:
        seen.sign_in(acme, password_of("acme"))
        assert "Waiting:" in seen.words()
        sink.faults["probe"] = REFUSED
        seen.page.wait_for_timeout(2_100)
        seen.page.get_by_role("link", name="Reload").click()
        assert "Not alive:" in seen.words()
        seen.page.get_by_role("button", name="Sign out").click()
        expect(seen.page.get_by_role("heading", level=1)).to_have_text("Sign in to Bossman")


def test_the_api_description_is_whole_without_a_way_out(chromium: Browser, server: Server) -> None:
    with tab(chromium, server) as seen:
        seen.open("/docs")
        expect(seen.page.get_by_role("heading", level=1)).to_contain_text("Northstar engines")
        seen.page.locator("summary", has_text="/auth/login").click()
        seen.page.locator("details[open]").get_by_role("link", name="LoginBody").click()
        expect(seen.page.get_by_role("heading", name="LoginBody")).to_be_in_viewport()
        assert violations(seen) == []
        seen.shoot("api-description")
        assert (seen.errors, [url for url in seen.requests if not url.startswith(server.base)]) == ([], [])

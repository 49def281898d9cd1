"""The onboarding overview in a real Chromium: the key, hostile names, the keyboard, axe, pictures."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from engines.adapters import Adapters
from engines.config.runtime_config import STATE_SELECTORS
from engines.logging.arrivals import Arrivals
from engines.storage.memory import MemoryDocumentStore
from tests.browser.test_screens import ShiftedClock, keep
from tests.support.app import SYSTEM_KEY
from tests.support.faults import FaultySink, FaultyStore
from tests.support.filler import Filler, busy_day
from tests.support.page import Server, Tab, serving_page, sign_up, tab
from tests.support.page_client import OPERATOR

PATH = "/bossman/onboarding"
HOSTILE = ("<script>document.title='owned'</script>", '"><img src=x onerror="document.title=\'owned\'">')
LONG = "A name without any end " * 20


def give_key(seen: Tab) -> None:
    seen.open(PATH)
    seen.page.get_by_label("Operator key").fill(SYSTEM_KEY)
    seen.page.keyboard.press("Enter")
    expect(seen.page.get_by_role("heading", level=1)).to_contain_text("Onboarding of all tenants")
    expect(seen.page.locator(".tenants, .empty")).to_be_visible()


def check_clean(seen: Tab) -> None:
    assert seen.errors == []
    found = Axe().run(seen.page).response["violations"]
    assert [f"{rule['id']}: {node['html'][:200]}" for rule in found for node in rule["nodes"]] == []
    page = seen.page
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def add_busy_day(store: FaultyStore, clock: ShiftedClock, tenant_id: str) -> None:
    counter, day = Arrivals(store, clock), busy_day(tenant_id, clock())
    # In a thread, since the browser's driver runs a loop in this one.
    with ThreadPoolExecutor() as pool:
        pool.submit(lambda: asyncio.run(counter.record(day))).result()


def fill(server: Server, store: FaultyStore, clock: ShiftedClock) -> None:
    """Tenants in every state."""
    for name in ("Acme Outdoor", "Globex", "Initech", LONG, *HOSTILE):
        tenant = sign_up(server, name)
        if name == "Acme Outdoor":
            Filler(server.base, tenant).everything()
            add_busy_day(store, clock, tenant.tenant_id)
        if name == "Globex":
            Filler(server.base, tenant).pageviews(3)
            Filler(server.base, tenant, "prod").pageviews(1)
    headers = {"X-System-Key": SYSTEM_KEY}
    httpx.post(f"{server.base}/auth/bootstrap/tenants", headers=headers).raise_for_status()


def test_it_is_clean_and_pictured_in_every_width_and_scheme(chromium: Browser) -> None:
    clock = ShiftedClock()
    store = FaultyStore(MemoryDocumentStore(clock))
    adapters = Adapters(dict.fromkeys(STATE_SELECTORS, store), FaultySink(), clock)
    with serving_page(None, adapters) as server:
        fill(server, store, clock)
        with tab(chromium, server) as seen:
            seen.page.wait_for_timeout(1_500)  # counts and milestones are written within a second
        for width in (360, 1280):
            for scheme in ("light", "dark"):
                size = {"width": width, "height": 900}
                with tab(chromium, server, viewport=size, color_scheme=scheme) as seen:
                    seen.open(PATH)
                    keep(seen, f"operator-{width}-{scheme}")
                    seen.errors.clear()  # the browser notes that a form comes with status 401
                    check_clean(seen)
                    give_key(seen)
                    keep(seen, f"overview-{width}-{scheme}")
                    seen.errors.clear()
                    check_clean(seen)
                    for details in seen.page.locator("details").all():
                        details.evaluate("one => { one.open = true; }")
                    check_clean(seen)
                    keep(seen, f"overview-open-{width}-{scheme}")
                    assert "owned" not in seen.page.title()
                    assert seen.page.locator(".tenants script, .tenants img").count() == 0


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_runs_nothing(chromium: Browser, server: Server, name: str) -> None:
    sign_up(server, name)
    with tab(chromium, server) as seen:
        give_key(seen)
        expect(seen.page.get_by_role("heading", level=2)).to_contain_text(name)
        seen.page.get_by_label("Name or id begins with").fill(name)
        seen.page.keyboard.press("Enter")
        expect(seen.page.get_by_role("heading", level=2)).to_contain_text(name)
        assert seen.page.title() == "Onboarding · Bossman"


def test_a_wrong_key_is_said_and_signing_out_ends_it(chromium: Browser, server: Server) -> None:
    acme = sign_up(server, "acme")
    with tab(chromium, server) as seen:
        seen.open(PATH)
        seen.page.get_by_label("Operator key").fill("wrong")
        seen.page.keyboard.press("Enter")
        expect(seen.page.get_by_role("alert")).to_contain_text("This is not the key.")
        give_key(seen)
        assert acme.tenant_id in seen.page.content()
        [cookie] = [one for one in seen.context.cookies() if one["name"] == OPERATOR]
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", PATH)
        seen.page.get_by_role("button", name="Sign out").click()
        expect(seen.page.get_by_label("Operator key")).to_be_visible()
        seen.open(PATH)
        assert acme.tenant_id not in seen.page.content()
        seen.errors.clear()


def test_another_site_can_neither_frame_it_nor_send_its_form(chromium: Browser, server: Server) -> None:
    acme = sign_up(server, "acme")
    with tab(chromium, server) as seen:
        give_key(seen)
        # localhost is another site than 127.0.0.1 to a browser.
        foreign = server.base.replace("127.0.0.1", "localhost")
        page = seen.context.new_page()
        page.goto(f"{foreign}/livez")
        page.set_content(
            f'<iframe src="{server.base}{PATH}"></iframe>'
            f'<form method="post" action="{server.base}{PATH}/sign-out">'
            '<input name="form_token" value="x"><button>Go</button></form>'
        )
        page.wait_for_timeout(500)
        assert all(acme.tenant_id not in frame.content() for frame in page.frames)
        page.get_by_role("button", name="Go").click()
        expect(page.get_by_role("alert")).to_contain_text("sent by another site")
        seen.open(PATH)
        expect(seen.page.get_by_role("heading", level=2)).to_contain_text("acme")

"""Pictures of every state for people to look at, and that no width scrolls sideways."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Browser, expect

from engines.adapters import Adapters
from engines.common.clock import utc_now
from engines.common.documents import StoreTimeout, StoreUnavailable
from engines.config.runtime_config import STATE_SELECTORS
from engines.logging.arrivals import Arrivals
from engines.nexus.backends.noop import NoopSink
from engines.nexus.backends.sink import SinkRetryable
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import Login
from tests.support.faults import FaultySink, FaultyStore
from tests.support.filler import Filler, busy_day
from tests.support.page import SCREENS, Server, Tab, password_of, serving_page, sign_up, tab

WIDTHS = (360, 768, 1920)
SCHEMES = ("light", "dark")
DOWN = SinkRetryable("memory/events", "no answer within 2.5 s", "timeout")


class ShiftedClock:
    """The real time and a shift."""

    def __init__(self) -> None:
        self.shift = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.shift


class Stage:
    """One app whose tenant is brought into a state."""

    def __init__(self) -> None:
        self.clock, self.sink = ShiftedClock(), FaultySink()
        self.store = FaultyStore(MemoryDocumentStore(self.clock))
        self.adapters = Adapters(dict.fromkeys(STATE_SELECTORS, self.store), self.sink, self.clock)

    def bring(self, state: str, server: Server, tenant: Login) -> None:
        if state == "empty":
            return
        Filler(server.base, tenant).everything()
        counter = Arrivals(self.store, self.clock)
        # In a thread, since the browser's driver runs a loop in this one.
        with ThreadPoolExecutor() as pool:
            day = busy_day(tenant.tenant_id, self.clock())
            pool.submit(lambda: asyncio.run(counter.record(day))).result()
        if state == "broken":
            self.sink.faults["probe"] = self.sink.faults["latest"] = DOWN
            self.store.faults["scan kpi_definitions"] = StoreTimeout("memory: no answer in time")
        if state == "aged":
            self.clock.shift = timedelta(days=2)
            self.store.faults["scan kpi_definitions"] = StoreTimeout("memory: no answer in time")
            self.store.faults["scan kill_switches"] = StoreUnavailable("memory: away")


@pytest.mark.parametrize(
    ("state", "word"),
    [("healthy", "Alive"), ("empty", "Waiting"), ("broken", "Not alive"), ("aged", "Gone quiet")],
)
def test_every_state_in_every_width_and_scheme(chromium: Browser, state: str, word: str) -> None:
    stage = Stage()
    with serving_page(None, stage.adapters) as server:
        tenant = sign_up(server, "Acme Outdoor")
        stage.bring(state, server, tenant)
        for width in WIDTHS:
            for scheme in SCHEMES:
                size = {"width": width, "height": 900}
                with tab(chromium, server, viewport=size, color_scheme=scheme) as seen:
                    seen.sign_in(tenant, password_of("Acme Outdoor")).until(f"{word}:", 5)
                    keep(seen, f"{state}-{width}-{scheme}")
        with tab(chromium, server, viewport={"width": 1440, "height": 900}) as seen:
            seen.sign_in(tenant, password_of("Acme Outdoor")).until(f"{word}:", 5)
            session = seen.context.new_cdp_session(seen.page)
            session.send("Emulation.setEmulatedVisionDeficiency", {"type": "achromatopsia"})
            keep(seen, f"{state}-1440-grey")


def test_the_form_and_the_problems(chromium: Browser) -> None:
    stage = Stage()
    with serving_page(None, stage.adapters) as server:
        tenant = sign_up(server, "acme")
        for width in WIDTHS:
            with tab(chromium, server, viewport={"width": width, "height": 800}) as seen:
                seen.sign_in(tenant, "wrong")
                expect(seen.page.get_by_role("alert")).to_be_visible()
                keep(seen, f"sign-in-wrong-{width}")
                seen.sign_in(tenant, password_of("acme")).until("Waiting:", 5)
                seen.open("/bossman/?tenant_id=t_other")
                keep(seen, f"other-tenant-{width}")
                seen.open().until("Waiting:", 5)
                stage.store.faults["get"] = StoreUnavailable(
                    "firestore: 127.0.0.1:8080 refused the connection"
                )
                seen.until("cannot read the tenant", 10)
                keep(seen, f"store-away-live-{width}")
                seen.open()
                keep(seen, f"store-away-{width}")
                stage.store.faults.clear()


def test_events_that_are_thrown_away(chromium: Browser) -> None:
    stage = Stage()
    with serving_page(None, replace(stage.adapters, sink=NoopSink())) as server:
        tenant = sign_up(server, "acme")
        Filler(server.base, tenant).pageviews(3)
        with tab(chromium, server, viewport={"width": 1440, "height": 900}) as seen:
            seen.sign_in(tenant, password_of("acme")).until("Switched off:", 5)
            keep(seen, "off-1440")


def test_hostile_and_very_long_names_stay_text_and_inside(chromium: Browser) -> None:
    name = "<script>alert(1)</script>\u202e\u200b" + "W" * 300
    with serving_page(None, Stage().adapters) as server:
        tenant = sign_up(server, name)
        filler = Filler(server.base, tenant)
        filler.lock(name, ["*", name])
        own = {"tenant_id": tenant.tenant_id, "env": "dev", "surface": "squared"}
        usage = own | {"provider": name, "model_or_plan_id": name, "cost": "123456789.123456"}
        filler.send("POST", "/budget/usage", usage)
        filler.send("POST", "/kpi/definitions", own | {"name": name, "unit": name})
        filler.send("PUT", "/kpi/corridors", own | {"kpi_name": name, "floor": -1e300, "ceiling": 1e-300})
        filler.send("PUT", "/temperature/floors", own | {"performance_floors": {name: 1e20}})
        filler.send("POST", "/firearms/licences", own | {"subject_type": name, "subject_id": name})
        filler.send("PUT", "/kill-switches", {"disable_providers": [name] * 30, "disabled_actions": [name]})
        filler.pageviews(1, name)
        for width in WIDTHS:
            with tab(chromium, server, viewport={"width": width, "height": 900}) as seen:
                seen.sign_in(tenant, password_of(name)).until("Alive:", 5)
                assert seen.errors == []
                assert seen.page.locator("script").count() == 1
                keep(seen, f"hostile-{width}")


def keep(seen: Tab, name: str) -> None:
    seen.shoot(name)
    assert (SCREENS / f"{name}.png").stat().st_size > 5_000
    page = seen.page
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")

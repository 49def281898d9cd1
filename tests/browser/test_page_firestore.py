"""The page over the sink stand-in: it stops, the page says so within ten seconds and recovers by itself."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.support.app import settings
from tests.support.docker import Firestore, firestore
from tests.support.filler import Filler
from tests.support.page import Server, password_of, serving_page, sign_up, tab

pytestmark = pytest.mark.docker

NOTICE_SECONDS = 10


@pytest.fixture(scope="module")
def emulator() -> Iterator[Firestore]:
    with firestore() as running:
        yield running


@pytest.fixture
def sink_apart(emulator: Firestore) -> Iterator[Server]:
    """State in memory and events in Firestore: the sink can fail alone."""
    values = settings(
        NEXUS_BACKEND="firestore", GCP_PROJECT_ID="northstar-local", FIRESTORE_EMULATOR_HOST=emulator.host
    )
    with serving_page(values) as running:
        yield running
    emulator.heal()


@pytest.mark.parametrize("fault", ["stopped", "paused"])
def test_a_sink_that_stops_shows_in_ten_seconds_and_so_does_its_return(
    chromium: Browser, sink_apart: Server, emulator: Firestore, fault: str
) -> None:
    acme = sign_up(sink_apart, f"acme {fault}")
    Filler(sink_apart.base, acme).everything()
    with tab(chromium, sink_apart, viewport={"width": 1440, "height": 900}) as seen:
        seen.sign_in(acme, password_of(f"acme {fault}")).until("Alive:", 5)
        expect(seen.page.locator(".sink")).to_contain_text(f"northstar-local/nexus_events_{acme.tenant_id}")
        seen.shoot(f"firestore-{fault}-1-before")
        Firestore.stop(emulator) if fault == "stopped" else Firestore.pause(emulator)
        took = seen.until_not("Alive:", NOTICE_SECONDS)
        # A sink that hangs is known to be slow first, and to be down once its probe has run out of time.
        seen.until("Not alive:", NOTICE_SECONDS)
        expect(seen.page.locator(".sink .badge").first).to_have_text("down")
        seen.shoot(f"firestore-{fault}-2-during")
        emulator.heal()
        back = seen.until("Alive:", NOTICE_SECONDS)
        seen.shoot(f"firestore-{fault}-3-after")
        assert seen.errors == []
    assert max(took, back) < NOTICE_SECONDS

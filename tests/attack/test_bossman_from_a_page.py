"""A page of another origin in a real Chromium tries Bossman, where its user is signed in to both pages."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page

from engines.adapters import Adapters
from engines.common.process_clocks import HEARTBEATS
from engines.config.runtime_config import STATE_SELECTORS
from engines.nexus.backends.memory import MemorySink
from engines.reconciliation.models import RESULTS
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import SYSTEM_KEY, Login
from tests.support.foreign_page import foreign_page
from tests.support.page import Server, browser, serving_page
from tests.support.people import sign_up

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

PLAIN, JSON = "text/plain", "application/json"
MEMBERS, OPERATORS = "/bossman/", "/bossman/onboarding"
PERSON = json.dumps({"email": "planted@evil.example", "password": "a=b", "tenant_name": "planted"})
EVENT = json.dumps({"surface": "planted", "url": "a=b"})
USAGE = json.dumps({"tenant_id": "{tenant}", "env": "dev", "provider": "planted", "tool_id": "a=b"})

ATTACKS = [
    ("GET", MEMBERS, "", ""),
    ("GET", f"{MEMBERS}fragment", "", ""),
    ("GET", OPERATORS, "", ""),
    ("GET", "/bossman/tenant-dashboard?tenant_id={tenant}&env=dev", "", ""),
    ("GET", "/bossman/static/page.js", "", ""),
    ("GET", "/auth/me", "", ""),
    ("GET", "/temperature/current?surface=s&tenant_id={tenant}&env=dev", "", ""),
    ("GET", "/healthz", "", ""),
    ("GET", "/metrics", "", ""),
    ("GET", "/openapi.json", "", ""),
    ("GET", "/docs", "", ""),
    ("POST", "/bossman/sign-out", "form_token=x", "application/x-www-form-urlencoded"),
    ("POST", "/bossman/sign-in", "email=a&password=b", "application/x-www-form-urlencoded"),
    ("POST", "/bossman/onboarding/sign-out", "form_token=x", "application/x-www-form-urlencoded"),
    ("POST", "/bossman/onboarding/sign-in", "key=x", "application/x-www-form-urlencoded"),
    ("POST", "/auth/signup", PERSON, PLAIN),
    ("POST", "/auth/login", PERSON, PLAIN),
    ("POST", "/auth/bootstrap/tenants", "a=b", PLAIN),
    ("POST", "/analytics/events/pageview?tenant_id={tenant}&env=dev", EVENT, PLAIN),
    ("POST", "/budget/usage", USAGE, PLAIN),
    ("POST", "/strategy-locks?tenant_id={tenant}&env=dev", '{"scope": "other", "title": "a=b"}', PLAIN),
    ("PUT", "/kill-switches?tenant_id={tenant}&env=dev", '{"disable_autonomy": true}', JSON),
    ("PATCH", "/strategy-locks/none?tenant_id={tenant}&env=dev", "{}", JSON),
    ("DELETE", MEMBERS, "", ""),
]


class Kept:
    """All that the app keeps."""

    def __init__(self) -> None:
        self.store, self.sink = MemoryDocumentStore(), MemorySink()

    def adapters(self) -> Adapters:
        return Adapters(dict.fromkeys(STATE_SELECTORS, self.store), self.sink)

    def records(self) -> dict[str, Any]:
        """Every record and event by its name, but what processes say of themselves."""
        return {
            f"{collection}/{name}": document.fields
            for collection, documents in self.store._collections.items()
            for name, document in documents.items()
            if collection not in (HEARTBEATS.name, RESULTS.name)
        } | {f"{tenant}/{event}": 1 for tenant, events in self.sink._tenants.items() for event in events}


@pytest.fixture(scope="module")
def kept() -> Kept:
    return Kept()


@pytest.fixture(scope="module")
def server(kept: Kept) -> Iterator[Server]:
    with serving_page(None, kept.adapters()) as running:
        yield running


@pytest.fixture(scope="module")
def login(server: Server) -> Login:
    with httpx.Client(base_url=server.base, timeout=30) as http:
        return sign_up(http, "owner")


@pytest.fixture(scope="module")
def context(server: Server, login: Login) -> Iterator[BrowserContext]:
    """A browser that is signed in as the owner of a tenant, and as operator."""
    with browser() as chromium:
        context = chromium.new_context()
        page = context.new_page()
        page.goto(f"{server.base}/bossman/sign-in")
        page.fill("[name=email]", login.email)
        page.fill("[name=password]", "a long password")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        page.goto(f"{server.base}{OPERATORS}")
        page.fill("[name=key]", SYSTEM_KEY)
        with page.expect_navigation():
            page.keyboard.press("Enter")
        yield context


def signed_in(context: BrowserContext, server: Server) -> list[Any]:
    """What the pages answer to their user."""
    page = context.new_page()
    found = []
    for path in (MEMBERS, OPERATORS):
        answer = page.goto(f"{server.base}{path}")
        found.append(answer and answer.status)
    page.close()
    return found


def test_nothing_is_read_and_nothing_written(
    server: Server, kept: Kept, login: Login, context: BrowserContext
) -> None:
    assert signed_in(context, server) == [200, 200]
    before, cookies = kept.records(), context.cookies()
    with foreign_page(context) as page:
        read = {path: found for path, found in _attacks(page, server, login) if found}
    assert read == {}
    assert kept.records() == before
    assert context.cookies() == cookies
    assert signed_in(context, server) == [200, 200]


def _attacks(page: Page, server: Server, login: Login) -> Iterator[tuple[str, list[str]]]:
    for method, path, body, kind in ATTACKS:
        url = server.base + path.replace("{tenant}", login.tenant_id)
        what = {
            "method": method,
            "url": url,
            "body": body.replace("{tenant}", login.tenant_id),
            "type": kind,
        }
        yield f"{method} {path}", page.evaluate("what => attack(what)", what)

"""The page in a real Chromium: the app in a thread, a tenant with something of everything, a browser."""

import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

from engines.adapters import Adapters
from engines.app import create_app
from engines.config.runtime_config import Settings
from tests.support.app import Login, settings
from tests.support.docker import OUTPUT, free_port, wait_until

SCREENS = OUTPUT / "screens"

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
"""What Debian's chromium needs where there is no desktop, and what keeps it from calling home."""


def chromium() -> str:
    """Debian's chromium. ./scripts/test installs it or says how."""
    found = shutil.which("chromium")
    assert found, "no chromium on this host: apt-get install chromium (./scripts/test says more)"
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """One Chromium."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield running
        running.close()


class Server:
    """The app on a loopback port, in a thread; it can be stopped and started again on that port."""

    def __init__(self, values: Settings | None = None, adapters: Adapters | None = None) -> None:
        self._values = values or settings()
        self._adapters = adapters
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        app = create_app(self._values, self._adapters)
        config = uvicorn.Config(
            app,
            host="127.0.0.1",
            port=self.port,
            log_level="warning",
            timeout_graceful_shutdown=3,
            proxy_headers=False,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        wait_until(lambda: self._server.started, 15, "the app serves")

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(15)


@contextmanager
def serving_page(values: Settings | None = None, adapters: Adapters | None = None) -> Iterator[Server]:
    """A running app."""
    server = Server(values, adapters)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class Tab:
    """A browser tab that remembers what went wrong in it and what it asked for."""

    def __init__(self, context: BrowserContext, server: Server) -> None:
        self.context = context
        self.page: Page = context.new_page()
        self.base = server.base
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._requested)

    def open(self, path: str = "/bossman/") -> "Tab":
        self.page.goto(self.base + path)
        return self

    def sign_in(self, login: Login, password: str) -> "Tab":
        self.open("/bossman/sign-in")
        self.page.get_by_label("E-mail address").fill(login.email)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        return self

    def words(self) -> str:
        """The verdict."""
        return self.page.locator("#verdict-words").inner_text()

    def until(self, words: str, seconds: float) -> float:
        """Wait until the verdict holds ``words``, without reloading; returns the seconds it took."""
        started = time.monotonic()
        line = self.page.locator("#verdict-words", has_text=_exactly(words))
        line.wait_for(timeout=seconds * 1000)
        return time.monotonic() - started

    def until_not(self, words: str, seconds: float) -> float:
        """Wait until the verdict holds ``words`` no more; returns the seconds it took."""
        started = time.monotonic()
        self.page.locator("#verdict-words").filter(has_not_text=_exactly(words)).wait_for(
            timeout=seconds * 1000
        )
        return time.monotonic() - started

    def shoot(self, name: str, **how: Any) -> None:
        """Keep a picture of the whole page under test-output/screens."""
        SCREENS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENS / f"{name}.png", full_page=True, **how)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def _requested(self, request: Request) -> None:
        self.requests.append(request.url)


def _exactly(words: str) -> re.Pattern[str]:
    """A text given as such would be found in any case: Alive in Not alive."""
    return re.compile(re.escape(words))


@contextmanager
def tab(running: Browser, server: Server, **how: Any) -> Iterator[Tab]:
    """A tab with cookies of its own."""
    context = running.new_context(**how)
    context.set_default_timeout(15_000)
    yield Tab(context, server)
    context.close()


def password_of(name: str) -> str:
    return f"password of {name}"


def sign_up(server: Server, name: str) -> Login:
    """A new user who owns a new tenant called ``name``."""
    email = f"{abs(hash((name, time.monotonic_ns())))}@example.com"
    body = {"email": email, "password": password_of(name), "tenant_name": name}
    answer = httpx.post(f"{server.base}/auth/signup", json=body).raise_for_status().json()
    return Login(email, answer["tenant"]["id"], answer["user"]["id"], answer["access_token"])

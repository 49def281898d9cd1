"""The page without a browser: what a browser sends and keeps."""

import re
from datetime import timedelta

import httpx
from pydantic import SecretStr

from engines.common.clock import Clock
from engines.identity.sessions import Sessions, cookie_suffix
from engines.identity.tokens import Tokens
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import SIGNING_SECRET, Login, MovableClock

HOME = "/bossman/"
SUFFIX = cookie_suffix(SecretStr(SIGNING_SECRET))
SESSION, OPERATOR = f"bossman_session_{SUFFIX}", f"bossman_operator_{SUFFIX}"
LASTS = timedelta(hours=12)
FORM = re.compile(r'name="form_token" value="([\w-]+)"')


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


def session_cookie(token: str, clock: Clock | None = None) -> tuple[str, str]:
    """Name and value of the cookie that a page gives to who a token names, by the tests' own clock."""
    auth = Tokens(SIGNING_SECRET).verify(token)
    moment = clock or MovableClock()
    sessions = Sessions(MemoryDocumentStore(moment), SecretStr(SIGNING_SECRET), "page", LASTS, moment)
    return SESSION, sessions.begin(auth.model_dump(exclude={"claims", "provider"}))


def hold(browser: httpx.AsyncClient, token: str, clock: Clock | None = None) -> None:
    """Put a session of who the token names into the browser."""
    hold_text(browser, session_cookie(token, clock)[1])


def hold_text(browser: httpx.AsyncClient, session: str) -> None:
    """Put a text into the browser as the session."""
    host = browser.base_url.host
    browser.cookies.set(
        SESSION, session, domain="localhost.local" if host == "localhost" else host, path="/bossman"
    )

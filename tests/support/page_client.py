"""The page without a browser: what a browser sends and keeps."""

import re

import httpx

from tests.support.app import Login

HOME = "/bossman/"
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


def hold(browser: httpx.AsyncClient, token: str) -> None:
    """Put a token into the browser as the session."""
    browser.cookies.set("bossman_session", token, domain="localhost.local", path="/bossman")

"""HEAD answers as GET does, without the body."""

import logging
import re
from collections.abc import Iterator

import httpx
import pytest

from engines.bossman.pages import routes as pages
from tests.support.app import Login, MemoryKit, settings
from tests.support.page import Server, serving_page
from tests.support.raw_http import exchange
from tests.support.routes import Mounted, mounted_routes

PROBES = ("/livez", "/readyz", "/healthz", "/metrics")
ASSETS = tuple(f"/bossman/static/{name}" for name in ("page.css", "page.js", "icon.svg"))
PUBLIC = (*PROBES, "/docs", "/openapi.json", "/bossman/sign-in", "/bossman/", "/bossman/onboarding", *ASSETS)
OF_ITS_MOMENT = {"x-request-id", "set-cookie", "content-length"}
"""Headers that two answers to GET differ in too: ids, the secret of forms, lengths of what is measured."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving_page(settings()) as running:
        yield running


def headers_of(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in OF_ITS_MOMENT}


@pytest.mark.parametrize("path", [*PUBLIC, "/nowhere", "/bossman/static/none.css", "/bossman/fragment"])
async def test_row_15_a_public_path_answers_head_as_get(kit: MemoryKit, path: str) -> None:
    get, head = await kit.client.get(path), await kit.client.head(path)
    assert (head.status_code, headers_of(head)) == (get.status_code, headers_of(get))
    assert head.content == b""


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
async def test_row_15_the_overview_answers_head_in_both_of_its_forms(kit: MemoryKit, accept: str) -> None:
    headers = {"Accept": accept, "X-System-Key": "test-system-key"}
    path = "/bossman/onboarding"
    get, head = [await kit.client.request(method, path, headers=headers) for method in ("GET", "HEAD")]
    assert (head.status_code, headers_of(head)) == (get.status_code, headers_of(get))


@pytest.mark.parametrize("route", [one for one in mounted_routes() if one.method == "GET"], ids=str)
async def test_row_15_every_route_that_takes_get_takes_head(
    kit: MemoryKit, acme: Login, route: Mounted
) -> None:
    path = route.path_of(acme.tenant_id)
    get, head = [
        await kit.client.request(method, path, headers=acme.headers(), params=route.query)
        for method in ("GET", "HEAD")
    ]
    assert head.status_code == get.status_code


@pytest.mark.parametrize("path", ["/auth/login", "/bossman/sign-out", "/bossman/onboarding/sign-in"])
async def test_row_15_what_takes_no_get_takes_no_head(kit: MemoryKit, path: str) -> None:
    get, head = await kit.client.get(path), await kit.client.head(path)
    assert (get.status_code, head.status_code) == (405, 405)


@pytest.mark.parametrize("path", PUBLIC)
def test_row_15_no_byte_of_a_body_follows_and_its_length_is_said(server: Server, path: str) -> None:
    lines = f"{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    get, head = (exchange(server.port, f"{method} {lines}".encode()) for method in ("GET", "HEAD"))
    assert (head.status, head.body) == (get.status, b"")
    assert int(head.headers["content-length"]) > 0
    assert re.fullmatch(r"\d+", get.headers["content-length"])


async def test_row_15_the_log_says_that_it_was_head(kit: MemoryKit, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "engines.access"):
        await kit.client.head("/livez")
        await kit.client.head(pages.SIGN_IN)
    assert [record.getMessage() for record in caplog.records] == [
        "HEAD /livez 200",
        "HEAD /bossman/sign-in 200",
    ]

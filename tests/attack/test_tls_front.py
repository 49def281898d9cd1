"""Bossman as PRODUCTION.md deploys it: behind a front that ends TLS."""

import re
from collections.abc import Iterator

import httpx
import pytest

from tests.support.bossman import Bossman, bossman
from tests.support.page_client import FORM, HOME, SESSION
from tests.support.raw_http import exchange
from tests.support.tls_front import NAME, TlsFront, tls_front

pytestmark = pytest.mark.docker

PERSON = {"email": "acme@example.com", "password": "password of acme"}
ORIGIN = {"Origin": f"https://{NAME}", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture(scope="module")
def process() -> Iterator[Bossman]:
    with bossman({"ENV": "prod", "NEXUS_BACKEND": "noop"}) as running:
        answer = httpx.post(f"{running.url}/auth/signup", json=PERSON | {"tenant_name": "Acme"})
        answer.raise_for_status()
        yield running


@pytest.fixture(scope="module")
def front(process: Bossman) -> Iterator[TlsFront]:
    with tls_front(process.port) as running:
        yield running


@pytest.fixture
def browser(front: TlsFront) -> Iterator[httpx.Client]:
    """A client that knows the front by its public name."""
    base = f"https://127.0.0.1:{front.tls}"
    with httpx.Client(base_url=base, verify=front.trust, headers={"Host": NAME}) as client:
        yield client


def form_of(answer: httpx.Response) -> str:
    found = FORM.search(answer.text)
    assert found
    return found[1]


def test_a_session_from_its_beginning_to_its_end(browser: httpx.Client) -> None:
    form = browser.get(f"{HOME}sign-in")
    fields = PERSON | {"form_token": form_of(form)}
    answer = browser.post(f"{HOME}sign-in", data=fields, headers=ORIGIN)
    assert (answer.status_code, answer.headers["location"]) == (303, HOME)
    cookies = [*form.headers.get_list("set-cookie"), *answer.headers.get_list("set-cookie")]
    assert len(cookies) == 2
    assert all("; Secure" in cookie and "; HttpOnly" in cookie for cookie in cookies)
    page = browser.get(HOME)
    assert page.status_code == 200
    assert f"https://{NAME}/analytics/events/pageview" in page.text
    assert re.findall(r"http://[\w.]+", page.text) == []
    copy = {"Cookie": f"{SESSION}={browser.cookies[SESSION]}"}
    out = browser.post(f"{HOME}sign-out", data={"form_token": form_of(page)}, headers=ORIGIN)
    assert out.status_code == 303
    assert browser.get(HOME, headers=copy).status_code == 401


@pytest.mark.parametrize("path", ["/livez", "/bossman/sign-in", "/nowhere", "/auth/me"])
def test_every_answer_asks_for_tls_from_now_on(browser: httpx.Client, path: str) -> None:
    assert browser.get(path).headers["strict-transport-security"] == "max-age=31536000"


def test_a_redirect_stays_on_tls_and_on_the_host(browser: httpx.Client) -> None:
    answer = browser.post("/auth/login/", json=PERSON)
    assert (answer.status_code, answer.headers["location"]) == (307, "/auth/login")
    again = browser.post("/auth/login/", json=PERSON, follow_redirects=True)
    assert again.status_code == 200
    assert again.url.scheme == "https"


@pytest.mark.parametrize("name", ["X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "X-Forwarded-For"])
def test_what_a_caller_forwards_itself_changes_nothing(browser: httpx.Client, name: str) -> None:
    answer = browser.get("/bossman/sign-in", headers={name: "http"})
    assert answer.status_code == 200
    assert "; Secure" in answer.headers["set-cookie"]


def test_a_form_of_another_site_is_refused(browser: httpx.Client) -> None:
    fields = PERSON | {"form_token": form_of(browser.get(f"{HOME}sign-in"))}
    for origin in ("https://evil.example", f"https://{NAME}.evil.example"):
        answer = browser.post(f"{HOME}sign-in", data=fields, headers={"Origin": origin})
        assert answer.status_code == 403


def test_row_16_a_front_that_sends_its_own_host_takes_a_session_to_its_end(front: TlsFront) -> None:
    base = f"https://127.0.0.1:{front.bare}"
    sent = {"Origin": base, "Sec-Fetch-Site": "same-origin"}
    with httpx.Client(base_url=base, verify=front.trust) as browser:
        fields = PERSON | {"form_token": form_of(browser.get(f"{HOME}sign-in"))}
        evil = browser.post(f"{HOME}sign-in", data=fields, headers={"Origin": "https://evil.example"})
        assert (evil.status_code, "proxy_set_header Host" in evil.text) == (403, True)
        answer = browser.post(f"{HOME}sign-in", data=fields, headers=sent)
        assert (answer.status_code, answer.headers["location"]) == (303, HOME)
        assert all("; Secure" in cookie for cookie in answer.headers.get_list("set-cookie"))
        out = {"form_token": form_of(browser.get(HOME))}
        assert browser.post(f"{HOME}sign-out", data=out, headers=sent).status_code == 303
        assert browser.get(HOME).status_code == 401


def test_past_the_front_or_without_tls_its_name_is_refused(front: TlsFront, process: Bossman) -> None:
    request = f"GET {HOME}sign-in HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n".encode()
    for port in (process.port, front.plain):
        answer = exchange(port, request)
        assert (answer.status, b"TLS front" in answer.body) == (421, True)
        assert "strict-transport-security" not in answer.headers

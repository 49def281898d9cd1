"""Hosts that are not ours, said through a raw socket: a client library would tidy them up."""

import socket
from collections.abc import Iterator

import pytest

from tests.support.app import settings
from tests.support.page import Server, serving_page
from tests.support.raw_http import Answer, exchange

PUBLIC = ("/docs", "/openapi.json", "/bossman/sign-in", "/bossman/", "/auth/me", "/nowhere")
PROBES = ("/livez", "/readyz", "/healthz", "/metrics")
REBOUND = ("evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "a.b")
MALFORMED = ("", " ", "a b", "evil.example/x", "user@127.0.0.1", "127.0.0.1:x", "[::1", "<script>", "a, b")
OWN = ("127.0.0.1", "127.0.0.1:8000", "localhost", "LOCALHOST:1", "a.localhost", "[::1]:80", "bossman:8000")
ELSEWHERE = ("//evil.example/", "//evil.example", "/\\evil.example/", "/%2F/evil.example/")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving_page(settings(ENV="dev")) as running:
        yield running


def ask(server: Server, path: str, *headers: str, method: str = "GET") -> Answer:
    lines = "".join(f"{header}\r\n" for header in headers)
    request = f"{method} {path} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n"
    return exchange(server.port, request.encode("latin-1"))


@pytest.mark.parametrize("host", REBOUND)
def test_a_page_whose_name_leads_here_is_refused_everywhere(server: Server, host: str) -> None:
    for path in (*PUBLIC, *PROBES):
        answer = ask(server, path, f"Host: {host}")
        assert answer.status == 421
        assert b"open it as http://127.0.0.1" in answer.body
        assert host.encode() not in answer.body


@pytest.mark.parametrize("host", MALFORMED)
def test_what_is_no_host_is_refused(server: Server, host: str) -> None:
    assert ask(server, "/livez", f"Host: {host}").status == 400


@pytest.mark.parametrize("headers", [(), ("Host: 127.0.0.1", "Host: evil.example")], ids=["none", "two"])
def test_there_is_exactly_one_host(server: Server, headers: tuple[str, ...]) -> None:
    assert ask(server, "/livez", *headers).status == 400


def test_an_address_line_with_a_host_of_its_own_changes_nothing(server: Server) -> None:
    assert ask(server, "http://127.0.0.1/livez", "Host: evil.example").status == 421


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:8000", "localhost", "LOCALHOST:1", "a.localhost", "[::1]:80", "bossman:8000"],
)
def test_our_own_names_are_answered_at_any_port(server: Server, host: str) -> None:
    assert ask(server, "/bossman/sign-in", f"Host: {host}").status == 200


def test_the_containers_own_name_is_answered(server: Server) -> None:
    assert ask(server, "/bossman/sign-in", f"Host: {socket.gethostname()}:8000").status == 200


@pytest.mark.parametrize("host", ["10.1.2.3:8000", "192.168.0.1", "[fd00::1]:8000", "8.8.8.8"])
def test_by_address_only_probes_are_answered(server: Server, host: str) -> None:
    assert {ask(server, path, f"Host: {host}").status for path in PROBES} == {200}
    assert {ask(server, path, f"Host: {host}").status for path in PUBLIC} == {421}


@pytest.mark.parametrize(
    "forwarded", ["X-Forwarded-Host: 127.0.0.1", "Forwarded: host=127.0.0.1", "X-Forwarded-Proto: https"]
)
def test_in_dev_no_forwarded_header_is_believed(server: Server, forwarded: str) -> None:
    answer = ask(server, "/bossman/sign-in", "Host: evil.example", forwarded)
    assert answer.status == 421
    assert "strict-transport-security" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "location"),
    [
        ("GET", "/bossman", "/bossman/"),
        ("GET", "/bossman?env=prod", "/bossman/?env=prod"),
        ("POST", "/auth/login/", "/auth/login"),
    ],
)
@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost"])
def test_a_redirect_names_no_host(server: Server, method: str, path: str, location: str, host: str) -> None:
    answer = ask(server, path, f"Host: {host}", "Content-Length: 0", method=method)
    assert (answer.status, answer.headers["location"]) == (307, location)


@pytest.mark.parametrize("path", ELSEWHERE)
def test_no_path_makes_a_redirect_to_elsewhere(server: Server, path: str) -> None:
    answer = ask(server, path, "Host: 127.0.0.1")
    assert answer.status in (307, 404)
    assert not answer.headers.get("location", "/x").startswith(("//", "/\\", "h"))

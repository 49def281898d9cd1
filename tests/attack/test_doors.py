"""A door answers loopback names and its service name, and no web page; asked over a raw socket."""

from collections.abc import Iterator

import grpc
import httpx
import pytest
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport

from tests.support.bigquery import PROJECT
from tests.support.doors import DOCUMENTS, SERVICES, Doors, opened_doors

pytestmark = pytest.mark.docker

FOREIGN_HOSTS = [
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil.example:80@127.0.0.1",
    "127.0.0.1:x",
    "0.0.0.0",
    "169.254.169.254",
    "[::]",
    "bossman",
    "",
]
FOREIGN_ORIGINS = [
    "Origin: http://evil.example",
    "Origin: https://127.0.0.1",
    "Origin: http://127.0.0.1:1",
    "Origin: http://localhost",
    "Origin: null",
    "Origin: file://",
    "Origin: http://{host}.evil.example",
    "Origin: http://{host}/",
    "Origin: http://{host}, http://evil.example",
    "Sec-Fetch-Site: cross-site",
    "Sec-Fetch-Site: same-site",
    "Sec-Fetch-Site: anything-new",
]


@pytest.fixture(scope="module")
def doors() -> Iterator[Doors]:
    with opened_doors() as running:
        yield running


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_foreign_host_is_refused(doors: Doors, service: str, host: str) -> None:
    status, answer = doors.ask(service, f"Host: {host}")
    assert status in {400, 421}, answer


def test_a_request_without_a_host_or_with_two_is_refused(doors: Doors, service: str) -> None:
    host = f"Host: {doors.hosts[service]}"
    assert doors.ask(service, version="1.0")[0] == 421
    assert doors.ask(service)[0] == 400
    assert doors.ask(service, host, "Host: evil.example")[0] == 400


def test_the_target_of_an_absolute_request_does_not_hide_the_host(doors: Doors, service: str) -> None:
    for target, host in (("127.0.0.1", "evil.example"), ("evil.example", "127.0.0.1")):
        assert doors.raw(service, f"GET http://{target}/ HTTP/1.1", f"Host: {host}")[0] == 421


@pytest.mark.parametrize("line", FOREIGN_ORIGINS)
def test_a_page_of_another_origin_is_refused(doors: Doors, service: str, line: str) -> None:
    host = doors.hosts[service]
    status, answer = doors.ask(service, f"Host: {host}", line.format(host=host))
    assert status == 403, answer
    assert "no web page of another origin" in answer
    assert "access-control-" not in answer.lower()


def test_a_preflight_is_refused(doors: Doors, service: str) -> None:
    method = "Access-Control-Request-Method: PUT"
    host = f"Host: {doors.hosts[service]}"
    status, answer = doors.raw(service, "OPTIONS / HTTP/1.1", host, "Origin: http://evil.example", method)
    assert status == 403
    assert "access-control-" not in answer.lower()


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "LOCALHOST:1", "[::1]:8080", "127.1.2.3", "{service}", "{service}:8080"],
)
def test_a_friend_is_answered_and_told_nothing_for_browsers(doors: Doors, service: str, host: str) -> None:
    name = host.format(service=service)
    for lines in ([], [f"Origin: http://{name}", "Sec-Fetch-Site: same-origin"], ["Sec-Fetch-Site: none"]):
        status, answer = doors.ask(service, f"Host: {name}", *lines)
        assert status in {200, 404} or (service == "s3" and "AccessDenied" in answer), answer
        assert "access-control-" not in answer.lower()


def test_the_service_name_of_another_stand_in_is_foreign(doors: Doors) -> None:
    assert doors.ask("firestore", "Host: bigquery")[0] == 421


def test_grpc_is_judged_by_its_authority(doors: Doors) -> None:
    named = {"parent": DOCUMENTS.removeprefix("/v1/"), "collection_id": "kept"}
    for authority, code in (("evil.example", grpc.StatusCode.UNKNOWN), ("firestore:8080", None)):
        options = [("grpc.default_authority", authority)]
        channel = grpc.insecure_channel(doors.hosts["firestore"], options)
        client = FirestoreClient(transport=FirestoreGrpcTransport(channel=channel))
        try:
            client.list_documents(named, timeout=20, retry=None)
            found = None
        except Exception as error:  # the SDK's own family hides the code of gRPC in its cause
            found = error.__cause__.code()  # type: ignore[union-attr]
        finally:
            channel.close()
        assert found is code, authority


def test_what_is_refused_is_not_done(doors: Doors) -> None:
    document = {"fields": {"x": {"integerValue": "1"}}}
    url = doors.url("firestore", f"{DOCUMENTS}/refused/a")
    for header in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        assert httpx.patch(url, json=document, headers=header).status_code in {403, 421}
    assert httpx.get(url).status_code == 404


EMULATOR = f"/emulator/v1/projects/{PROJECT}"
CLOSED = [
    ("firestore", "/shutdown"),
    ("firestore", "//shutdown"),
    ("firestore", "/%73hutdown?x=1"),
    ("firestore", "/reset"),
    ("firestore", f"{EMULATOR}:export"),
    ("firestore", f"{EMULATOR}/databases/(default):import"),
    ("firestore", "/google.firestore.emulator.v1.FirestoreEmulator/ClearData"),
    ("bigquery", "/docs"),
    ("bigquery", "/redoc"),
    ("bigquery", "/docs/oauth2-redirect"),
    ("objectstore", "/_internal/config"),
    ("objectstore", "/_internal/reseed"),
    ("objectstore", "//_internal/reseed"),
    ("objectstore", "/x/../_internal/delete"),
]


@pytest.mark.parametrize(("service", "path"), CLOSED)
def test_what_stops_empties_or_reconfigures_a_stand_in_is_closed_for_friends_too(
    doors: Doors, service: str, path: str
) -> None:
    for method in ("GET", "POST", "PUT", "DELETE"):
        status, answer = doors.raw(service, f"{method} {path} HTTP/1.1", f"Host: {doors.hosts[service]}")
        assert (status, "this door is closed" in answer) == (403, True), answer


def test_a_document_may_be_named_as_what_is_closed(doors: Doors) -> None:
    url = doors.url("firestore", f"{DOCUMENTS}/kept/reset")
    assert httpx.patch(url, json={"fields": {}}).status_code == 200
    assert httpx.get(url).status_code == 200
    assert httpx.delete(url).status_code == 200

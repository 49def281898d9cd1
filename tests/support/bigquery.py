"""The kit's BigQuery stand-in for tests, through Testcontainers, and clients that look behind the sink."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
from docker.types import Mount
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from testcontainers.core.container import DockerContainer

from tests.support.docker import OUTPUT, TEST_PROJECT, Firestore, answers, free_port, wait_until

PROJECT = "northstar-local"
DATASET = "nexus_events"


class BigQuery(Firestore):
    """A running BigQuery stand-in: stopped, paused and healed like the other one."""

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def wait(self) -> None:
        # It listens before its database is open; the list of datasets needs it.
        datasets = f"{self.url}/bigquery/v2/projects/{PROJECT}/datasets"
        wait_until(lambda: answers(datasets), 60, f"BigQuery on {self.host}")


@contextmanager
def bigquery_stand_in(volume: str | None = None) -> Iterator[BigQuery]:
    """Start the kit's own BigQuery image with the sink's dataset; its log is kept under test-output.

    Its data lie in ``volume``, else in a new one.
    """
    port = free_port()
    container = DockerContainer(f"{TEST_PROJECT}-bigquery").with_tmpfs_mount("/tmp")
    container.with_env("GOOGLE_CLOUD_PROJECT", PROJECT)
    data = Mount("/data", volume, type="volume")
    container.with_kwargs(read_only=True, mounts=[data], labels={TEST_PROJECT: "1"})
    ports: dict[str, Any] = container.ports
    ports["9050/tcp"] = ("127.0.0.1", port)
    with container:
        running = BigQuery(container, port)
        try:
            running.wait()
            with client_of(running.url) as client:
                client.create_dataset(f"{PROJECT}.{DATASET}")
            yield running
        finally:
            OUTPUT.mkdir(exist_ok=True)
            (OUTPUT / f"bigquery-{port}.log").write_bytes(b"".join(container.get_logs()))


@contextmanager
def client_of(url: str) -> Iterator[bigquery.Client]:
    """A client of the test's own."""
    client = bigquery.Client(
        PROJECT,
        AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options={"api_endpoint": url},
    )
    try:
        yield client
    finally:
        client.close()  # type: ignore[no-untyped-call]


class FaultyBigQuery(ThreadingHTTPServer):
    """Passes requests on to the stand-in, except where ``faults`` has an answer for the end of the path."""

    daemon_threads = True

    def __init__(self, far_end: str) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.far_end = far_end
        self.faults: dict[str, tuple[int, dict[str, Any]]] = {}
        """End of the path ("" is every path) → status and JSON body."""
        self.sent: list[int] = []
        """Bytes of each body of an insert."""
        self.poison: bytes | None = None
        """An insert whose body holds this is refused as a whole: BigQuery cannot read one of its rows."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def fail(self, path: str, status: int, reason: str, message: str = "") -> None:
        """Answer as BigQuery does when it refuses a call."""
        errors = [{"reason": reason, "message": message, "domain": "global"}]
        self.faults[path] = (status, {"error": {"code": status, "message": message, "errors": errors}})

    def fail_row(self, reason: str, location: str = "", message: str = "") -> None:
        """Answer as BigQuery does when it refuses the first row of an insert."""
        self.fail_rows(1, reason, message, location)

    def fail_rows(self, count: int, reason: str, message: str = "", location: str = "") -> None:
        """Answer as BigQuery does when it refuses the first rows of an insert."""
        errors = [{"reason": reason, "location": location, "message": message}]
        refused = [{"index": index, "errors": errors} for index in range(count)]
        self.faults["/insertAll"] = (200, {"insertErrors": refused})


class _Passing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyBigQuery

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        if path.endswith("/insertAll"):
            self.server.sent.append(len(body))
            if self.server.poison and self.server.poison in body:
                errors = [{"reason": "invalidQuery", "message": "a secret value", "domain": "global"}]
                self._send(
                    400, json.dumps({"error": {"code": 400, "message": "", "errors": errors}}).encode()
                )
                return
        faults = self.server.faults.items()
        status, content = next((found for end, found in faults if path.endswith(end)), (0, {}))
        self._send(status, json.dumps(content).encode()) if status else self._pass_on(body)

    def _pass_on(self, body: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        url = self.server.far_end + self.path
        found = httpx.request(self.command, url, content=body, headers=headers, timeout=10)
        self._send(found.status_code, found.content)

    def _send(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    do_GET = do_POST = do_PATCH = _answer


@contextmanager
def faulty(far_end: str) -> Iterator[FaultyBigQuery]:
    """A BigQuery that fails where a test says so."""
    with FaultyBigQuery(far_end) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()

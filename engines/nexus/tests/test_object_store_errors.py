"""What the object-store sink raises for each answer of a store, over the wire on both kinds of bucket."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from engines.nexus.backends import get_backend
from engines.nexus.backends.sink import EventSink, SinkError, SinkMisconfigured, SinkRetryable
from engines.nexus.tests.test_object_store import envelope
from tests.support.app import settings

BODY = b"an answer's body with a secret"
KINDS = {
    "gs": ("gs://bucket", "STORAGE_EMULATOR_HOST"),
    "s3": ("s3://bucket", "AWS_ENDPOINT_URL_S3"),
}
ANSWERS: list[tuple[int, type[SinkError], str]] = [
    (401, SinkMisconfigured, "denied"),
    (403, SinkMisconfigured, "denied"),
    (404, SinkMisconfigured, "missing"),
    (429, SinkRetryable, "error"),
    (500, SinkRetryable, "error"),
    (503, SinkRetryable, "error"),
    (400, SinkError, "error"),
]


@contextmanager
def answering(status: int) -> Iterator[str]:
    """The URL of a server that gives the same answer to everything."""

    class Answer(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Length", str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY)

        do_GET = do_PUT = do_POST = answer

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def open_sink(kind: str, url: str | None) -> EventSink:
    address, host = KINDS[kind]
    keys = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key"}
    values = {"NEXUS_BACKEND": "object_store", "DATASETS_BUCKET": address} | ({host: url} if url else {})
    return get_backend(settings(**values, **keys), None)


@pytest.mark.parametrize(("status", "error", "reason"), ANSWERS)
@pytest.mark.parametrize("kind", list(KINDS))
async def test_an_answer_becomes_the_ports_error_without_its_body(
    kind: str, status: int, error: type[SinkError], reason: str
) -> None:
    with answering(status) as url:
        sink = open_sink(kind, url)
        for call in (sink.probe(), sink.write([envelope("e1")]), sink.latest("t_acme", "dev")):
            with pytest.raises(SinkError) as caught:
                await call
            assert type(caught.value) is error
            assert caught.value.reason == reason
            assert caught.value.target == f"{KINDS[kind][0]}/{{tenant}}/"
            assert "secret" not in str(caught.value)
        await sink.close()


@pytest.mark.parametrize(("kind", "stand_in"), [("gs", True), ("s3", True), ("s3", False)])
async def test_a_sink_says_whether_an_emulator_is_behind_it(kind: str, stand_in: bool) -> None:
    sink = open_sink(kind, "http://127.0.0.1:1" if stand_in else None)
    assert sink.describe().stand_in is stand_in
    await sink.close()

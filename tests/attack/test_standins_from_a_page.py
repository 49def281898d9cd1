"""A page of another origin in a real Chromium tries each stand-in: nothing is read, nothing is written."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.support.bigquery import DATASET, PROJECT
from tests.support.doors import DOCUMENTS, OBJECTS, SECRET, TABLES, UPLOAD, Doors, opened_doors
from tests.support.page import browser

pytestmark = [pytest.mark.docker, pytest.mark.browser, pytest.mark.timeout(300)]

HERE = Path(__file__).parent
PLAIN, JSON = "text/plain", "application/json"
NAMES = DOCUMENTS.removeprefix("/v1/")


def commit(write: dict[str, Any]) -> str:
    """The body of a commit."""
    return json.dumps({"writes": [write]})


WRITTEN = commit({"update": {"name": f"{NAMES}/kept/planted", "fields": {"owner": {"stringValue": "a=b"}}}})
DELETED = commit({"delete": f"{NAMES}/kept/secret"})
QUERY = json.dumps({"structuredQuery": {"from": [{"collectionId": "kept"}]}})
ROW = json.dumps({"rows": [{"insertId": "2", "json": {"text": "planted"}}]})
QUERIES = f"/bigquery/v2/projects/{PROJECT}/queries"
DROP = json.dumps({"query": f"DROP TABLE {DATASET}.kept", "useLegacySql": False})
SELECT = json.dumps({"query": f"SELECT * FROM {DATASET}.kept", "useLegacySql": False})

ATTACKS = [
    ("firestore", "GET", f"{DOCUMENTS}/kept/secret", "", ""),
    ("firestore", "POST", f"{DOCUMENTS}:runQuery", QUERY, PLAIN),
    ("firestore", "POST", f"{DOCUMENTS}:commit", WRITTEN, PLAIN),
    ("firestore", "POST", f"{DOCUMENTS}:commit", DELETED, PLAIN),
    ("firestore", "POST", f"{DOCUMENTS}/kept?documentId=planted", '{"fields": {}}', PLAIN),
    ("firestore", "PATCH", f"{DOCUMENTS}/kept/planted", '{"fields": {}}', JSON),
    ("firestore", "DELETE", f"/emulator/v1/projects/{PROJECT}/databases/(default)/documents", "", ""),
    ("firestore", "GET", "/kit/status", "", ""),
    ("bigquery", "GET", TABLES, "", ""),
    ("bigquery", "POST", QUERIES, SELECT, PLAIN),
    ("bigquery", "POST", QUERIES, DROP, PLAIN),
    ("bigquery", "POST", f"{TABLES}/kept/insertAll", ROW, PLAIN),
    ("bigquery", "DELETE", f"{TABLES}/kept", "", ""),
    ("objectstore", "GET", f"{OBJECTS}/kept.js?alt=media", "", ""),
    ("objectstore", "GET", "/datasets/kept.js", "", ""),
    ("objectstore", "POST", f"{UPLOAD}planted", "x", PLAIN),
    ("objectstore", "POST", "/datasets", "x", PLAIN),
    ("objectstore", "POST", "/storage/v1/b", '{"name": "planted"}', PLAIN),
    ("objectstore", "PUT", "/_internal/config", '{"externalUrl": "http://evil.example"}', JSON),
    ("objectstore", "DELETE", f"{OBJECTS}/kept.js", "", ""),
    ("s3", "GET", "/datasets", "", ""),
    ("s3", "POST", "/datasets", "x", PLAIN),
    ("s3", "PUT", "/datasets/planted", "x", PLAIN),
]


@pytest.fixture(scope="module")
def doors() -> Iterator[Doors]:
    with opened_doors() as running:
        running.plant()
        yield running


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def foreign_page() -> Iterator[str]:
    """An address on loopback, of another origin, that serves an empty page."""
    handler = partial(_Quiet, directory=str(HERE))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with foreign_page() as address, browser() as chromium:
        page = chromium.new_context().new_page()
        page.goto(f"{address}/page.js")
        page.set_content("<!doctype html><body></body>")
        page.add_script_tag(path=HERE / "page.js")
        yield page


def test_nothing_is_read_and_nothing_written(doors: Doors, page: Page) -> None:
    before = doors.contents()
    assert SECRET in json.dumps(before)
    assert page.evaluate("origin").startswith("http://localhost:")
    read = {}
    for service, method, path, body, kind in ATTACKS:
        what = {"method": method, "url": doors.url(service, path), "body": body, "type": kind}
        found = page.evaluate("what => attack(what)", what)
        if found:
            read[f"{method} {service} {path}"] = found
    after = doors.contents()
    changed = {name: (before[name], after[name]) for name in before if before[name] != after[name]}
    assert (read, changed) == ({}, {})

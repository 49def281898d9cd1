"""A page of another origin in a real Chromium tries each stand-in: nothing is read, nothing is written."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.support.bigquery import DATASET, PROJECT
from tests.support.doors import DOCUMENTS, OBJECTS, SECRET, TABLES, UPLOAD, Doors, opened_doors
from tests.support.foreign_page import foreign_page
from tests.support.page import browser

pytestmark = [pytest.mark.docker, pytest.mark.browser, pytest.mark.timeout(300)]

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


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser() as chromium, foreign_page(chromium.new_context()) as page:
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

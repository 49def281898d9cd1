"""The stand-ins' doors as an attacker meets them: one container each, raw requests, and what lies behind."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.bigquery import DATASET, PROJECT, bigquery_stand_in
from tests.support.docker import firestore
from tests.support.object_stores import cloud_storage, s3

SERVICES = ("firestore", "bigquery", "objectstore", "s3")
DOCUMENTS = f"/v1/projects/{PROJECT}/databases/(default)/documents"
TABLES = f"/bigquery/v2/projects/{PROJECT}/datasets/{DATASET}/tables"
OBJECTS = "/storage/v1/b/datasets/o"
UPLOAD = "/upload/storage/v1/b/datasets/o?uploadType=media&name="
PATIENCE = 60
"""Seconds for an answer: a busy machine takes its time."""

SECRET = "a-word-that-only-the-stand-in-knows"

PLAIN_READS = {
    "firestore": f"{DOCUMENTS}/kept/secret",
    "bigquery": TABLES,
    "objectstore": OBJECTS,
    "s3": "/datasets",
}
"""A path whose answer to a friend is not a refusal of the door."""


@dataclass(frozen=True)
class Doors:
    """Running stand-ins: service → host and port."""

    hosts: dict[str, str]

    def url(self, service: str, path: str = "") -> str:
        return f"http://{self.hosts[service]}{path}"

    def ask(self, service: str, *lines: str, version: str = "1.1") -> tuple[int, str]:
        """Status and the whole answer to a GET with exactly these header lines."""
        return self.raw(service, f"GET {PLAIN_READS[service]} HTTP/{version}", *lines)

    def raw(self, service: str, *lines: str) -> tuple[int, str]:
        """Status and the whole answer to exactly these lines."""
        host, _, port = self.hosts[service].partition(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
            received = b""
            while part := connection.recv(65536):
                received += part
        answer = received.decode(errors="replace")
        return int(answer.split(" ", 2)[1]), answer

    def plant(self) -> None:
        """Something in each that a page would like to read or destroy."""
        document = {"fields": {"text": {"stringValue": SECRET}}}
        httpx.patch(
            self.url("firestore", f"{DOCUMENTS}/kept/secret"), json=document, timeout=PATIENCE
        ).raise_for_status()
        table = {"tableReference": {"projectId": PROJECT, "datasetId": DATASET, "tableId": "kept"}}
        columns = {"schema": {"fields": [{"name": "text", "type": "STRING"}]}}
        httpx.post(self.url("bigquery", TABLES), json=table | columns, timeout=PATIENCE).raise_for_status()
        row = {"rows": [{"insertId": "1", "json": {"text": SECRET}}]}
        httpx.post(
            self.url("bigquery", f"{TABLES}/kept/insertAll"), json=row, timeout=PATIENCE
        ).raise_for_status()
        script = f"window.stolen = '{SECRET}'"
        javascript = {"Content-Type": "text/javascript"}
        httpx.post(
            self.url("objectstore", f"{UPLOAD}kept.js"), content=script, headers=javascript, timeout=PATIENCE
        )

    def contents(self) -> dict[str, Any]:
        """All that lies in each, as a friend sees it. S3 answers nobody without a signature."""
        everything = {"structuredQuery": {"from": [{"allDescendants": True}]}}
        query = {"query": f"SELECT * FROM `{DATASET}.kept`", "useLegacySql": False}
        found = httpx.post(
            self.url("firestore", f"{DOCUMENTS}:runQuery"), json=everything, timeout=PATIENCE
        ).json()
        rows = httpx.post(
            self.url("bigquery", f"/bigquery/v2/projects/{PROJECT}/queries"), json=query, timeout=PATIENCE
        )
        return {
            "documents": sorted(json.dumps(one["document"]) for one in found if "document" in one),
            "tables": httpx.get(self.url("bigquery", TABLES), timeout=PATIENCE).json(),
            "rows": rows.json().get("rows"),
            "objects": httpx.get(self.url("objectstore", OBJECTS), timeout=PATIENCE).json(),
            "buckets": httpx.get(self.url("objectstore", "/storage/v1/b"), timeout=PATIENCE).json(),
        }


@contextmanager
def opened_doors() -> Iterator[Doors]:
    """One container of each stand-in."""
    with ExitStack() as stack:
        stores = {"objectstore": stack.enter_context(cloud_storage()), "s3": stack.enter_context(s3())}
        hosts = {name: store.url.removeprefix("http://") for name, store in stores.items()}
        hosts["firestore"] = stack.enter_context(firestore(GOOGLE_CLOUD_PROJECT=PROJECT)).host
        hosts["bigquery"] = stack.enter_context(bigquery_stand_in()).host
        yield Doors(hosts)

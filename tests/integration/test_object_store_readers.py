"""What the object-store sink wrote is read by DuckDB and loaded by BigQuery as it lies, as SINKS.md says."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import duckdb
import httpx
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from google.cloud.storage import Client

from engines.dataset.events.schemas import DatasetEvent
from engines.nexus.backends import get_backend
from engines.nexus.backends.sink import Envelope
from tests.contracts.event_sink import EXACT, envelope
from tests.support.app import settings
from tests.support.bigquery import bigquery_stand_in, client_of
from tests.support.docker import ROOT
from tests.support.object_stores import cloud_storage

DOCUMENT = (ROOT / "docs/infra/SINKS.md").read_text()
[DUCKDB] = re.findall(r"^```sql\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
[SCHEMA] = re.findall(r"^  (event_id:STRING,\S+)$", DOCUMENT, re.MULTILINE)
FIRST = "QUALIFY ROW_NUMBER() OVER (PARTITION BY tenantId, event_id ORDER BY ingested_at) = 1"


@pytest.fixture(scope="module")
async def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Envelope]]:
    """Files of a bucket after two batches that share an id, and the events that count."""
    tenant = f"t_{uuid4().hex}"
    events = [envelope(tenant, f"e{n}", n * 1800, input=EXACT) for n in range(6)]
    folder = tmp_path_factory.mktemp("bucket")
    with cloud_storage() as store:
        values = {"DATASETS_BUCKET": "gs://datasets", "STORAGE_EMULATOR_HOST": store.url}
        sink = get_backend(settings(NEXUS_BACKEND="object_store", **values), None)
        await sink.write(events)
        await sink.write([envelope(tenant, "e2", 20_000, surface="again"), envelope(tenant, "e6", 20_001)])
        await sink.close()
        download(store.url, folder)
    return folder, [*events, envelope(tenant, "e6", 20_001)]


def download(url: str, folder: Path) -> None:
    anonymous = AnonymousCredentials()  # type: ignore[no-untyped-call]
    client = Client(project="p", credentials=anonymous, client_options={"api_endpoint": url})
    for blob in client.list_blobs("datasets"):
        path = folder / "datasets" / blob.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(blob.download_as_bytes())
    client.close()


@pytest.fixture(scope="module")
def warehouse() -> Iterator[bigquery.Client]:
    with bigquery_stand_in() as running, client_of(running.url) as client:
        yield client


def test_duckdb_reads_the_files_with_the_documented_query(
    written: tuple[Path, list[Envelope]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, events = written
    monkeypatch.chdir(folder)
    rows = duckdb.connect().execute(DUCKDB).fetchall()
    assert [row[1] for row in rows] == [event.event_id for event in events]
    assert [row[2] for row in rows] == [event.ingested_at.replace(tzinfo=None) for event in events]
    assert {row[3:5] for row in rows} == {(False, '["email"]')}
    assert json.loads(rows[0][5]) == EXACT


def test_bigquery_loads_the_files_with_the_documented_schema(
    written: tuple[Path, list[Envelope]], warehouse: bigquery.Client
) -> None:
    folder, events = written
    schema = [bigquery.SchemaField(*field.split(":")) for field in SCHEMA.split(",")]
    assert {field.name for field in schema} - DatasetEvent.model_fields.keys() == {
        "event_id",
        "ingested_at",
        "schema_version",
    }
    config = bigquery.LoadJobConfig(source_format="NEWLINE_DELIMITED_JSON", schema=schema)
    for path in sorted(folder.rglob("*.ndjson")):
        with path.open("rb") as file:
            warehouse.load_table_from_file(file, "nexus_events.from_bucket", job_config=config).result()
    query = f"SELECT * FROM nexus_events.from_bucket {FIRST} ORDER BY ingested_at"
    rows: list[dict[str, Any]] = [dict(row) for row in warehouse.query(query).result()]
    assert [(row["event_id"], row["ingested_at"]) for row in rows] == [
        (event.event_id, event.ingested_at) for event in events
    ]
    assert [DatasetEvent.model_validate(row) for row in rows] == [event.event for event in events]


def test_row_17_an_object_has_its_path_style_address_on_the_host() -> None:
    """What is built on the caller's address stays on it."""
    with cloud_storage() as gcs:
        upload = f"{gcs.url}/upload/storage/v1/b/datasets/o"
        for name in ("a", "a folder/ü.json"):
            params = {"uploadType": "media", "name": name}
            httpx.post(upload, params=params, content=name.encode()).raise_for_status()
            found = httpx.get(f"{gcs.url}/datasets/{quote(name)}")
            assert (found.status_code, found.content) == (200, name.encode())
        assert httpx.get(f"{gcs.url}/datasets/none").status_code == 404
        begun = httpx.post(upload, params={"uploadType": "resumable", "name": "b"}, json={})
        assert begun.headers["location"].startswith(gcs.url)

"""The SQL of the BigQuery stand-in reaches tables alone: no file of its container, no address."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import httpx
import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import bigquery

from tests.support.bigquery import DATASET, BigQuery
from tests.support.bigquery_fixtures import client

__all__ = ["client"]

ONCE: Any = None
"""No retry: the SDK would wait for what is refused for good."""
OUT = f"OPTIONS(uri='%s', format='CSV') AS SELECT * FROM {DATASET}.closed"

READS = [
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM main.read_text('/etc/passwd')",
    "SELECT * FROM READ_CSV('/etc/passwd')",
    "SELECT * FROM read_csv_auto('/etc/passwd')",
    "SELECT * FROM read_json('/etc/passwd')",
    "SELECT * FROM read_parquet('/etc/passwd')",
    "SELECT * FROM read_blob('/data/emulator.duckdb')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM parquet_metadata('/etc/passwd')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM st_read('/etc/passwd')",
    "SELECT * FROM `/etc/passwd`",
    "SELECT * FROM query_table('/etc/passwd')",
    "SELECT * FROM query(\"SELECT * FROM read_text('/etc/passwd')\")",
    "EXECUTE IMMEDIATE \"SELECT * FROM read_text('/etc/passwd')\"",
    f"CREATE VIEW {DATASET}.leak AS SELECT * FROM read_text('/etc/passwd')",
    f"CREATE TABLE {DATASET}.leak AS SELECT * FROM read_text('/etc/passwd')",
    f"CREATE FUNCTION {DATASET}.leak() AS ((SELECT content FROM read_text('/etc/passwd')))",
    f"LOAD DATA INTO {DATASET}.leak FROM FILES (format='CSV', uris=['file:///etc/passwd'])",
    f"LOAD DATA INTO {DATASET}.leak FROM FILES (format='CSV', uris=['gs://../../etc/passwd'])",
    "SELECT * FROM duckdb_settings()",
]
WRITES = [
    f"COPY (SELECT * FROM {DATASET}.closed) TO '/tmp/escaped.csv'",
    f"COPY (SELECT * FROM {DATASET}.closed) TO '/data/escaped.csv'",
    "EXECUTE IMMEDIATE \"COPY (SELECT 1) TO '/tmp/escaped.csv'\"",
    f"EXPORT DATA {OUT % 'file:///tmp/escaped/*.csv'}",
    f"EXPORT DATA {OUT % '/tmp/escaped/*.csv'}",
    f"EXPORT DATA {OUT % 'gs://../../tmp/escaped/*.csv'}",
    "EXPORT DATABASE '/tmp/escaped'",
    "ATTACH '/tmp/escaped.db' AS escaped",
    "CREATE SCHEMA `../../tmp/escaped`.x",
]
NETWORK = [
    "SELECT * FROM read_text('http://127.0.0.1:{port}/')",
    "SELECT * FROM read_csv('http://127.0.0.1:{port}/')",
    "EXPORT DATA OPTIONS(uri='http://127.0.0.1:{port}/*.csv', format='CSV') AS SELECT 1 AS a",
    "SELECT * FROM EXTERNAL_QUERY('us.default', 'SELECT 1')",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "PRAGMA database_list",
]


@pytest.fixture
def table(client: bigquery.Client) -> Iterator[None]:
    client.query_and_wait(f"CREATE OR REPLACE TABLE {DATASET}.closed AS SELECT 1 AS a")
    yield
    client.query_and_wait(f"DROP TABLE {DATASET}.closed")


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("sql", [*READS, *WRITES, *NETWORK])
def test_sql_that_names_a_file_or_an_address_is_refused(
    client: bigquery.Client, stand_in: BigQuery, sql: str
) -> None:
    with pytest.raises(GoogleAPICallError) as refused:
        client.query_and_wait(sql.replace("{port}", "9051"), retry=ONCE, job_retry=ONCE)
    assert refused.value.code in {400, 403, 404}, refused.value
    assert "root:" not in str(refused.value)
    _, listing = stand_in.container.exec_run(["sh", "-c", "find /tmp /data -name '*escaped*'"])
    assert listing == b""


@pytest.mark.parametrize("uri", ["file:///etc/passwd", "/etc/passwd", "gs://../../etc/passwd"])
def test_a_load_job_reads_no_file_of_the_container(client: bigquery.Client, uri: str) -> None:
    config = bigquery.LoadJobConfig(source_format="CSV", autodetect=True)
    with pytest.raises(GoogleAPICallError) as refused:
        client.load_table_from_uri(uri, f"{DATASET}.leak", job_config=config, retry=ONCE).result(retry=ONCE)
    assert "Not an object of this stand-in" in str(refused.value)


def test_duckdb_itself_is_closed_and_stays_so(client: bigquery.Client) -> None:
    """What no rule of ours sees is refused below it: here an extension that is not loaded."""
    with pytest.raises(GoogleAPICallError, match="disabled through configuration"):
        client.query_and_wait("SELECT * FROM EXTERNAL_QUERY('us.default', 'SELECT 1')", retry=ONCE)


def test_what_bigquery_has_works_as_before(client: bigquery.Client, stand_in: BigQuery) -> None:
    hour = "FORMAT_TIMESTAMP('%H', TIMESTAMP '2026-01-01', 'Europe/Berlin')"
    [row] = client.query_and_wait(f"SELECT {hour} AS hour, ST_GEOGPOINT(1, 2) AS point")
    assert (row.hour, row.point) == ("01", "POINT(1 2)")
    client.query_and_wait("CREATE SCHEMA IF NOT EXISTS `another-project`.made")
    client.query_and_wait("CREATE OR REPLACE TABLE `another-project`.made.t AS SELECT 'x' AS a")
    client.query_and_wait("EXPORT DATA OPTIONS(uri='gs://made/x*.csv', format='CSV') AS SELECT 5 AS a")
    rows = b"a\n7\n"
    upload = client.load_table_from_file(
        BytesIO(rows),
        f"{DATASET}.loaded",
        job_config=bigquery.LoadJobConfig(source_format="CSV", autodetect=True),
    )
    upload.result()
    [loaded] = client.query_and_wait(f"SELECT a FROM {DATASET}.loaded")
    assert loaded.a == 7
    client.delete_table(f"{DATASET}.loaded")
    assert httpx.get(f"{stand_in.url}/bigquery/v2/projects/another-project/datasets/made").status_code == 200

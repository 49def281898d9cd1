"""What the BigQuery sink asks its table.

Every query names the oldest day it wants, so that BigQuery leaves the older partitions alone, and the
tenant, the first column of the clustering. Env is filtered last: the first record of an id decides.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from google.cloud import bigquery
from google.cloud.bigquery import ScalarQueryParameter

from engines.nexus.backends.bigquery_client import NO_RETRY

PAGE = 500
BEGINNING = datetime.min.replace(tzinfo=UTC)
"""A ``since`` that leaves out nothing."""

FIRST_OF_EACH_ID = """
SELECT * FROM `{table}` WHERE tenantId = @tenant AND ingested_at >= @since
QUALIFY ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY ingested_at) = 1"""
LATEST = f"SELECT MAX(ingested_at) AS newest, COUNT(*) AS found FROM ({FIRST_OF_EACH_ID}) WHERE env = @env"
LATEST_OF_ALL = LATEST.replace("ingested_at >= @since", "(ingested_at >= @since OR ingested_at IS NULL)")
"""Counts rows without a time too, which a table made by hand may have."""
SCAN = f"SELECT * FROM ({FIRST_OF_EACH_ID}) WHERE env = @env ORDER BY ingested_at, event_id"
COUNT = """
SELECT COUNT(DISTINCT event_id) AS found FROM `{table}`
WHERE tenantId = @tenant AND env = @env AND ingested_at >= @since AND ingested_at < @end"""
ROWS = "SELECT COUNT(*) AS found FROM `{table}` WHERE tenantId = @tenant"
DELETE = "DELETE FROM `{table}` WHERE tenantId = @tenant"

Pages = Iterator[Iterable[Any]]


def parameters(
    tenant_id: str, env: str, since: datetime, end: datetime | None = None
) -> list[ScalarQueryParameter]:
    """What the queries above and, with ``end``, COUNT ask for."""
    asked = [
        ScalarQueryParameter("tenant", "STRING", tenant_id),
        ScalarQueryParameter("env", "STRING", env),
        ScalarQueryParameter("since", "TIMESTAMP", since),
    ]
    return asked if end is None else [*asked, ScalarQueryParameter("end", "TIMESTAMP", end)]


def ask(client: bigquery.Client, sql: str, asked: Sequence[ScalarQueryParameter], seconds: float) -> Pages:
    """Pages of the result, each fetched when it is its turn and within ``seconds``. Blocks."""
    found = client.query_and_wait(
        sql,
        job_config=bigquery.QueryJobConfig(query_parameters=asked),
        page_size=PAGE,
        retry=NO_RETRY,
        job_retry=NO_RETRY,
        api_timeout=seconds,
        wait_timeout=seconds,
    )
    pages: Pages = found.pages
    return pages

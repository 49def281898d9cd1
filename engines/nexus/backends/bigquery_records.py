"""What lies in the BigQuery table of a tenant, read as it is, and what BigQuery itself can judge of it.

Rows lie in the partition of their ``ingested_at`` and show to the tenant of their ``tenantId``: place and
fields cannot disagree.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from google.cloud.bigquery import ScalarQueryParameter

from engines.nexus.backends.sink import SCHEMA_VERSION, Record, SurveyedRule, Tally

EXAMPLES = 20
"""Ids of one rule that a survey brings along."""

OF_TENANT = """`{table}`
WHERE tenantId = @tenant AND (@all_envs OR env = @env) AND (ingested_at >= @since OR ingested_at IS NULL)"""
"""The partition without a time is read too."""

RECORDS = f"SELECT * FROM {OF_TENANT}"

SENT = "* EXCEPT (ingested_at, schema_version, pii_flags, train_ok)"
"""The columns that a caller decides: copies agree in them, whenever and however often they were stored."""

SURVEY = f"""
WITH mine AS (SELECT {SENT}, ingested_at, schema_version FROM {OF_TENANT}),
ids AS (
  SELECT event_id, COUNT(*) AS copies, COUNT(DISTINCT sent) AS contents
  FROM (SELECT event_id, TO_JSON_STRING(content) AS sent
        FROM (SELECT * EXCEPT (ingested_at, schema_version) FROM mine) AS content)
  WHERE event_id != '' GROUP BY event_id HAVING COUNT(*) > 1),
found AS (
  SELECT 'id.missing' AS rule, 1 AS records, event_id FROM mine WHERE event_id IS NULL OR event_id = ''
  UNION ALL
  SELECT IF(contents > 1, 'id.conflict', 'id.duplicate'), copies - 1, event_id FROM ids
  UNION ALL
  SELECT 'schema.version', 1, event_id FROM mine WHERE schema_version != {SCHEMA_VERSION}
  UNION ALL
  SELECT 'time.missing', 1, event_id FROM mine WHERE ingested_at IS NULL
  UNION ALL
  SELECT 'time.future', 1, event_id FROM mine WHERE ingested_at > @latest)
SELECT rule, SUM(records) AS records, ARRAY_AGG(event_id IGNORE NULLS LIMIT {EXAMPLES}) AS examples
FROM found GROUP BY rule"""


def parameters(
    tenant_id: str, env: str | None, since: datetime, latest: datetime | None = None
) -> list[ScalarQueryParameter]:
    """What RECORDS and, with ``latest``, SURVEY ask for."""
    asked = [
        ScalarQueryParameter("tenant", "STRING", tenant_id),
        ScalarQueryParameter("all_envs", "BOOL", env is None),
        ScalarQueryParameter("env", "STRING", env or ""),
        ScalarQueryParameter("since", "TIMESTAMP", since),
    ]
    return asked if latest is None else [*asked, ScalarQueryParameter("latest", "TIMESTAMP", latest)]


def to_record(table: str, row: Mapping[str, Any]) -> Record:
    """The row as a record. An empty column is a field that is not there."""
    fields = {name: value for name, value in row.items() if value is not None}
    at = fields.get("ingested_at")
    return Record(f"{table}${at:%Y%m%d}" if at else f"{table}$__NULL__", fields, ordered=False)


def to_tallies(rows: Iterable[Mapping[str, Any]]) -> dict[SurveyedRule, Tally]:
    """The answer to SURVEY."""
    return {row["rule"]: Tally(row["records"], tuple(row["examples"])) for row in rows}

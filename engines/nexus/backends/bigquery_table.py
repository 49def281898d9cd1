"""The table of the BigQuery sink: its columns, how it is made and what may differ.

One column per field of DatasetEvent, so that analysts can query it; partitioned by the day of
``ingested_at``, clustered by tenant and env. It changes by adding columns only.
"""

from typing import get_origin

from google.api_core.exceptions import Conflict, NotFound
from google.cloud import bigquery
from google.cloud.bigquery import SchemaField

from engines.dataset.events.schemas import DatasetEvent
from engines.nexus.backends.bigquery_client import NO_RETRY
from engines.nexus.backends.sink import SinkMisconfigured

WRITE_PERMISSION = "bigquery.tables.updateData"
JSON_FIELDS = tuple(
    name for name, info in DatasetEvent.model_fields.items() if get_origin(info.annotation) is dict
)


def columns() -> list[SchemaField]:
    """The envelope's columns, then one per field of the event."""
    return [
        SchemaField("event_id", "STRING", "REQUIRED"),
        SchemaField("ingested_at", "TIMESTAMP", "REQUIRED"),
        SchemaField("schema_version", "INTEGER"),
        *(_column(name) for name in DatasetEvent.model_fields),
    ]


def _column(name: str) -> SchemaField:
    if name in JSON_FIELDS:
        return SchemaField(name, "JSON")
    kind = "BOOLEAN" if DatasetEvent.model_fields[name].annotation is bool else "STRING"
    return SchemaField(name, kind, "REQUIRED" if name in ("tenantId", "env") else "NULLABLE")


class EventTable:
    """The table as one process knows it. Its methods block: call them in a thread."""

    def __init__(self, client: bigquery.Client, dataset: str, table: str) -> None:
        self._client = client
        self._dataset = dataset
        self.name = f"{client.project}.{dataset}.{table}"
        self.seen = False
        """Whether this process has met the table: from then on its absence is a loss, not a fresh install."""
        self.prepared = False
        """Whether it is known to have all columns."""

    def prepare(self, seconds: float) -> None:
        """Create the table on a fresh install, add columns that it lacks. Raises SinkMisconfigured."""
        table = self._get(seconds) or self._create(seconds)
        self._check_types(table)
        missing = _missing(table)
        if missing:
            table.schema = [*table.schema, *missing]
            self._client.update_table(table, ["schema"], retry=NO_RETRY, timeout=seconds)
        self.prepared = True

    def check(self, seconds: float) -> None:
        """Whether a write can work, without writing; on a fresh install no table is needed.

        Raises SinkMisconfigured, also when the table was lost.
        """
        table = self._get(seconds)
        if table is None:
            return
        self._check_types(table)
        asked = self._client.test_iam_permissions(table, [WRITE_PERMISSION], retry=NO_RETRY, timeout=seconds)
        if WRITE_PERMISSION not in asked.get("permissions", []):
            raise SinkMisconfigured(self.name, f"may not write: {WRITE_PERMISSION} is not granted", "denied")

    def _get(self, seconds: float) -> bigquery.Table | None:
        try:
            table = self._client.get_table(self.name, retry=NO_RETRY, timeout=seconds)
        except NotFound:
            self._explain_absence(seconds)
            return None
        self.seen = True
        return table

    def _explain_absence(self, seconds: float) -> None:
        try:
            self._client.get_dataset(self._dataset, retry=NO_RETRY, timeout=seconds)
        except NotFound:
            dataset = f"{self._client.project}:{self._dataset}"
            words = f"the dataset does not exist: create it with `bq mk --dataset {dataset}`"
            raise SinkMisconfigured(self.name, words, "missing") from None
        if self.seen:
            words = "the table was dropped: restore it, or restart this process to begin an empty one"
            raise SinkMisconfigured(self.name, words, "missing")

    def _create(self, seconds: float) -> bigquery.Table:
        table = bigquery.Table(self.name, schema=columns())
        table.time_partitioning = bigquery.TimePartitioning(type_="DAY", field="ingested_at")
        table.clustering_fields = ["tenantId", "env"]
        try:
            table = self._client.create_table(table, retry=NO_RETRY, timeout=seconds)
        except Conflict:  # another process was faster
            table = self._client.get_table(self.name, retry=NO_RETRY, timeout=seconds)
        self.seen = True
        return table

    def _check_types(self, table: bigquery.Table) -> None:
        found = {field.name: field.field_type for field in table.schema}
        for wanted in columns():
            kind = found.get(wanted.name, wanted.field_type)
            if kind != wanted.field_type:
                words = f"its column {wanted.name} is {kind}, not {wanted.field_type}: use another table"
                raise SinkMisconfigured(self.name, words, "refused")


def _missing(table: bigquery.Table) -> list[SchemaField]:
    """Columns to add; an existing table can only get nullable ones."""
    found = {field.name for field in table.schema}
    return [SchemaField(field.name, field.field_type) for field in columns() if field.name not in found]

"""The BigQuery sink keeps the conformance suite, against the real stand-in; its table and readers."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from google.cloud import bigquery

from engines.nexus.backends.bigquery import BigQuerySink, open_bigquery
from engines.nexus.backends.bigquery_rows import REQUEST_BYTES
from engines.nexus.backends.bigquery_table import columns
from engines.nexus.backends.sink import EventSink, SinkMisconfigured, SinkRetryable
from engines.nexus.delivery.attempt import send
from tests.contracts.event_sink import (
    START,
    UNENCODABLE,
    RemoteSinkContract,
    deep,
    envelope,
    exact,
    stored,
    tenant,
)
from tests.support.bigquery import DATASET, PROJECT, BigQuery, FaultyBigQuery
from tests.support.bigquery_fixtures import broken, client, sink, table, through
from tests.support.docker import free_port

__all__ = ["broken", "client", "sink", "table", "tenant", "through"]


@pytest.fixture(scope="module")
def shared_table() -> str:
    return f"events_{uuid4().hex}"


class TestBigQuerySink(RemoteSinkContract):
    knows_duplicates = False
    deepest = 200
    longest = 2_000_000
    impossible = UNENCODABLE | {
        "integer": ({"output": {"x": 2**64}}, "64 bits"),
        "depth": ({"metadata": deep(300)}, "too deeply"),
        "size": ({"input": {"text": "x" * 9_000_000}}, "too large"),
    }

    @pytest.fixture
    async def sink(self, stand_in: BigQuery, shared_table: str) -> AsyncIterator[EventSink]:
        sink = open_bigquery(PROJECT, DATASET, shared_table, stand_in.url)
        yield sink
        await sink.close()

    @pytest.fixture
    async def unreachable(self) -> AsyncIterator[EventSink]:
        sink = open_bigquery(PROJECT, DATASET, "events", f"http://127.0.0.1:{free_port()}")
        yield sink
        await sink.close()


async def test_on_a_fresh_install_reads_find_nothing_and_create_nothing(
    sink: BigQuerySink, client: bigquery.Client, table: str, tenant: str
) -> None:
    await sink.probe()
    assert await sink.latest(tenant, "dev") is None
    assert await stored(sink, tenant) == []
    assert table not in [found.table_id for found in client.list_tables(DATASET)]


async def test_the_table_is_made_for_analysts(
    sink: BigQuerySink, client: bigquery.Client, table: str, tenant: str
) -> None:
    await sink.write([envelope(tenant, "e1")])
    made = client.get_table(f"{DATASET}.{table}")
    assert (made.time_partitioning.type_, made.time_partitioning.field) == ("DAY", "ingested_at")
    assert made.clustering_fields == ["tenantId", "env"]
    sql = f"SELECT JSON_VALUE(input, '$.text') AS text, train_ok, surface FROM `{DATASET}.{table}`"
    [row] = client.query_and_wait(sql)
    assert dict(row) == {"text": "grüße 🚀", "train_ok": False, "surface": "squared"}


async def test_processes_that_start_together_make_one_table(
    sink: BigQuerySink, stand_in: BigQuery, table: str, tenant: str
) -> None:
    other = open_bigquery(PROJECT, DATASET, table, stand_in.url)
    events = [envelope(tenant, "e1"), envelope(tenant, "e2", 1)]
    # The stand-in breaks off one of two that create the same table: said as retryable, so delivery retries.
    await asyncio.gather(send(sink, events[:1], 15), send(other, events[1:], 15))
    await other.close()
    assert await stored(sink, tenant) == events


async def test_latest_reads_the_newest_partitions_first(
    sink: BigQuerySink, client: bigquery.Client, table: str, tenant: str
) -> None:
    now = datetime.now(UTC)
    await sink.write([envelope(tenant, "e1").model_copy(update={"ingested_at": now})])
    await sink.latest(tenant, "dev")
    await sink.latest(f"{tenant}_silent", "dev")
    jobs = [job for job in client.list_jobs(max_results=20) if table in job.query]
    [everything, *windows] = jobs
    for job in windows:
        assert "tenantId = @tenant AND ingested_at >= @since" in job.query
    assert "tenantId = @tenant AND (ingested_at >= @since OR ingested_at IS NULL)" in everything.query
    asked = [{item.name: item.value for item in job.query_parameters} for job in reversed(jobs)]
    [own, *silent] = [(now - item["since"]).days for item in asked]
    assert [item["tenant"] == tenant for item in asked] == [True, False, False, False]
    assert 1 <= own <= 2
    assert silent[0] == own
    assert 30 <= silent[1] <= 31
    assert silent[2] > 700_000


async def test_readers_show_the_first_of_rows_that_bigquery_did_not_recognise_as_duplicates(
    sink: BigQuerySink, client: bigquery.Client, table: str, tenant: str
) -> None:
    first, other = envelope(tenant, "e1"), envelope(tenant, "e2", 1)
    await sink.write([first, other])
    again = "* REPLACE (TIMESTAMP_ADD(ingested_at, INTERVAL 9 SECOND) AS ingested_at, {change})"
    for change in ("'other' AS surface", "'staging' AS env"):
        sql = f"INSERT `{DATASET}.{table}` SELECT {again.format(change=change)} FROM `{DATASET}.{table}`"
        client.query_and_wait(sql)
    assert await stored(sink, tenant) == [first, other]
    assert await stored(sink, tenant, "staging") == []
    assert await sink.latest(tenant, "dev") == START + timedelta(seconds=1)
    assert await sink.latest(tenant, "staging") is None


async def test_columns_are_added_to_an_older_table_and_nothing_else_changes(
    sink: BigQuerySink, client: bigquery.Client, table: str, tenant: str
) -> None:
    theirs = bigquery.SchemaField("added_by_hand", "STRING")
    older = [field for field in columns() if field.name not in ("actorType", "metadata", "schema_version")]
    client.create_table(bigquery.Table(f"{PROJECT}.{DATASET}.{table}", schema=[theirs, *older]))
    old = envelope(tenant, "old", metadata={}, actorType=None)
    fields = {"event_id": "old", "ingested_at": START.isoformat(), "tenantId": tenant, "env": "dev"}
    rest = old.event.model_dump(exclude={"tenantId", "env", "actorType", "metadata"})
    texts = {name: exact_json(value) for name, value in rest.items()}
    assert client.insert_rows_json(f"{DATASET}.{table}", [fields | texts]) == []
    new = envelope(tenant, "new", 1, actorType="human")
    assert [receipt.error for receipt in await sink.write([new])] == [None]
    assert [exact(item) for item in await stored(sink, tenant)] == [exact(old), exact(new)]
    found = [field.name for field in client.get_table(f"{DATASET}.{table}").schema]
    assert found[0] == "added_by_hand"
    assert sorted(found[1:]) == sorted(field.name for field in columns())


async def test_a_column_that_vanishes_is_added_again_and_no_event_is_blamed(
    sink: BigQuerySink, client: bigquery.Client, table: str, tenant: str
) -> None:
    await sink.write([envelope(tenant, "e1")])
    client.query_and_wait(f"ALTER TABLE `{DATASET}.{table}` DROP COLUMN utm_term")
    event = envelope(tenant, "e2", 1, utm_term="x")
    with pytest.raises(SinkRetryable, match="column is missing"):
        await sink.write([event])
    assert [receipt.outcome for receipt in await sink.write([event])] == ["stored"]
    assert (await stored(sink, tenant))[-1] == event


async def test_a_column_of_another_type_is_said_by_name(
    sink: BigQuerySink, client: bigquery.Client, table: str, tenant: str
) -> None:
    schema = [bigquery.SchemaField("input", "STRING")]
    client.create_table(bigquery.Table(f"{PROJECT}.{DATASET}.{table}", schema=schema))
    for call in (sink.probe(), sink.write([envelope(tenant, "e1")])):
        with pytest.raises(SinkMisconfigured, match=rf"{table}: its column input is STRING, not JSON"):
            await call


async def test_a_row_that_bigquery_refuses_stops_no_other(
    sink: BigQuerySink, client: bigquery.Client, table: str, tenant: str
) -> None:
    strict = [
        bigquery.SchemaField(field.name, field.field_type, "REQUIRED") if field.name == "utm_term" else field
        for field in columns()
    ]
    client.create_table(bigquery.Table(f"{PROJECT}.{DATASET}.{table}", schema=strict))
    batch = [envelope(tenant, f"e{n}", n, utm_term=None if n == 1 else "x") for n in range(3)]
    receipts = await sink.write(batch)
    assert [receipt.outcome for receipt in receipts] == ["stored", "refused", "stored"]
    assert receipts[1].error is not None
    assert receipts[1].error.kind == "permanent"
    assert "column utm_term refuses it (invalid)" in str(receipts[1].error)
    assert [item.event_id for item in await stored(sink, tenant)] == ["e0", "e2"]


async def test_a_batch_is_split_into_requests_that_bigquery_takes(
    through: BigQuerySink, broken: FaultyBigQuery, tenant: str
) -> None:
    batch = [envelope(tenant, f"e{n}", n, input={"text": "x" * 4_000_000}) for n in range(5)]
    assert {receipt.outcome for receipt in await through.write(batch)} == {"stored"}
    assert len(broken.sent) == 3
    assert max(broken.sent) <= REQUEST_BYTES + 10_000
    assert [item.event_id for item in await stored(through, tenant)] == [item.event_id for item in batch]


def exact_json(value: object) -> object:
    """As a JSON column wants it."""
    return json.dumps(value) if isinstance(value, dict) else value

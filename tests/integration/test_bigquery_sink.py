"""The BigQuery sink keeps the conformance suite, against the real stand-in; its table, and its faults."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from google.cloud import bigquery

from engines.nexus.backends.bigquery import (
    PROBE_SECONDS,
    READ_SECONDS,
    WRITE_SECONDS,
    BigQuerySink,
    open_bigquery,
)
from engines.nexus.backends.bigquery_rows import REQUEST_BYTES
from engines.nexus.backends.bigquery_table import columns
from engines.nexus.backends.sink import EventSink, SinkMisconfigured, SinkRetryable
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
from tests.support.bigquery import (
    DATASET,
    PROJECT,
    BigQuery,
    FaultyBigQuery,
    bigquery_stand_in,
    client_of,
    faulty,
)
from tests.support.docker import free_port

__all__ = ["tenant"]


@pytest.fixture(scope="session")
def stand_in() -> Iterator[BigQuery]:
    with bigquery_stand_in() as running:
        yield running


@pytest.fixture(scope="module")
def shared_table() -> str:
    return f"events_{uuid4().hex}"


class TestBigQuerySink(RemoteSinkContract):
    knows_duplicates = False
    deepest = 200
    longest = 2_000_000
    impossible = UNENCODABLE | {
        "integer": ({"output": {"x": 2**64}}, "64 bits"),
        "not a number": ({"output": {"x": float("nan")}}, "finite"),
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


@pytest.fixture
def client(stand_in: BigQuery) -> Iterator[bigquery.Client]:
    """A look behind the sink, as an analyst or an operator has it."""
    with client_of(stand_in.url) as client:
        yield client


@pytest.fixture
def table() -> str:
    """A table of its own, not there yet."""
    return f"events_{uuid4().hex}"


@pytest.fixture
async def sink(stand_in: BigQuery, table: str) -> AsyncIterator[BigQuerySink]:
    sink = open_bigquery(PROJECT, DATASET, table, stand_in.url)
    yield sink
    await sink.close()


@pytest.fixture
def broken(stand_in: BigQuery) -> Iterator[FaultyBigQuery]:
    with faulty(stand_in.url) as server:
        yield server


@pytest.fixture
async def through(broken: FaultyBigQuery, table: str) -> AsyncIterator[BigQuerySink]:
    """A sink whose far end fails where the test says so."""
    sink = open_bigquery(PROJECT, DATASET, table, broken.url)
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


async def test_latest_reads_the_newest_partitions_first(
    sink: BigQuerySink, client: bigquery.Client, table: str, tenant: str
) -> None:
    now = datetime.now(UTC)
    await sink.write([envelope(tenant, "e1").model_copy(update={"ingested_at": now})])
    await sink.latest(tenant, "dev")
    await sink.latest(f"{tenant}_silent", "dev")
    jobs = [job for job in client.list_jobs(max_results=20) if table in job.query]
    for job in jobs:
        assert "tenantId = @tenant AND ingested_at >= @since" in job.query
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


async def test_a_dropped_table_is_missing_until_it_is_restored_or_the_process_starts_again(
    sink: BigQuerySink, stand_in: BigQuery, client: bigquery.Client, table: str, tenant: str
) -> None:
    await sink.write([envelope(tenant, "e1")])
    client.delete_table(f"{DATASET}.{table}")
    for make in every_call(sink, tenant):
        started = time.monotonic()
        with pytest.raises(SinkMisconfigured, match=f"{DATASET}.{table}: the table was dropped") as caught:
            await make()
        assert caught.value.reason == "missing"
        assert time.monotonic() - started < 2
    restarted = open_bigquery(PROJECT, DATASET, table, stand_in.url)
    await restarted.write([envelope(tenant, "e2")])
    await restarted.close()
    await sink.probe()
    assert [item.event_id for item in await stored(sink, tenant)] == ["e2"]
    assert [receipt.outcome for receipt in await sink.write([envelope(tenant, "e3", 1)])] == ["stored"]


async def test_a_missing_dataset_is_said_with_its_cure(stand_in: BigQuery, tenant: str) -> None:
    sink = open_bigquery(PROJECT, "nowhere", "events", stand_in.url)
    for make in every_call(sink, tenant):
        with pytest.raises(SinkMisconfigured, match=f"bq mk --dataset {PROJECT}:nowhere") as caught:
            await make()
        assert caught.value.reason == "missing"
    await sink.close()


@pytest.mark.parametrize(("fault", "reason"), [("stop", "unreachable"), ("pause", "timeout")])
async def test_a_far_end_that_goes_away_is_said_in_time_and_found_again(
    sink: BigQuerySink, stand_in: BigQuery, tenant: str, fault: str, reason: str
) -> None:
    await sink.write([envelope(tenant, "e1")])
    await asyncio.to_thread(getattr(stand_in, fault))
    for make, seconds in zip(
        every_call(sink, tenant), (PROBE_SECONDS, READ_SECONDS, WRITE_SECONDS), strict=False
    ):
        started = time.monotonic()
        with pytest.raises(SinkRetryable) as caught:
            await make()
        assert caught.value.reason == reason
        assert time.monotonic() - started < seconds + 0.3
    await asyncio.to_thread(stand_in.heal)
    await sink.probe()
    assert [receipt.outcome for receipt in await sink.write([envelope(tenant, "e2", 9)])] == ["stored"]
    assert await sink.latest(tenant, "dev") == START + timedelta(seconds=9)


Answer = tuple[int, str, type[Exception], str]
ANSWERS: list[Answer] = [
    (403, "accessDenied", SinkMisconfigured, "denied"),
    (401, "authError", SinkMisconfigured, "denied"),
    (403, "quotaExceeded", SinkRetryable, "error"),
    (429, "tooMany", SinkRetryable, "error"),
    (503, "unavailable", SinkRetryable, "unreachable"),
    (504, "late", SinkRetryable, "timeout"),
]


@pytest.mark.parametrize(("status", "reason", "kind", "said"), ANSWERS, ids=[answer[1] for answer in ANSWERS])
async def test_what_bigquery_answers_is_told_apart(
    through: BigQuerySink,
    broken: FaultyBigQuery,
    tenant: str,
    status: int,
    reason: str,
    kind: type[Exception],
    said: str,
) -> None:
    broken.fail("", status, reason, "a secret value")
    for make in every_call(through, tenant):
        with pytest.raises(kind) as caught:
            await make()
        assert getattr(caught.value, "reason", "") == said
        assert "secret" not in str(caught.value)


async def test_without_the_right_to_write_the_probe_fails(
    through: BigQuerySink, broken: FaultyBigQuery, tenant: str
) -> None:
    await through.write([envelope(tenant, "e1")])
    broken.faults[":testIamPermissions"] = (200, {})
    with pytest.raises(SinkMisconfigured, match=r"bigquery\.tables\.updateData") as caught:
        await through.probe()
    assert caught.value.reason == "denied"


@pytest.mark.parametrize("reason", ["stopped", "backendError", "timeout"])
async def test_a_row_error_that_is_not_about_the_row_blames_no_event(
    through: BigQuerySink, broken: FaultyBigQuery, tenant: str, reason: str
) -> None:
    broken.fail_row(reason)
    with pytest.raises(SinkRetryable, match=reason):
        await through.write([envelope(tenant, "e1")])
    broken.faults.clear()
    assert [receipt.outcome for receipt in await through.write([envelope(tenant, "e1")])] == ["stored"]


def every_call(sink: EventSink, tenant: str) -> list[Callable[[], Awaitable[object]]]:
    """What a sink can be asked: probe, latest, write, scan."""
    return [
        sink.probe,
        lambda: sink.latest(tenant, "dev"),
        lambda: sink.write([envelope(tenant, "late", 2)]),
        lambda: stored(sink, tenant),
    ]


def exact_json(value: object) -> object:
    """As a JSON column wants it."""
    return json.dumps(value) if isinstance(value, dict) else value

"""The BigQuery sink says what is wrong: in time, in its own words, and heals by itself."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from google.cloud import bigquery

from engines.nexus.backends.bigquery import (
    PROBE_SECONDS,
    READ_SECONDS,
    WRITE_SECONDS,
    BigQuerySink,
    open_bigquery,
)
from engines.nexus.backends.sink import EventSink, SinkError, SinkMisconfigured, SinkPermanent, SinkRetryable
from engines.nexus.delivery.attempt import send
from tests.contracts.event_sink import START, envelope, stored, tenant
from tests.support.bigquery import DATASET, PROJECT, BigQuery, FaultyBigQuery
from tests.support.bigquery_fixtures import broken, client, sink, table, through

__all__ = ["broken", "client", "sink", "table", "tenant", "through"]


def every_call(sink: EventSink, tenant: str) -> list[Callable[[], Awaitable[object]]]:
    """What a sink can be asked: probe, latest, write, scan."""
    return [
        sink.probe,
        lambda: sink.latest(tenant, "dev"),
        lambda: sink.write([envelope(tenant, "late", 2)]),
        lambda: stored(sink, tenant),
    ]


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
    (400, "invalid", SinkRetryable, "error"),
    (500, "internal", SinkRetryable, "error"),
    (503, "unavailable", SinkRetryable, "unreachable"),
    (504, "late", SinkRetryable, "timeout"),
    (507, "insufficientStorage", SinkRetryable, "full"),
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


async def test_a_table_that_takes_no_rows_yet_is_not_called_missing(
    through: BigQuerySink, broken: FaultyBigQuery, tenant: str
) -> None:
    broken.fail("/insertAll", 404, "notFound")
    with pytest.raises(SinkRetryable, match="takes no rows yet"):
        await through.write([envelope(tenant, "e1")])


async def test_a_record_that_is_no_event_is_said_without_its_values(
    sink: BigQuerySink, client: bigquery.Client, table: str, tenant: str
) -> None:
    await sink.write([envelope(tenant, "e1")])
    values = f"'by-hand', TIMESTAMP '2026-01-01', '{tenant}', 'dev', 'a secret value'"
    columns = "event_id, ingested_at, tenantId, env, surface"
    client.query_and_wait(f"INSERT `{DATASET}.{table}` ({columns}) VALUES ({values})")
    with pytest.raises(SinkError, match="a record there is not an event") as caught:
        await stored(sink, tenant)
    assert "secret" not in str(caught.value)


async def test_a_request_that_bigquery_cannot_read_is_divided_until_the_event_stands_alone(
    through: BigQuerySink, broken: FaultyBigQuery, tenant: str
) -> None:
    broken.poison = b"unreadable"
    batch = [envelope(tenant, f"e{n}", n, surface="unreadable" if n == 3 else "s") for n in range(8)]
    with pytest.raises(SinkPermanent, match=r"refuses the request \(invalidQuery\)"):
        await through.write(batch)
    receipts = await send(through, batch, 30)
    assert [receipt.outcome for receipt in receipts] == [*["stored"] * 3, "refused", *["stored"] * 4]
    assert isinstance(receipts[3].error, SinkPermanent)
    assert "secret" not in str(receipts[3].error)
    assert await stored(through, tenant) == [*batch[:3], *batch[4:]]


async def test_one_event_alone_is_not_blamed_until_another_one_passes(
    through: BigQuerySink, broken: FaultyBigQuery, tenant: str
) -> None:
    broken.poison = b"unreadable"
    unreadable = envelope(tenant, "e1", surface="unreadable")
    with pytest.raises(SinkRetryable, match="until another event passes"):
        await through.write([unreadable])
    await through.write([envelope(tenant, "e2", 1)])
    [receipt] = await send(through, [unreadable], 10)
    assert isinstance(receipt.error, SinkPermanent)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("words", ["IO Error: No space left on device", "Out of Memory Error"])
async def test_a_table_without_room_blames_no_event(
    through: BigQuerySink, broken: FaultyBigQuery, tenant: str, count: int, words: str
) -> None:
    await through.write([envelope(tenant, "e")])
    for whole in (True, False):
        if whole:
            broken.fail("/insertAll", 400, "invalidQuery", words)
        else:
            broken.fail_rows(count, "invalid", words)
        with pytest.raises(SinkRetryable, match="no event is at fault"):
            await through.write([envelope(tenant, f"e{n}", n) for n in range(count)])
        await through.probe()
        broken.faults.clear()


async def test_rows_that_are_all_refused_without_a_column_blame_no_event(
    through: BigQuerySink, broken: FaultyBigQuery, tenant: str
) -> None:
    batch = [envelope(tenant, f"e{n}", n) for n in range(3)]
    broken.fail_rows(3, "invalid", "a secret value")
    with pytest.raises(SinkRetryable, match="until another event passes"):
        await send(through, batch, 4)
    broken.faults.clear()
    assert [receipt.outcome for receipt in await send(through, batch, 10)] == ["stored"] * 3

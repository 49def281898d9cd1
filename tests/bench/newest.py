"""What reading the newest event costs as events grow: ``last_write_at`` of the dashboard, on every sink.

A tenant with few events is measured in an empty store; then another gets many, and both are measured in
turn. Object store and Firestore are filled through the sink in batches of 500, BigQuery by load jobs.
``inf`` is no answer within the sink's own limit.
"""

import argparse
import asyncio
import io
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from math import inf
from statistics import median
from typing import NamedTuple
from uuid import uuid4

from google.cloud import bigquery

from engines.common.clock import utc_now
from engines.nexus.backends.bigquery_queries import BEGINNING, LATEST
from engines.nexus.backends.bigquery_table import columns
from engines.nexus.backends.sink import Envelope, EventSink, SinkRetryable
from engines.nexus.delivery.attempt import send
from tests.bench.dashboard import BATCH, Seeding
from tests.support.bigquery import DATASET, PROJECT, client_of
from tests.support.docker import Firestore, firestore
from tests.support.far_ends import KINDS, FarEnd, far_end
from tests.support.records import page_view

ROUNDS = 15
AT_ONCE = 4
SMALL, LARGE, FIRESTORE_LARGE = 1_000, 1_000_000, 50_000
LOAD_ROWS = 100_000
WRITE_SECONDS = 60.0
SPAN = timedelta(days=7)
FEW, MANY = "t_few", "t_many"
AIM = 1.5


class Written(NamedTuple):
    """A tenant's events: how many, and when the newest came in."""

    tenant_id: str
    events: int
    newest: datetime

    def at(self, number: int) -> datetime:
        """When an event came in: 500 together, evenly spread over SPAN."""
        first = number - number % BATCH
        return self.newest - SPAN * (1 - min(first + BATCH, self.events) / self.events)


async def fill(sink: EventSink, written: Written) -> None:
    """Write the events through the sink."""
    seeding, batches = Seeding(f"events of {written.tenant_id}", written.events), iter(_batches(written))

    async def write() -> None:
        for batch in batches:
            # A stand-in that is still warming up may answer too late: the same batch again stores it once.
            receipts = await send(sink, batch, WRITE_SECONDS)
            assert "refused" not in {receipt.outcome for receipt in receipts}
            seeding.add(len(batch))

    await asyncio.gather(*(write() for _ in range(AT_ONCE)))
    seeding.done()


def _batches(written: Written) -> Iterator[list[Envelope]]:
    event = page_view({"page_type": "home"}, tenantId=written.tenant_id)
    for first in range(0, written.events, BATCH):
        numbers = range(first, min(first + BATCH, written.events))
        yield [Envelope(event_id=uuid4().hex, ingested_at=written.at(first), event=event) for _ in numbers]


def load(url: str, written: Written) -> None:
    """Load the events into the sink's table, as analysts fill one."""
    seeding = Seeding(f"events of {written.tenant_id}", written.events)
    table = bigquery.Table(f"{PROJECT}.{DATASET}.dataset_events", schema=columns())
    table.time_partitioning = bigquery.TimePartitioning(type_="DAY", field="ingested_at")
    table.clustering_fields = ["tenantId", "env"]
    config = bigquery.LoadJobConfig(source_format="NEWLINE_DELIMITED_JSON", schema=columns())
    with client_of(url) as client:
        client.create_table(table, exists_ok=True)
        for first in range(0, written.events, LOAD_ROWS):
            numbers = range(first, min(first + LOAD_ROWS, written.events))
            rows = "".join(f"{_row(written, number)}\n" for number in numbers).encode()
            client.load_table_from_file(io.BytesIO(rows), table, job_config=config).result()
            seeding.add(len(numbers))
    seeding.done()


def _row(written: Written, number: int) -> str:
    fields = {"event_id": uuid4().hex, "ingested_at": written.at(number).isoformat(), "schema_version": 1}
    return json.dumps(fields | {"tenantId": written.tenant_id, "env": "dev", "surface": "squared"})


async def measure(sink: EventSink, *asked: Written) -> list[float]:
    """Medians in milliseconds of the newest event of each tenant, asked for in turn."""
    times: list[list[float]] = [[] for _ in asked]
    for _ in range(ROUNDS):
        for written, found in zip(asked, times, strict=True):
            found.append(await _milliseconds(sink, written))
    return [median(found) for found in times]


async def _milliseconds(sink: EventSink, written: Written) -> float:
    """How long the newest event took; infinite when there was no answer within the sink's limit."""
    started = time.perf_counter()
    try:
        newest = await sink.latest(written.tenant_id, "dev")
    except SinkRetryable:
        return inf
    assert newest == written.newest
    return (time.perf_counter() - started) * 1000


async def bench(kind: str, state: Firestore, count: int) -> None:
    now = utc_now()
    few, many = Written(FEW, SMALL, now), Written(MANY, count, now - timedelta(seconds=1))
    with ExitStack() as stack:
        end = stack.enter_context(far_end(kind, state))
        async with end.sink() as sink:
            await _store(end, sink, few)
            [alone] = await measure(sink, few)
            started = time.perf_counter()
            await _store(end, sink, many)
            seconds = time.perf_counter() - started
            beside, large = await measure(sink, few, many)
        print(
            f"{kind}: newest of {SMALL} events alone {alone:.1f} ms, beside {count} others {beside:.1f} ms, "
            f"of {count} events {large:.1f} ms ({seconds:.0f} s to fill)\n"
            f"  {SMALL} -> {count}: {large / alone:.2f}x (aim <= {AIM}x); in turn {large / beside:.2f}x",
            flush=True,
        )
        if kind == "bigquery":
            _explain(end, many)


async def _store(end: FarEnd, sink: EventSink, written: Written) -> None:
    if end.kind == "bigquery":
        await asyncio.to_thread(load, end.variables["BIGQUERY_EMULATOR_HOST"], written)
    else:
        await fill(sink, written)


def _explain(end: FarEnd, written: Written) -> None:
    """What the query reads: with the filter on the partitions that the sink sets, and without."""
    sql = LATEST.format(table=f"{PROJECT}.{DATASET}.dataset_events")
    print(f"  {' '.join(sql.split())}")
    day = written.newest.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    with client_of(end.variables["BIGQUERY_EMULATOR_HOST"]) as client:
        rows = f"SELECT COUNT(*) AS n FROM `{PROJECT}.{DATASET}.dataset_events` WHERE ingested_at >= @since"
        for since in (day, BEGINNING):
            parameters = [
                bigquery.ScalarQueryParameter("tenant", "STRING", written.tenant_id),
                bigquery.ScalarQueryParameter("env", "STRING", "dev"),
                bigquery.ScalarQueryParameter("since", "TIMESTAMP", since),
            ]
            config = bigquery.QueryJobConfig(query_parameters=parameters, use_query_cache=False)
            started = time.perf_counter()
            job = client.query(sql, job_config=config)
            job.result()
            took = (time.perf_counter() - started) * 1000
            [found] = client.query_and_wait(rows, job_config=config)
            print(
                f"  since {since:%Y-%m-%d}: {found['n']} rows in the partitions, {took:.0f} ms, "
                f"{job.total_bytes_processed} bytes said to be processed"
            )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.newest", description=__doc__)
    parser.add_argument("--sink", choices=KINDS, action="append", help="only this one; may be given again")
    parser.add_argument("--events", type=int, default=LARGE, help="events at the end")
    parser.add_argument(
        "--firestore-events", type=int, default=FIRESTORE_LARGE, help="the same for firestore, which is slow"
    )
    asked = parser.parse_args()
    # The data fills the emulator's heap; it saves an empty project instead, an export would take the CPU.
    with firestore(memory="6g", _JAVA_OPTIONS="-Xmx4g", GOOGLE_CLOUD_PROJECT="not-saved") as state:
        for kind in asked.sink or KINDS:
            count = asked.firestore_events if kind == "firestore" else asked.events
            asyncio.run(bench(kind, state, count))


if __name__ == "__main__":
    main()

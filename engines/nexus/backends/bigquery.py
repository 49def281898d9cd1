"""The BigQuery sink: one table for all tenants, streamed into with ``insertAll``.

The table, never the dataset, is created by the first write of a process. Once a process has met the
table its loss is an error, of probe, reads and writes alike, until it is restored or the process is
started again: a table that came back empty by itself would hide what is gone.

BigQuery drops a repeated insertId for about a minute and only as best effort. So ``stored`` may be
answered for a duplicate, and readers show one record per tenant and event_id, the oldest. They look no
further back for it than they read: ``scan`` to ``since``, ``latest`` to the start of its window.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from itertools import chain
from typing import Any, TypeVar, TypeVarTuple

from google.api_core.exceptions import BadRequest, ClientError, NotFound
from google.cloud import bigquery
from google.cloud.bigquery import ScalarQueryParameter
from pydantic import ValidationError

from engines.common.clock import Clock, utc_now
from engines.common.storable import NotStorable
from engines.nexus.backends import bigquery_records
from engines.nexus.backends.bigquery_client import NO_RETRY, open_client, translated
from engines.nexus.backends.bigquery_judge import Judge
from engines.nexus.backends.bigquery_queries import (
    BEGINNING,
    COUNT,
    DELETE,
    LATEST,
    LATEST_OF_ALL,
    ROWS,
    SCAN,
    Pages,
    ask,
    parameters,
)
from engines.nexus.backends.bigquery_rows import Row, requests_of, to_envelope, to_row
from engines.nexus.backends.bigquery_table import EventTable
from engines.nexus.backends.sink import (
    NOT_AN_EVENT,
    UNDATED,
    Envelope,
    Erased,
    Record,
    SinkDescription,
    SinkError,
    SinkPermanent,
    SinkRetryable,
    SurveyedRule,
    Tally,
    WriteReceipt,
)

WRITE_SECONDS = 4.0
PROBE_SECONDS = 2.0
READ_SECONDS = 4.0
COUNT_SECONDS = 10.0
SCAN_SECONDS = 30.0
THREADS = 8
WINDOWS = (timedelta(days=1), timedelta(days=30))
"""How far back ``latest`` looks before it reads everything. No window has an end: a future time shows."""

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")
Refusals = dict[int, SinkError]


def open_bigquery(project: str, dataset: str, table: str, emulator_host: str | None) -> "BigQuerySink":
    """Open the sink on ``project.dataset.table``; against ``emulator_host`` (with scheme) when given.

    Nothing is sent yet. The caller closes it.
    """
    client = open_client(project, emulator_host)
    return BigQuerySink(client, dataset, table, stand_in=emulator_host is not None)


class BigQuerySink:
    """Events in one BigQuery table. It owns the client: close closes it."""

    def __init__(
        self, client: bigquery.Client, dataset: str, table: str, *, stand_in: bool, clock: Clock = utc_now
    ) -> None:
        self._client = client
        self._stand_in = stand_in
        self._clock = clock
        self._table = EventTable(client, dataset, table)
        self._target = self._table.name
        self._judge = Judge(self._table)
        self._preparing = asyncio.Lock()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="bigquery")

    def describe(self) -> SinkDescription:
        """See SinkReads.describe."""
        return SinkDescription("bigquery", type(self).__name__, self._target, self._stand_in)

    async def write(self, batch: Sequence[Envelope]) -> list[WriteReceipt]:
        """See EventSink.write. A batch is one request, or more where it is too large for one."""
        async with translated(self._target, WRITE_SECONDS):
            rows, refused = await self._call(self._rows, batch)
            if rows:
                await self._prepare()
            parts = [self._call(self._insert, part) for part in requests_of(rows)]
            for refusals in await asyncio.gather(*parts):
                refused |= refusals
        return [_receipt(envelope, refused.get(n)) for n, envelope in enumerate(batch)]

    async def latest(self, tenant_id: str, env: str) -> datetime | None:
        """See SinkReads.latest. Reads the partitions of two days, then of a month, then all."""
        midnight = datetime.combine(self._clock().date(), time.min, UTC)
        async with translated(self._target, READ_SECONDS):
            for since in (*(midnight - window for window in WINDOWS), BEGINNING):
                newest = await self._call(self._newest, tenant_id, env, since)
                if newest is not None:
                    return newest
        return None

    async def probe(self) -> None:
        """The table, its columns and the right to write; before the first write, the dataset alone."""
        async with translated(self._target, PROBE_SECONDS):
            await self._call(self._table.check, PROBE_SECONDS)

    async def scan(self, tenant_id: str, env: str, since: datetime | None = None) -> AsyncIterator[Envelope]:
        """See SinkReads.scan. One query, whose result is fetched in pages."""
        async for row in self._rows_of(SCAN, parameters(tenant_id, env, since or BEGINNING)):
            yield self._envelope(row)

    async def count(self, tenant_id: str, env: str, start: datetime, end: datetime) -> int:
        """See SinkReads.count. One query over the partitions of that time; a copy counts once."""
        async with translated(self._target, COUNT_SECONDS):
            asked = parameters(tenant_id, env, start, end)
            return await self._call(self._found, COUNT, asked, COUNT_SECONDS)

    async def records(
        self, tenant_id: str, env: str | None = None, since: datetime | None = None
    ) -> AsyncIterator[Record]:
        """See SinkReads.records. One query, whose result is fetched in pages."""
        asked = bigquery_records.parameters(tenant_id, env, since or BEGINNING)
        async for row in self._rows_of(bigquery_records.RECORDS, asked):
            yield bigquery_records.to_record(self._target, row)

    async def survey(
        self, tenant_id: str, env: str | None, since: datetime | None, latest: datetime
    ) -> Mapping[SurveyedRule, Tally]:
        """See Surveys.survey. One query."""
        asked = bigquery_records.parameters(tenant_id, env, since or BEGINNING, latest)
        rows = [row async for row in self._rows_of(bigquery_records.SURVEY, asked)]
        return bigquery_records.to_tallies(rows)

    async def erase(self, tenant_id: str) -> Erased:
        """See ErasableSink.erase. BigQuery deletes no row that was streamed in the last 90 minutes or so."""
        async with translated(self._target, 3 * READ_SECONDS):
            return await self._call(self._erase, tenant_id)

    async def close(self) -> None:
        """Close the client and let go of its threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()  # type: ignore[no-untyped-call]

    async def _call(self, call: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
        """Run what blocks in one of the sink's own threads."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments)

    async def _prepare(self) -> None:
        async with self._preparing:
            if not self._table.prepared:
                await self._call(self._table.prepare, WRITE_SECONDS)

    def _rows(self, batch: Sequence[Envelope]) -> tuple[list[Row], Refusals]:
        rows: list[Row] = []
        refused: Refusals = {}
        for position, envelope in enumerate(batch):
            try:
                rows.append(to_row(position, envelope))
            except NotStorable as error:
                refused[position] = SinkPermanent(self._target, str(error), "refused")
        return rows, refused

    def _insert(self, part: Sequence[Row]) -> Refusals:
        """Send one request. A row that is refused stops no other."""
        fields = [row.fields for row in part]
        ids = [row.insert_id for row in part]
        try:
            errors = self._client.insert_rows_json(
                self._target, fields, ids, skip_invalid_rows=True, retry=NO_RETRY, timeout=WRITE_SECONDS
            )
        except NotFound:
            self._table.check(WRITE_SECONDS)
            raise SinkRetryable(self._target, "the new table takes no rows yet") from None
        except ClientError as error:
            if refusal := self._judge.of_request(part, error):
                raise refusal from None
            raise
        return self._judge.of_rows(part, {item["index"]: item["errors"][0] for item in errors})

    async def _rows_of(self, sql: str, asked: Sequence[ScalarQueryParameter]) -> AsyncIterator[Any]:
        """Rows of the result, a page at a time."""
        async with translated(self._target, SCAN_SECONDS):
            pages = await self._call(self._query, sql, asked, SCAN_SECONDS)
        while True:
            async with translated(self._target, SCAN_SECONDS):
                page = await self._call(_next_page, pages)
            if page is None:
                return
            for row in page:
                yield row

    def _newest(self, tenant_id: str, env: str, since: datetime) -> datetime | None:
        sql = LATEST_OF_ALL if since == BEGINNING else LATEST
        asked = parameters(tenant_id, env, since)
        row = next(chain.from_iterable(self._query(sql, asked, READ_SECONDS)), None)
        if row and row["found"] and row["newest"] is None:
            raise SinkError(self._target, UNDATED)
        return row["newest"] if row else None

    def _erase(self, tenant_id: str) -> Erased:
        before = self._rows_left(tenant_id)
        if before:
            # Rows in the streaming buffer make BigQuery refuse the statement: they stay and are counted.
            with suppress(BadRequest):
                self._query(DELETE, parameters(tenant_id, "", BEGINNING), READ_SECONDS)
        left = self._rows_left(tenant_id) if before else 0
        return Erased(before - left, left)

    def _rows_left(self, tenant_id: str) -> int:
        return self._found(ROWS, parameters(tenant_id, "", BEGINNING), READ_SECONDS)

    def _found(self, sql: str, asked: Sequence[ScalarQueryParameter], seconds: float) -> int:
        pages = self._query(sql, asked, seconds)
        row = next(chain.from_iterable(pages), None)
        return int(row["found"]) if row else 0

    def _query(self, sql: str, asked: Sequence[ScalarQueryParameter], seconds: float) -> Pages:
        """Pages of the result; none on a fresh install, where no table is yet."""
        try:
            return ask(self._client, sql.format(table=self._target), asked, seconds)
        except NotFound:
            self._table.check(seconds)
            return iter(())

    def _envelope(self, row: Mapping[str, Any]) -> Envelope:
        try:
            return to_envelope(row)
        except ValidationError:
            raise SinkError(self._target, NOT_AN_EVENT) from None


def _next_page(pages: Pages) -> list[Any] | None:
    page = next(pages, None)
    return None if page is None else list(page)


def _receipt(envelope: Envelope, error: SinkError | None) -> WriteReceipt:
    return WriteReceipt(envelope.event_id, "refused" if error else "stored", error)

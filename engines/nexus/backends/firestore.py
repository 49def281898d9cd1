"""The Firestore sink: one collection per tenant, ``nexus_events_{tenant}``, document id = event id.

A document is the event's own fields plus ``event_id``, ``ingested_at``, ``schema_version`` and
``ingested_at_by_env`` {env: time}. Ordering by that map's entry finds the newest event of an env with
the automatic index of one field; a filter on env and an order on time would need a composite index for
every tenant's collection.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, NamedTuple

from google.api_core import exceptions
from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter
from pydantic import ValidationError

from engines.common.storable import NotStorable, check_storable
from engines.dataset.events.schemas import DatasetEvent
from engines.nexus.backends import firestore_records
from engines.nexus.backends.firestore_records import TIMES, by_env
from engines.nexus.backends.sink import (
    NOT_AN_EVENT,
    UNDATED,
    Envelope,
    Erased,
    FailureReason,
    Record,
    SinkDescription,
    SinkError,
    SinkMisconfigured,
    SinkPermanent,
    SinkRetryable,
    WriteReceipt,
)
from engines.storage import firestore_bulk
from engines.storage.firestore_client import DENIED, TIMED_OUT, UNREACHABLE, cause

WRITE_SECONDS = 4.0
READ_SECONDS = 2.0
COUNT_SECONDS = 10.0
PAGE = 500
COLLECTION = "nexus_events_{tenant}"

MALFORMED = "the event is too large or malformed"


class _Create(NamedTuple):
    """One event on its way: its place in the batch and its encoded form."""

    place: int
    envelope: Envelope
    write: Any


class FirestoreSink:
    """Events in one Firestore database. The client is the caller's: close leaves it open."""

    def __init__(self, client: firestore.AsyncClient, *, stand_in: bool) -> None:
        self._client = client
        self._stand_in = stand_in
        self._target = f"{client.project}/{COLLECTION}"

    def describe(self) -> SinkDescription:
        """See SinkReads.describe."""
        return SinkDescription("firestore", type(self).__name__, self._target, self._stand_in)

    async def write(self, batch: Sequence[Envelope]) -> list[WriteReceipt]:
        """See EventSink.write. Every event is a create, so that no record is ever replaced."""
        receipts: dict[int, WriteReceipt] = {}
        creates: list[_Create] = []
        for place, envelope in enumerate(batch):
            try:
                creates.append(_Create(place, envelope, self._encoded(envelope)))
            except NotStorable as error:
                receipts[place] = self._refused(envelope, str(error))
        async with self._translated(WRITE_SECONDS):
            for sent in await asyncio.gather(*map(self._send, firestore_bulk.requests(creates))):
                receipts |= sent
        return [receipts[place] for place in range(len(batch))]

    async def latest(self, tenant_id: str, env: str) -> datetime | None:
        """See SinkReads.latest."""
        newest = firestore.Query.DESCENDING
        query = self._collection(tenant_id).order_by(by_env(env), direction=newest).limit(1)
        undated = self._collection(tenant_id).where(filter=FieldFilter("env", "==", env)).limit(1)
        async with self._translated(READ_SECONDS):
            found = await query.get(retry=None, timeout=READ_SECONDS)
            if not found and not await undated.get(retry=None, timeout=READ_SECONDS):
                return None
        at = found[0].to_dict().get("ingested_at") if found else None
        if not isinstance(at, datetime):
            raise SinkError(self._target, UNDATED)
        return at

    async def probe(self) -> None:
        """Read one document of the kind that a write creates."""
        async with self._translated(READ_SECONDS):
            document = self._collection("probe").document("probe")
            await document.get(retry=None, timeout=READ_SECONDS)

    async def scan(self, tenant_id: str, env: str, since: datetime | None = None) -> AsyncIterator[Envelope]:
        """See SinkReads.scan. Read in pages, each bounded in time."""
        query: Any = self._collection(tenant_id).order_by(by_env(env)).limit(PAGE)
        if since is not None:
            query = query.where(filter=FieldFilter(by_env(env), ">=", since))
        page: list[Any] = []
        while True:
            async with self._translated(READ_SECONDS + PAGE / 100):
                page = await (query.start_after(page[-1]) if page else query).get(retry=None)
            for snapshot in page:
                yield self._envelope(snapshot.to_dict())
            if len(page) < PAGE:
                return

    async def count(self, tenant_id: str, env: str, start: datetime, end: datetime) -> int:
        """See SinkReads.count. Over the index that ``latest`` uses; an event is one document."""
        query: Any = self._collection(tenant_id)
        for operator, bound in ((">=", start), ("<", end)):
            query = query.where(filter=FieldFilter(by_env(env), operator, bound))
        async with self._translated(COUNT_SECONDS):
            [[result]] = await query.count().get(retry=None, timeout=COUNT_SECONDS)
        return int(result.value)

    async def records(
        self, tenant_id: str, env: str | None = None, since: datetime | None = None
    ) -> AsyncIterator[Record]:
        """See SinkReads.records. Documents without a time are found without ``since`` alone."""
        query = firestore_records.query(self._collection(tenant_id), env, since)
        page: list[Any] = []
        while True:
            async with self._translated(READ_SECONDS + PAGE / 100):
                page = await (query.start_after(page[-1]) if page else query).get(retry=None)
            for snapshot in page:
                yield firestore_records.to_record(tenant_id, snapshot)
            if len(page) < firestore_records.PAGE:
                return

    async def erase(self, tenant_id: str) -> Erased:
        """See ErasableSink.erase. The tenant's collection is its own."""
        query: Any = self._collection(tenant_id).limit(PAGE)
        removed = 0
        while True:
            async with self._translated(READ_SECONDS + WRITE_SECONDS):
                page = await query.get(retry=None, timeout=READ_SECONDS)
                batch = self._client.batch()
                for snapshot in page:
                    batch.delete(snapshot.reference)
                await batch.commit(retry=None, timeout=WRITE_SECONDS)
            removed += len(page)
            if len(page) < PAGE:
                return Erased(removed)

    async def close(self) -> None:
        """Leaves the client open: it is the caller's."""

    def _envelope(self, fields: dict[str, Any]) -> Envelope:
        try:
            return Envelope.model_validate(fields | {"event": DatasetEvent.model_validate(fields)})
        except ValidationError:
            raise SinkError(self._target, NOT_AN_EVENT) from None

    def _collection(self, tenant_id: str) -> Any:
        return self._client.collection(COLLECTION.format(tenant=tenant_id))

    def _encoded(self, envelope: Envelope) -> Any:
        collection = COLLECTION.format(tenant=envelope.event.tenantId)
        name = firestore_bulk.document_name(self._client, collection, envelope.event_id)
        return firestore_bulk.create(name, _fields(envelope))

    async def _send(self, creates: list[_Create]) -> dict[int, WriteReceipt]:
        """One bulk write: the only request that is not atomic, so each event gets its own answer."""
        try:
            statuses = await firestore_bulk.send(
                self._client, [create.write for create in creates], WRITE_SECONDS
            )
        except (exceptions.InvalidArgument, exceptions.MethodNotImplemented):
            # One malformed event, or the same id twice, fails the request as a whole.
            singly = await asyncio.gather(*(self._create(create.envelope) for create in creates))
            return {create.place: receipt for create, receipt in zip(creates, singly, strict=True)}
        return {
            create.place: self._receipt(create.envelope, firestore_bulk.error_of(status))
            for create, status in zip(creates, statuses, strict=True)
        }

    def _receipt(self, envelope: Envelope, error: exceptions.GoogleAPICallError | None) -> WriteReceipt:
        """The receipt for one status of a bulk write. Raises as a single create would."""
        if error is None:
            return WriteReceipt(envelope.event_id, "stored")
        if isinstance(error, exceptions.AlreadyExists):
            return WriteReceipt(envelope.event_id, "duplicate")
        if isinstance(error, exceptions.InvalidArgument):
            return self._refused(envelope, MALFORMED)
        raise error

    async def _create(self, envelope: Envelope) -> WriteReceipt:
        try:
            await self._document(envelope).create(_fields(envelope), retry=None, timeout=WRITE_SECONDS)
        except exceptions.AlreadyExists:
            return WriteReceipt(envelope.event_id, "duplicate")
        except exceptions.InvalidArgument:
            return self._refused(envelope, MALFORMED)
        return WriteReceipt(envelope.event_id, "stored")

    def _document(self, envelope: Envelope) -> Any:
        return self._collection(envelope.event.tenantId).document(envelope.event_id)

    def _refused(self, envelope: Envelope, words: str) -> WriteReceipt:
        return WriteReceipt(envelope.event_id, "refused", SinkPermanent(self._target, words, "refused"))

    @asynccontextmanager
    async def _translated(self, seconds: float) -> AsyncIterator[None]:
        """Bound the call in time and raise the port's errors instead of the SDK's."""
        try:
            async with asyncio.timeout(seconds):
                yield
        except DENIED as error:
            raise SinkMisconfigured(self._target, cause(error), "denied") from error
        except exceptions.NotFound as error:
            raise SinkMisconfigured(self._target, "the database does not exist", "missing") from error
        except UNREACHABLE as error:
            raise SinkRetryable(self._target, cause(error), _reason(error)) from error
        except exceptions.GoogleAPICallError as error:
            raise SinkError(self._target, cause(error)) from error


def _reason(error: BaseException) -> FailureReason:
    if isinstance(error, TIMED_OUT):
        return "timeout"
    return "unreachable" if isinstance(error, exceptions.ServiceUnavailable) else "error"


def _fields(envelope: Envelope) -> dict[str, Any]:
    """The document's fields. Raises NotStorable."""
    try:
        event = envelope.event.model_dump(mode="json")
    except UnicodeError:
        raise NotStorable("a key in the event is not valid Unicode text") from None
    except (ValueError, RecursionError):
        raise NotStorable("the event is nested too deeply or holds what JSON cannot") from None
    fields = event | {
        "event_id": envelope.event_id,
        "ingested_at": envelope.ingested_at,
        "schema_version": envelope.schema_version,
        TIMES: {envelope.event.env: envelope.ingested_at},
    }
    check_storable(fields, finite=True)
    return fields

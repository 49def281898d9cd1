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

import grpc
from google.api_core import exceptions
from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter
from google.cloud.firestore_v1.field_path import FieldPath

from engines.common.storable import NotStorable, check_storable
from engines.dataset.events.schemas import DatasetEvent
from engines.nexus.backends import firestore_request
from engines.nexus.backends.sink import (
    UNDATED,
    Envelope,
    FailureReason,
    SinkDescription,
    SinkError,
    SinkMisconfigured,
    SinkPermanent,
    SinkRetryable,
    WriteReceipt,
)
from engines.storage.firestore_client import DENIED, TIMED_OUT, UNREACHABLE, cause

WRITE_SECONDS = 4.0
READ_SECONDS = 2.0
PAGE = 500
COLLECTION = "nexus_events_{tenant}"

REQUEST_WRITES = 500
REQUEST_BYTES = 8_000_000
"""Firestore takes 10 MiB in one request; the rest is room for its envelope."""
LARGE_BYTES = 900_000
"""An event this large may be over the limit of a document, so it goes alone and refuses no other."""

_STAND_IN_ADMIN = ("authorization", "Bearer owner")
"""Google's emulator takes a bulk write from an administrator alone; in the cloud IAM decides."""

MALFORMED = "the event is too large or malformed"

_ALREADY_EXISTS = grpc.StatusCode.ALREADY_EXISTS.value[0]


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
            for sent in await asyncio.gather(*(self._send(request) for request in _requests(creates))):
                receipts |= sent
        return [receipts[place] for place in range(len(batch))]

    async def latest(self, tenant_id: str, env: str) -> datetime | None:
        """See SinkReads.latest."""
        newest = firestore.Query.DESCENDING
        query = self._collection(tenant_id).order_by(_by_env(env), direction=newest).limit(1)
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
        query: Any = self._collection(tenant_id).order_by(_by_env(env)).limit(PAGE)
        if since is not None:
            query = query.where(filter=FieldFilter(_by_env(env), ">=", since))
        page: list[Any] = []
        while True:
            async with self._translated(READ_SECONDS + PAGE / 100):
                page = await (query.start_after(page[-1]) if page else query).get(retry=None)
            for snapshot in page:
                yield _envelope(snapshot.to_dict())
            if len(page) < PAGE:
                return

    async def close(self) -> None:
        """Leaves the client open: it is the caller's."""

    def _collection(self, tenant_id: str) -> Any:
        return self._client.collection(COLLECTION.format(tenant=tenant_id))

    def _encoded(self, envelope: Envelope) -> Any:
        collection = COLLECTION.format(tenant=envelope.event.tenantId)
        path = f"{self._client._database_string}/documents/{collection}/{envelope.event_id}"
        return firestore_request.create(path, _fields(envelope))

    async def _send(self, creates: list[_Create]) -> dict[int, WriteReceipt]:
        """One bulk write: the only request that is not atomic, so each event gets its own answer."""
        request = firestore_request.bulk(self._client._database_string, [create.write for create in creates])
        metadata = [*self._client._rpc_metadata, *([_STAND_IN_ADMIN] if self._stand_in else [])]
        call = self._client._firestore_api.batch_write
        try:
            answer = await call(request=request, metadata=metadata, retry=None, timeout=WRITE_SECONDS)
        except (exceptions.InvalidArgument, exceptions.MethodNotImplemented):
            # One malformed event, or the same id twice, fails the request as a whole.
            singly = await asyncio.gather(*(self._create(create.envelope) for create in creates))
            return {create.place: receipt for create, receipt in zip(creates, singly, strict=True)}
        return {
            create.place: self._receipt(create.envelope, status)
            for create, status in zip(creates, answer.status, strict=True)
        }

    def _receipt(self, envelope: Envelope, status: Any) -> WriteReceipt:
        """The receipt for one status of a bulk write. Raises as a single create would."""
        if status.code == 0:
            return WriteReceipt(envelope.event_id, "stored")
        if status.code == _ALREADY_EXISTS:
            return WriteReceipt(envelope.event_id, "duplicate")
        error = _status_error(status.code)
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


def _requests(creates: Sequence[_Create]) -> list[list[_Create]]:
    """The creates cut into requests of a size that Firestore takes."""
    requests: list[list[_Create]] = []
    room, places = 0, 0
    for create in creates:
        size = create.write.ByteSize()
        if size > LARGE_BYTES:
            requests.append([create])
            room = 0
            continue
        if size > room or places == 0:
            requests.append([])
            room, places = REQUEST_BYTES, REQUEST_WRITES
        requests[-1].append(create)
        room, places = room - size, places - 1
    return requests


def _status_error(number: int) -> exceptions.GoogleAPICallError:
    codes = {code.value[0]: code for code in grpc.StatusCode}
    code = codes.get(number, grpc.StatusCode.UNKNOWN)
    error: exceptions.GoogleAPICallError = exceptions.from_grpc_status(code, "")  # type: ignore[no-untyped-call]
    return error


def _reason(error: BaseException) -> FailureReason:
    if isinstance(error, TIMED_OUT):
        return "timeout"
    return "unreachable" if isinstance(error, exceptions.ServiceUnavailable) else "error"


def _by_env(env: str) -> str:
    return FieldPath("ingested_at_by_env", env).to_api_repr()


def _fields(envelope: Envelope) -> dict[str, Any]:
    fields = envelope.event.model_dump(mode="json") | {
        "event_id": envelope.event_id,
        "ingested_at": envelope.ingested_at,
        "schema_version": envelope.schema_version,
        "ingested_at_by_env": {envelope.event.env: envelope.ingested_at},
    }
    check_storable(fields)
    return fields


def _envelope(fields: dict[str, Any]) -> Envelope:
    return Envelope(
        event_id=fields["event_id"],
        ingested_at=fields["ingested_at"],
        schema_version=fields["schema_version"],
        event=DatasetEvent.model_validate(fields),
    )

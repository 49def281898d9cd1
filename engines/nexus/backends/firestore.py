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
from typing import Any

from google.api_core import exceptions
from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter
from google.cloud.firestore_v1.field_path import FieldPath

from engines.common.storable import NotStorable, check_storable
from engines.dataset.events.schemas import DatasetEvent
from engines.nexus.backends.sink import (
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
        """See EventSink.write. Each event is one create, so that no record is ever replaced."""
        async with self._translated(WRITE_SECONDS):
            return await asyncio.gather(*(self._create(envelope) for envelope in batch))

    async def latest(self, tenant_id: str, env: str) -> datetime | None:
        """See SinkReads.latest."""
        newest = firestore.Query.DESCENDING
        query = self._collection(tenant_id).order_by(_by_env(env), direction=newest).limit(1)
        async with self._translated(READ_SECONDS):
            found = await query.get(retry=None, timeout=READ_SECONDS)
        return found[0].get("ingested_at") if found else None

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

    async def _create(self, envelope: Envelope) -> WriteReceipt:
        document = self._collection(envelope.event.tenantId).document(envelope.event_id)
        try:
            await document.create(_fields(envelope), retry=None, timeout=WRITE_SECONDS)
        except exceptions.AlreadyExists:
            return WriteReceipt(envelope.event_id, "duplicate")
        except (NotStorable, exceptions.InvalidArgument) as error:
            words = str(error) if isinstance(error, NotStorable) else "the event is too large or malformed"
            return WriteReceipt(envelope.event_id, "refused", SinkPermanent(self._target, words, "refused"))
        return WriteReceipt(envelope.event_id, "stored")

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

"""DocumentStore on Firestore.

Writes are optimistic: read, then write under the precondition that the document is still as read.
That needs half the round trips of a transaction and holds no lock while a client thinks.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeAlias, TypeVar

from google.api_core import exceptions
from google.cloud import firestore
from google.cloud.firestore_v1.async_batch import AsyncWriteBatch
from google.cloud.firestore_v1.base_document import DocumentSnapshot as AnySnapshot
from google.cloud.firestore_v1.base_query import FieldFilter

from engines.common.documents import (
    STORED_AT,
    Address,
    Also,
    Document,
    Fields,
    Increment,
    KeyTaken,
    Scalar,
    Scope,
    Span,
    StoreDenied,
    StoreRefused,
    StoreTimeout,
    StoreUnavailable,
    Write,
    collection_path,
    document_path,
    owns,
    refuse_system,
    scope_fields,
    without_increments,
)
from engines.common.storable import NotStorable, check_storable
from engines.storage.changes import Changes
from engines.storage.firestore_bulk import document_name
from engines.storage.firestore_client import DENIED, TIMED_OUT, UNREACHABLE, cause
from engines.storage.firestore_creates import Creates

CALL_SECONDS = 3.0
"""Longest time of one call, all its round trips included."""

WRITES_PER_SECOND = 250
"""A large batch gets a second more for each so many writes."""

LARGEST_BATCH = 2_500
"""As many writes may go with a mutation that works them out itself."""

MUTATE_ATTEMPTS = 12
"""Field with the server's time of the write: unlike update_time, an export keeps it."""

NOT_STORABLE = "the record is too large or malformed"
NOT_ASKABLE = "a value asked for is too long (1,500 bytes) or malformed"

Result = TypeVar("Result")
DocumentSnapshot: TypeAlias = AnySnapshot[Any]

_CHANGED_MEANWHILE = (
    exceptions.FailedPrecondition,
    exceptions.AlreadyExists,
    exceptions.NotFound,
    exceptions.Aborted,  # contention on one document; nothing was written
)


class FirestoreDocumentStore:
    """Documents in one Firestore database. The client is the caller's: close leaves it open."""

    source: Literal["firestore"] = "firestore"

    def __init__(self, client: firestore.AsyncClient) -> None:
        self._client = client
        self._changes = Changes()
        self._creates = Creates(client, CALL_SECONDS)

    def changes(self, address: Address, scope: Scope) -> int:
        """See DocumentStore.changes."""
        return self._changes.of(address, scope)

    async def get(self, address: Address, scope: Scope, key: str) -> Document | None:
        """See DocumentStore.get."""
        try:
            document_path(address, scope, key)
        except StoreRefused:
            return None
        async with _translated():
            snapshot = await self._read(address, scope, key)
        return _document(snapshot) if snapshot.exists and owns(scope, _fields(snapshot)) else None

    async def get_all(self, address: Address, scope: Scope, keys: Sequence[str]) -> list[Document | None]:
        """See DocumentStore.get_all."""
        references = [self._reference(address, scope, key) for key in keys]
        if not references:
            return []
        async with _translated():
            reading = self._client.get_all(references, retry=None, timeout=CALL_SECONDS)
            found = {snapshot.id: snapshot async for snapshot in reading}
        snapshots = [found[reference.id] for reference in references]
        return [_document(item) if item.exists and owns(scope, _fields(item)) else None for item in snapshots]

    async def put(self, write: Write) -> None:
        """See DocumentStore.put. A create goes along with others that come at the same time."""
        if not write.create:
            await self.put_all([write])
            return
        with self._changes.counted([(write.address, write.scope)]):
            async with _translated():
                await self._create(write)

    async def put_all(self, writes: Sequence[Write]) -> None:
        """See DocumentStore.put_all."""
        bound = CALL_SECONDS + len(writes) / WRITES_PER_SECOND
        with self._changes.counted((write.address, write.scope) for write in writes):
            await self._until_unchanged(
                lambda: self._commit_all(writes, bound), f"{len(writes)} writes", bound
            )

    async def delete(self, address: Address, scope: Scope, key: str) -> None:
        """See DocumentStore.delete."""
        if await self.get(address, scope, key):
            with self._changes.counted([(address, scope)]):
                async with _translated():
                    await self._reference(address, scope, key).delete(retry=None, timeout=CALL_SECONDS)

    async def delete_if(
        self, address: Address, scope: Scope, key: str, condition: Callable[[Fields], bool]
    ) -> bool:
        """See DocumentStore.delete_if."""

        async def attempt() -> bool:
            snapshot = await self._read(address, scope, key)
            fields = _fields(snapshot)
            if not snapshot.exists or not owns(scope, fields) or not condition(fields):
                return False
            unchanged = self._client.write_option(last_update_time=snapshot.update_time)
            await snapshot.reference.delete(unchanged, retry=None, timeout=CALL_SECONDS)
            return True

        with self._changes.counted([(address, scope)]):
            return await self._until_unchanged(attempt, address.name)

    async def scan(
        self,
        address: Address,
        scope: Scope,
        where: Mapping[str, Scalar] | None = None,
        order_by: str | None = None,
        descending: bool = False,
        limit: int | None = None,
        span: Span | None = None,
    ) -> list[Document]:
        """See DocumentStore.scan."""
        query = self._query(address, scope, where)
        if order_by:
            query = _bounded(query, order_by, span, descending)
        if limit is not None:
            query = query.limit(limit)
        async with _translated(refusal=NOT_ASKABLE):
            return [_document(snapshot) async for snapshot in query.stream(retry=None, timeout=CALL_SECONDS)]

    async def count(
        self,
        address: Address,
        scope: Scope,
        where: Mapping[str, Scalar] | None = None,
        order_by: str | None = None,
        span: Span | None = None,
    ) -> int:
        """See DocumentStore.count."""
        query = self._query(address, scope, where)
        counting = (_bounded(query, order_by, span) if order_by else query).count()
        async with _translated(refusal=NOT_ASKABLE):
            [[result]] = await counting.get(retry=None, timeout=CALL_SECONDS)
        return int(result.value)

    async def mutate(
        self,
        address: Address,
        scope: Scope,
        key: str,
        change: Callable[[Fields | None], Fields],
        also: Also = (),
    ) -> Fields:
        """See DocumentStore.mutate."""

        async def attempt() -> Fields:
            snapshot = await self._read(address, scope, key)
            fields = change(_fields(snapshot) if self._own(scope, snapshot) else None)
            batch = self._client.batch()
            _add(batch, snapshot, fields | scope_fields(scope))
            beside = also(fields) if callable(also) else also
            for write in beside:
                self._add_unseen(batch, write)
                places.add((write.address, write.scope))
            try:
                await batch.commit(retry=None, timeout=bound)
            except exceptions.AlreadyExists:
                if (await self._read(address, scope, key)).update_time == snapshot.update_time:
                    await self._refuse_taken(beside)
                raise
            return fields

        places = {(address, scope)}
        bound = CALL_SECONDS + (LARGEST_BATCH if callable(also) else len(also)) / WRITES_PER_SECOND
        with self._changes.counted(places):
            return await self._until_unchanged(attempt, address.name, bound)

    async def move(
        self,
        address: Address,
        scope: Scope,
        earlier_key: str,
        key: str,
        change: Callable[[Fields | None, Fields | None], Fields],
    ) -> Fields:
        """See DocumentStore.move."""

        async def attempt() -> Fields:
            present, earlier = await asyncio.gather(
                self._read(address, scope, key), self._read(address, scope, earlier_key)
            )
            moved = earlier.exists and owns(scope, _fields(earlier))
            fields = change(
                _fields(present) if self._own(scope, present) else None, _fields(earlier) if moved else None
            )
            batch = self._client.batch()
            _add(batch, present, fields | scope_fields(scope))
            if moved:
                unchanged = self._client.write_option(last_update_time=earlier.update_time)
                batch.delete(earlier.reference, unchanged)
            await batch.commit(retry=None, timeout=CALL_SECONDS)
            return fields

        with self._changes.counted([(address, scope)]):
            return await self._until_unchanged(attempt, address.name)

    async def erase(self, address: Address, scope: Scope) -> int:
        """See ErasableStore.erase."""
        refuse_system(scope)
        query = self._query(address, scope, None).limit(WRITES_PER_SECOND)
        erased = 0
        with self._changes.counted([(address, scope)]):
            while True:
                async with _translated(CALL_SECONDS + 1):
                    page = await query.get(retry=None, timeout=CALL_SECONDS)
                    batch = self._client.batch()
                    for snapshot in page:
                        batch.delete(snapshot.reference)
                    await batch.commit(retry=None, timeout=CALL_SECONDS)
                erased += len(page)
                if len(page) < WRITES_PER_SECOND:
                    return erased

    async def ping(self) -> None:
        """See DocumentStore.ping."""
        async with _translated():
            await self._client.document("identity_tenants/ping").get(retry=None, timeout=CALL_SECONDS)

    async def close(self) -> None:
        """Leaves the client open: it is the caller's."""

    async def _create(self, write: Write) -> None:
        fields = write.fields | scope_fields(write.scope)
        check_storable(fields)
        name = document_name(self._client, *document_path(write.address, write.scope, write.key))
        try:
            await self._creates.create(name, fields, STORED_AT)
        except exceptions.AlreadyExists:
            raise KeyTaken("firestore: the id is taken") from None

    async def _commit_all(self, writes: Sequence[Write], bound: float) -> None:
        batch = self._client.batch()
        for write, snapshot in zip(writes, await self._present(writes), strict=True):
            if snapshot is None:
                self._add_unseen(batch, write)
            else:
                self._own(write.scope, snapshot)
                _add(batch, snapshot, write.fields | scope_fields(write.scope))
        try:
            await batch.commit(retry=None, timeout=bound)
        except exceptions.AlreadyExists:
            if any(write.create for write in writes):
                raise KeyTaken("firestore: the id is taken") from None
            raise

    def _add_unseen(self, batch: AsyncWriteBatch, write: Write) -> None:
        """Add a creating, merging or deleting write: none needs a look at what is there."""
        reference = self._reference(write.address, write.scope, write.key)
        if write.delete:
            batch.delete(reference)
            return
        fields = _encoded(write.fields | scope_fields(write.scope))
        if write.merge:
            batch.set(reference, fields, merge=True)
        else:
            batch.create(reference, fields)

    async def _refuse_taken(self, writes: Sequence[Write]) -> None:
        """Raise KeyTaken when the id of a creating write is in use."""
        creates = [self._read(one.address, one.scope, one.key) for one in writes if one.create]
        if any(found.exists for found in await asyncio.gather(*creates)):
            raise KeyTaken("firestore: the id is taken")

    async def _present(self, writes: Sequence[Write]) -> list[DocumentSnapshot | None]:
        """What is stored under each write's id; None for a write that needs no look."""
        replaced = [write for write in writes if not write.unseen]
        found = iter(await asyncio.gather(*(self._read(w.address, w.scope, w.key) for w in replaced)))
        return [None if write.unseen else next(found) for write in writes]

    async def _until_unchanged(
        self, attempt: Callable[[], Awaitable[Result]], what: str, bound: float = CALL_SECONDS
    ) -> Result:
        """Run ``attempt`` until nobody else changed the document between its read and its write."""
        async with _translated(bound):
            for number in range(MUTATE_ATTEMPTS):
                try:
                    return await attempt()
                except _CHANGED_MEANWHILE:
                    await asyncio.sleep(random.uniform(0, 0.02 * (number + 1)))
        raise StoreUnavailable(f"firestore: {what} kept changing, gave up after {MUTATE_ATTEMPTS} attempts")

    async def _read(self, address: Address, scope: Scope, key: str) -> DocumentSnapshot:
        reference = self._reference(address, scope, key)
        snapshot: DocumentSnapshot = await reference.get(retry=None, timeout=CALL_SECONDS)
        return snapshot

    def _own(self, scope: Scope, snapshot: DocumentSnapshot) -> bool:
        """Whether the document exists; raises KeyTaken when it is another scope's."""
        if snapshot.exists and not owns(scope, _fields(snapshot)):
            raise KeyTaken("firestore: the id is taken")
        return bool(snapshot.exists)

    def _reference(self, address: Address, scope: Scope, key: str) -> Any:
        collection, name = document_path(address, scope, key)
        return self._client.collection(collection).document(name)

    def _query(self, address: Address, scope: Scope, where: Mapping[str, Scalar] | None) -> Any:
        query: Any = self._client.collection(collection_path(address, scope))
        for name, value in (scope_fields(scope) | dict(where or {})).items():
            query = query.where(filter=FieldFilter(name, "==", value))
        return query


def _bounded(query: Any, order_by: str, span: Span | None, descending: bool = False) -> Any:
    for operator, bound in ((">=", span.start), ("<", span.end)) if span else ():
        if bound is not None:
            query = query.where(filter=FieldFilter(order_by, operator, bound))
    direction = firestore.Query.DESCENDING if descending else firestore.Query.ASCENDING
    return query.order_by(order_by, direction=direction)


def _add(batch: AsyncWriteBatch, snapshot: DocumentSnapshot, fields: Fields) -> None:
    """Add to ``batch``: replace the document, provided that it is still as in ``snapshot``."""
    encoded = _encoded(fields)
    if not snapshot.exists:
        batch.create(snapshot.reference, encoded)
        return
    gone = {name: firestore.DELETE_FIELD for name in snapshot.to_dict() or {} if name not in encoded}
    unchanged = snapshot.reference._client.write_option(last_update_time=snapshot.update_time)
    batch.update(snapshot.reference, encoded | gone, option=unchanged)


def _encoded(fields: Fields) -> Fields:
    check_storable(without_increments(fields))
    sent = {name: firestore.Increment(v.by) if isinstance(v, Increment) else v for name, v in fields.items()}
    return sent | {STORED_AT: firestore.SERVER_TIMESTAMP}


def _fields(snapshot: DocumentSnapshot) -> Fields:
    fields = snapshot.to_dict() or {}
    fields.pop(STORED_AT, None)
    return fields


def _document(snapshot: DocumentSnapshot) -> Document:
    fields = snapshot.to_dict() or {}
    stored_at = fields.pop(STORED_AT, None) or snapshot.update_time
    return Document(fields, stored_at)


@asynccontextmanager
async def _translated(bound: float = CALL_SECONDS, refusal: str = NOT_STORABLE) -> AsyncIterator[None]:
    """Bound the call in time and raise the port's errors instead of the SDK's."""
    try:
        async with asyncio.timeout(bound):
            yield
    except DENIED as error:
        raise StoreDenied(f"firestore: {cause(error)}") from error
    except NotStorable as error:
        raise StoreRefused(f"firestore: {error}") from error
    except TIMED_OUT as error:
        raise StoreTimeout(f"firestore: {cause(error)}") from error
    except UNREACHABLE as error:
        raise StoreUnavailable(f"firestore: {cause(error)}") from error
    except exceptions.InvalidArgument as error:
        raise StoreRefused(f"firestore: {refusal}") from error
    except exceptions.NotFound as error:
        raise StoreUnavailable("firestore: the database does not exist") from error
    except exceptions.GoogleAPICallError as error:
        raise StoreUnavailable(f"firestore: {cause(error)}") from error

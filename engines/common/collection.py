"""Collection[Model], the typed face of a DocumentStore, and Reads[Model], its half that cannot write."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from engines.common.documents import (
    STORED_AT,
    Address,
    Document,
    DocumentStore,
    Fields,
    Scalar,
    Scope,
    Span,
    StoreRefused,
    StoreUnreadable,
    Write,
)

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Stored(Generic[Model]):
    """A record and its storage time (UTC)."""

    record: Model
    stored_at: datetime


class Reads(Protocol[Model]):
    """The reading half of Collection: all that a dashboard gets to hold."""

    @property
    def source(self) -> str:
        """Which store the records live in: firestore or memory."""
        ...

    def changes(self, scope: Scope) -> int:
        """How often this process wrote to the collection in the scope."""
        ...

    async def get(self, scope: Scope, key: str) -> Stored[Model] | None:
        """The record, or None. Raises StoreError."""
        ...

    async def find(
        self,
        scope: Scope,
        where: Mapping[str, Scalar] | None = None,
        *,
        order_by: str | None = None,
        limit: int | None = None,
        span: Span | None = None,
    ) -> list[Stored[Model]]:
        """Records whose fields equal ``where``; ``order_by="-field"`` is newest first. Raises StoreError."""
        ...

    async def count(
        self,
        scope: Scope,
        where: Mapping[str, Scalar] | None = None,
        *,
        order_by: str | None = None,
        span: Span | None = None,
    ) -> int:
        """How many records ``find`` would return. Raises StoreError."""
        ...


class Collection(Generic[Model]):
    """Records of one model in one collection of a DocumentStore."""

    def __init__(self, store: DocumentStore, address: Address, model: type[Model]) -> None:
        self._store = store
        self._address = address
        self._model = model

    @property
    def source(self) -> str:
        """Which store the records live in: firestore or memory."""
        return self._store.source

    def changes(self, scope: Scope) -> int:
        """See DocumentStore.changes."""
        return self._store.changes(self._address, scope)

    async def get(self, scope: Scope, key: str) -> Stored[Model] | None:
        """The record, or None when it does not exist in this scope. Raises StoreError."""
        document = await self._store.get(self._address, scope, key)
        return None if document is None else self._stored(document)

    async def find(
        self,
        scope: Scope,
        where: Mapping[str, Scalar] | None = None,
        *,
        order_by: str | None = None,
        limit: int | None = None,
        span: Span | None = None,
    ) -> list[Stored[Model]]:
        """Records whose fields equal ``where``; ``order_by="-field"`` is newest first. Raises StoreError."""
        field = order_by.removeprefix("-") if order_by else None
        descending = bool(order_by and order_by.startswith("-"))
        documents = await self._store.scan(self._address, scope, where, field, descending, limit, span)
        return [self._stored(document) for document in documents]

    async def count(
        self,
        scope: Scope,
        where: Mapping[str, Scalar] | None = None,
        *,
        order_by: str | None = None,
        span: Span | None = None,
    ) -> int:
        """How many records ``find`` would return. Raises StoreError."""
        return await self._store.count(self._address, scope, where, order_by, span)

    async def mutate(
        self,
        scope: Scope,
        key: str,
        change: Callable[[Model | None], Model],
        also: Sequence[Write] | Callable[[Model], Sequence[Write]] = (),
    ) -> Model:
        """Read, change and write one record atomically; see DocumentStore.mutate."""

        def change_fields(present: Fields | None) -> Fields:
            return self._fields(change(None if present is None else self._record(present)))

        beside = (lambda fields: also(self._record(fields))) if callable(also) else also
        return self._record(await self._store.mutate(self._address, scope, key, change_fields, beside))

    async def move(
        self, scope: Scope, earlier_key: str, key: str, change: Callable[[Model | None, Model | None], Model]
    ) -> Model:
        """Read, change and write one record under its key of now, atomically; see DocumentStore.move."""

        def change_fields(*present: Fields | None) -> Fields:
            here, earlier = (None if fields is None else self._record(fields) for fields in present)
            return self._fields(change(here, earlier))

        return self._record(await self._store.move(self._address, scope, earlier_key, key, change_fields))

    async def put(self, scope: Scope, key: str, record: Model) -> None:
        """Store the whole record, replacing the scope's own. Raises KeyTaken, StoreError."""
        await self._store.put(self.write(scope, key, record))

    async def create(self, scope: Scope, key: str, record: Model) -> None:
        """Store a new record. Raises KeyTaken when the id is in use, StoreError."""
        await self._store.put(self.write(scope, key, record, create=True))

    async def delete(self, scope: Scope, key: str) -> None:
        """Delete the record if it exists. Raises StoreError."""
        await self._store.delete(self._address, scope, key)

    def write(self, scope: Scope, key: str, record: Model, *, create: bool = False) -> Write:
        """The record as part of an atomic batch, for DocumentStore.put_all."""
        return Write(self._address, scope, key, self._fields(record), create)

    def deletion(self, scope: Scope, key: str) -> Write:
        """The record's deletion as part of an atomic batch, for DocumentStore.put_all and mutate."""
        return Write(self._address, scope, key, {}, delete=True)

    def _fields(self, record: Model) -> Fields:
        try:
            return record.model_dump()
        except (ValueError, RecursionError) as error:
            raise StoreRefused(f"{self.source}: the record is nested too deeply") from error

    def _stored(self, document: Document) -> Stored[Model]:
        return Stored(self._record(document.fields), document.stored_at)

    def _record(self, fields: Fields) -> Model:
        try:
            return self._model.model_validate(fields)
        except ValidationError as error:
            words = f"{self.source}: a record in {self._address.name} does not have the expected shape"
            raise StoreUnreadable(words) from error


async def last_stored(
    reads: Reads[Model], scope: Scope, where: Mapping[str, Scalar] | None = None
) -> datetime | None:
    """When a record whose fields equal ``where`` was stored last, whatever its state; None for no record.

    Where no record has a storage time of ours, as the existing engines wrote them, that of any one stands.
    Raises StoreError.
    """
    found = await reads.find(scope, where, order_by=f"-{STORED_AT}", limit=1)
    found = found or await reads.find(scope, where, limit=1)
    return found[0].stored_at if found else None

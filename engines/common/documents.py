"""DocumentStore, the port to the database of state, and Collection[Model], its typed face.

A document belongs to one scope (tenant, env) or, for users and tenants themselves, to the whole
system. The scope is a required argument of every call and the path is built in one function,
``document_path``. Collection names and document ids are those of the existing engines, so several
scopes share a collection: an adapter checks the scope of what it finds and never returns or
replaces another scope's document.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)
Scalar = str | bool | int

MAX_ID_BYTES = 1500

Fields = dict[str, Any]
"""The fields of a document: JSON scalars, datetimes (aware), dicts and lists of them."""


class StoreError(Exception):
    """The store could not do it; the message names store and cause, never a credential or a payload."""

    transient = True


class StoreUnavailable(StoreError):
    """The store is unreachable, overloaded or too slow: the same call may succeed later."""


class StoreTimeout(StoreUnavailable):
    """The store did not answer in time."""


class StoreDenied(StoreError):
    """The credentials do not allow the call."""


class StoreUnreadable(StoreError):
    """A stored record does not have the shape of its model."""


class StoreRefused(StoreError):
    """The store can never hold this record as it is."""

    transient = False


class KeyTaken(StoreError):
    """The document exists already, or its id belongs to another scope."""

    transient = False


@dataclass(frozen=True)
class Scope:
    """Owner of a document: one tenant in one env (normalised: dev, staging or prod)."""

    tenant_id: str
    env: str


SYSTEM = Scope("system", "")
"""Scope of the records that describe users and tenants themselves; they carry no scope fields."""


@dataclass(frozen=True)
class Address:
    """A collection's name and how its document ids are made; both may contain {tenant} and {env}."""

    name: str
    id_template: str = "{key}"


@dataclass(frozen=True)
class Increment:
    """As a field of a merging write: add ``by`` to the stored integer, 0 when there is none."""

    by: int


@dataclass(frozen=True)
class Span:
    """Values of one field from ``start`` on (inclusive) and before ``end`` (exclusive); None = open."""

    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True)
class Document:
    """A stored document and its storage time (UTC), as the store itself recorded it."""

    fields: Fields
    stored_at: datetime


@dataclass(frozen=True)
class Write:
    """One document of an atomic batch.

    ``create`` refuses to replace an existing document. ``merge`` keeps fields that are not named and takes
    Increment at the top level; its address must have the scope in its collection's path, since a merge
    does not look at what is there.
    """

    address: Address
    scope: Scope
    key: str
    fields: Fields
    create: bool = False
    merge: bool = False

    def __post_init__(self) -> None:
        if self.merge and ("{tenant}" not in self.address.name or "{env}" not in self.address.name):
            raise ValueError("a merging write needs a collection of its scope alone")


def document_path(address: Address, scope: Scope, key: str) -> tuple[str, str]:
    """Collection path and document id: the one place where a path is built.

    Raises StoreRefused for a key that makes no document id.
    """
    names = {"tenant": scope.tenant_id, "env": scope.env, "key": key}
    document_id = address.id_template.format(**names)
    if not is_document_id(document_id):
        raise StoreRefused("the id is empty, reserved, too long, contains / or is not valid Unicode text")
    return collection_path(address, scope), document_id


def is_document_id(text: str) -> bool:
    """Whether a document can have this id."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return False
    reserved = text in (".", "..") or (text.startswith("__") and text.endswith("__"))
    return 0 < size <= MAX_ID_BYTES and "/" not in text and not reserved


def collection_path(address: Address, scope: Scope) -> str:
    """Path of the collection that holds the scope's documents."""
    return address.name.format(tenant=scope.tenant_id, env=scope.env)


def scope_fields(scope: Scope) -> Fields:
    """The fields that mark a document as the scope's own; none for system records."""
    return {} if scope == SYSTEM else {"tenant_id": scope.tenant_id, "env": scope.env}


def without_increments(fields: Fields) -> Fields:
    """The fields with the plain number of each Increment: what is checked before it is stored."""
    return {name: value.by if isinstance(value, Increment) else value for name, value in fields.items()}


def owns(scope: Scope, fields: Mapping[str, Any]) -> bool:
    """Whether a document with ``fields`` belongs to ``scope``."""
    return all(fields.get(name) == value for name, value in scope_fields(scope).items())


class DocumentStore(Protocol):
    """The database of state. Every method may raise StoreUnavailable or StoreDenied.

    An adapter bounds each call in time (seconds, not minutes) and never retries by itself.
    """

    @property
    def source(self) -> Literal["firestore", "memory"]:
        """Which kind of store this is."""
        ...

    async def get(self, address: Address, scope: Scope, key: str) -> Document | None:
        """The document, or None when it does not exist in this scope or no document can have the key."""
        ...

    async def put(self, write: Write) -> None:
        """Store one whole document, replacing the scope's own.

        Raises KeyTaken when another scope owns the id, or when it exists and ``write.create`` is set;
        StoreRefused when the store cannot hold the fields. Nothing is written then.
        """
        ...

    async def put_all(self, writes: Sequence[Write]) -> None:
        """Store up to 2,500 documents, all or none. Raises like put, then none is stored."""
        ...

    async def delete(self, address: Address, scope: Scope, key: str) -> None:
        """Delete the document; no error when it does not exist in this scope."""
        ...

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
        """The scope's documents whose fields equal ``where``, at most ``limit``.

        Ordered by the field ``order_by`` (documents without it are left out), then and else by document id.
        ``span`` bounds the field ``order_by``, which it needs.
        """
        ...

    async def count(self, address: Address, scope: Scope, where: Mapping[str, Scalar] | None = None) -> int:
        """How many of the scope's documents have fields equal to ``where``; counted by the store itself."""
        ...

    async def mutate(
        self,
        address: Address,
        scope: Scope,
        key: str,
        change: Callable[[Fields | None], Fields],
        also: Sequence[Write] = (),
    ) -> Fields:
        """Read, change and write one document atomically; returns the fields written.

        ``also`` holds creating or merging writes that are stored in the same atomic step.

        ``change`` gets the present fields (None when there are none) and returns the new ones. It may
        run more than once and must not have side effects; what it raises ends the call, nothing
        written. Raises KeyTaken when another scope owns the id.
        """
        ...

    async def ping(self) -> None:
        """Perform the cheapest real read; returns when the store can serve."""
        ...

    async def close(self) -> None:
        """Close connections; idempotent."""
        ...


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

    async def count(self, scope: Scope, where: Mapping[str, Scalar] | None = None) -> int:
        """How many records have fields equal to ``where``. Raises StoreError."""
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

    async def count(self, scope: Scope, where: Mapping[str, Scalar] | None = None) -> int:
        """How many records have fields equal to ``where``. Raises StoreError."""
        return await self._store.count(self._address, scope, where)

    async def mutate(
        self,
        scope: Scope,
        key: str,
        change: Callable[[Model | None], Model],
        also: Sequence[Write] = (),
    ) -> Model:
        """Read, change and write one record atomically; see DocumentStore.mutate."""

        def change_fields(present: Fields | None) -> Fields:
            return self._fields(change(None if present is None else self._record(present)))

        return self._record(await self._store.mutate(self._address, scope, key, change_fields, also))

    async def put(self, scope: Scope, key: str, record: Model) -> None:
        """Store the whole record, replacing the scope's own. Raises KeyTaken, StoreError."""
        await self._store.put(self.write(scope, key, record))

    async def delete(self, scope: Scope, key: str) -> None:
        """Delete the record if it exists. Raises StoreError."""
        await self._store.delete(self._address, scope, key)

    def write(self, scope: Scope, key: str, record: Model, *, create: bool = False) -> Write:
        """The record as part of an atomic batch, for DocumentStore.put_all."""
        return Write(self._address, scope, key, self._fields(record), create)

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

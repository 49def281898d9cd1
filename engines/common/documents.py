"""DocumentStore, the port to the database of state.

A document belongs to one scope (tenant, env) or, for users and tenants themselves, to the whole
system. The scope is a required argument of every call and the path is built in one function,
``document_path``. Collection names and document ids are those of the existing engines, so several
scopes share a collection: an adapter checks the scope of what it finds and never returns or
replaces another scope's document.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

Scalar = str | bool | int

MAX_ID_BYTES = 1500

STORED_AT = "_stored_at"
"""As the field that orders a scan: the documents' storage time, which is in none of their fields."""

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
    """Values of one field from ``start`` on (inclusive) and before ``end`` (exclusive); None = open.

    Both are times or both are texts; texts are compared by their Unicode code points.
    """

    start: datetime | str | None = None
    end: datetime | str | None = None


@dataclass(frozen=True)
class Document:
    """A stored document and its storage time (UTC), as the store itself recorded it."""

    fields: Fields
    stored_at: datetime


@dataclass(frozen=True)
class Write:
    """One document of an atomic batch.

    ``create`` refuses to replace an existing document. ``merge`` keeps fields that are not named and takes
    Increment at the top level. ``delete`` removes the document, if there is one, and has no fields. Neither
    looks at what is there, so both are for the system's own scope or a collection of the scope alone.
    """

    address: Address
    scope: Scope
    key: str
    fields: Fields
    create: bool = False
    merge: bool = False
    delete: bool = False

    def __post_init__(self) -> None:
        alone = "{tenant}" in self.address.name and "{env}" in self.address.name
        if (self.merge or self.delete) and not alone and self.scope != SYSTEM:
            what = "merging write" if self.merge else "batched delete"
            raise ValueError(f"a {what} needs the system's scope or a collection of its scope alone")

    @property
    def unseen(self) -> bool:
        """Whether the write needs no look at what is there."""
        return self.create or self.merge or self.delete


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


def refuse_system(scope: Scope) -> None:
    """Raise ValueError for the system's scope: its collections hold the records of all tenants."""
    if scope == SYSTEM:
        raise ValueError("the system's records are deleted one by one, never erased")


def without_increments(fields: Fields) -> Fields:
    """The fields with the plain number of each Increment: what is checked before it is stored."""
    return {name: value.by if isinstance(value, Increment) else value for name, value in fields.items()}


def owns(scope: Scope, fields: Mapping[str, Any]) -> bool:
    """Whether a document with ``fields`` belongs to ``scope``."""
    return all(fields.get(name) == value for name, value in scope_fields(scope).items())


Also = Sequence[Write] | Callable[[Fields], Sequence[Write]]
"""What a mutation writes beside its document: writes, or a function that gets the document's new fields."""


class DocumentStore(Protocol):
    """The database of state. Every method may raise StoreUnavailable or StoreDenied.

    An adapter bounds each call in time (seconds, not minutes) and never retries by itself.
    """

    @property
    def source(self) -> Literal["firestore", "memory"]:
        """Which kind of store this is."""
        ...

    def changes(self, address: Address, scope: Scope) -> int:
        """How often this process wrote to the collection in the scope: while it stays, so do its reads."""
        ...

    async def get(self, address: Address, scope: Scope, key: str) -> Document | None:
        """The document, or None when it does not exist in this scope or no document can have the key."""
        ...

    async def get_all(self, address: Address, scope: Scope, keys: Sequence[str]) -> list[Document | None]:
        """What ``get`` returns for each of the keys, in their order, in one call that costs its keys alone.

        Not one moment's view: the documents may be of different times.
        """
        ...

    async def put(self, write: Write) -> None:
        """Store one whole document, replacing the scope's own.

        Raises KeyTaken when another scope owns the id, or when it exists and ``write.create`` is set;
        StoreRefused when the store cannot hold the fields. Nothing is written then.
        """
        ...

    async def put_all(self, writes: Sequence[Write]) -> None:
        """Store or delete up to 2,500 documents, all or none. Raises like put, then nothing has changed."""
        ...

    async def delete(self, address: Address, scope: Scope, key: str) -> None:
        """Delete the document; no error when it does not exist in this scope."""
        ...

    async def delete_if(
        self, address: Address, scope: Scope, key: str, condition: Callable[[Fields], bool]
    ) -> bool:
        """Delete the document if ``condition`` holds for its fields, atomically; returns whether it did.

        ``condition`` may run more than once and must not have side effects.
        """
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
        STORED_AT orders by storage time; documents that another program wrote have none and are left out.
        ``span`` bounds the field ``order_by``, which it needs; values of another type are outside of it.
        """
        ...

    async def count(
        self,
        address: Address,
        scope: Scope,
        where: Mapping[str, Scalar] | None = None,
        order_by: str | None = None,
        span: Span | None = None,
    ) -> int:
        """How many documents ``scan`` would return; counted by the store itself."""
        ...

    async def mutate(
        self,
        address: Address,
        scope: Scope,
        key: str,
        change: Callable[[Fields | None], Fields],
        also: Also = (),
    ) -> Fields:
        """Read, change and write one document atomically; returns the fields written.

        ``also`` holds creating, merging or deleting writes, done in the same atomic step. As a function it
        gets the fields written, may run more than once and must not have side effects.

        ``change`` gets the present fields (None when there are none) and returns the new ones. It may
        run more than once and must not have side effects; what it raises ends the call, nothing
        written. Raises KeyTaken when another scope owns the id, or the id of a creating write is in use.
        """
        ...

    async def move(
        self,
        address: Address,
        scope: Scope,
        earlier_key: str,
        key: str,
        change: Callable[[Fields | None, Fields | None], Fields],
    ) -> Fields:
        """Mutate a document whose id has changed: write it under ``key``, delete what is at ``earlier_key``.

        Both in one atomic step. ``change`` gets the present fields under ``key``, then those at
        ``earlier_key``, each None when the scope has none there; else see ``mutate``. Another scope's
        document at ``earlier_key`` is left alone.
        """
        ...

    async def ping(self) -> None:
        """Perform the cheapest real read; returns when the store can serve."""
        ...

    async def close(self) -> None:
        """Close connections; idempotent."""
        ...


class ErasableStore(DocumentStore, Protocol):
    """A DocumentStore that can forget a scope: for an operator's command, not for a process that serves."""

    async def erase(self, address: Address, scope: Scope) -> int:
        """Delete the scope's own documents of the collection; returns how many there were.

        Not atomic: when it raises, some may be gone already, and the same call deletes the rest. Raises
        ValueError for the system's scope, which owns nothing alone.
        """
        ...

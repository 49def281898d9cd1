"""DocumentStore in process memory: for tests and for processes that set no backend.

Same semantics as the Firestore adapter, proven by the same contract suite.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any, Literal

from engines.common.clock import Clock, utc_now
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
    StoreRefused,
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


class MemoryDocumentStore:
    """Documents in dicts; nothing survives the process."""

    source: Literal["memory"] = "memory"

    def __init__(self, clock: Clock = utc_now) -> None:
        self._clock = clock
        self._changes = Changes()
        self._collections: dict[str, dict[str, Document]] = {}

    def changes(self, address: Address, scope: Scope) -> int:
        """See DocumentStore.changes."""
        return self._changes.of(address, scope)

    async def get(self, address: Address, scope: Scope, key: str) -> Document | None:
        """See DocumentStore.get."""
        try:
            _, name = document_path(address, scope, key)
        except StoreRefused:
            return None
        document = self._documents(address, scope).get(name)
        return deepcopy(document) if document and owns(scope, document.fields) else None

    async def get_all(self, address: Address, scope: Scope, keys: Sequence[str]) -> list[Document | None]:
        """See DocumentStore.get_all."""
        return [await self.get(address, scope, key) for key in keys]

    async def put(self, write: Write) -> None:
        """See DocumentStore.put."""
        await self.put_all([write])

    async def put_all(self, writes: Sequence[Write]) -> None:
        """See DocumentStore.put_all."""
        for write in writes:
            self._check(write)
        with self._changes.counted((write.address, write.scope) for write in writes):
            for write in writes:
                self._store(write)

    async def delete(self, address: Address, scope: Scope, key: str) -> None:
        """See DocumentStore.delete."""
        if await self.get(address, scope, key):
            with self._changes.counted([(address, scope)]):
                del self._documents(address, scope)[document_path(address, scope, key)[1]]

    async def delete_if(
        self, address: Address, scope: Scope, key: str, condition: Callable[[Fields], bool]
    ) -> bool:
        """See DocumentStore.delete_if."""
        present = await self.get(address, scope, key)
        if present is None or not condition(present.fields):
            return False
        await self.delete(address, scope, key)
        return True

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
        wanted = scope_fields(scope) | dict(where or {})
        found = [
            (name, document)
            for name, document in sorted(self._documents(address, scope).items())
            if all(document.fields.get(field) == value for field, value in wanted.items())
        ]
        if order_by:
            found = [item for item in found if order_by == STORED_AT or order_by in item[1].fields]
            found = [item for item in found if _within(_value(item[1], order_by), span)]
            found.sort(key=lambda item: (_value(item[1], order_by), item[0]), reverse=descending)
        return [deepcopy(document) for _, document in found[:limit]]

    async def count(
        self,
        address: Address,
        scope: Scope,
        where: Mapping[str, Scalar] | None = None,
        order_by: str | None = None,
        span: Span | None = None,
    ) -> int:
        """See DocumentStore.count."""
        return len(await self.scan(address, scope, where, order_by, span=span))

    async def mutate(
        self,
        address: Address,
        scope: Scope,
        key: str,
        change: Callable[[Fields | None], Fields],
        also: Also = (),
    ) -> Fields:
        """See DocumentStore.mutate."""
        present = await self.get(address, scope, key)
        fields = change(present.fields if present else None)
        beside = also(fields) if callable(also) else also
        await self.put_all([Write(address, scope, key, fields), *beside])
        return fields

    async def move(
        self,
        address: Address,
        scope: Scope,
        earlier_key: str,
        key: str,
        change: Callable[[Fields | None, Fields | None], Fields],
    ) -> Fields:
        """See DocumentStore.move."""
        present, earlier = await self.get_all(address, scope, [key, earlier_key])
        fields = change(present.fields if present else None, earlier.fields if earlier else None)
        write = Write(address, scope, key, fields)
        self._check(write)
        with self._changes.counted([(address, scope)]):
            self._store(write)
            if earlier:
                del self._documents(address, scope)[document_path(address, scope, earlier_key)[1]]
        return fields

    async def erase(self, address: Address, scope: Scope) -> int:
        """See ErasableStore.erase."""
        refuse_system(scope)
        documents = self._documents(address, scope)
        own = [name for name, document in documents.items() if owns(scope, document.fields)]
        with self._changes.counted([(address, scope)]):
            for name in own:
                del documents[name]
        return len(own)

    async def ping(self) -> None:
        """Always answers."""

    async def close(self) -> None:
        """Nothing to close."""

    def _documents(self, address: Address, scope: Scope) -> dict[str, Document]:
        return self._collections.setdefault(collection_path(address, scope), {})

    def _check(self, write: Write) -> None:
        try:
            check_storable(without_increments(write.fields | scope_fields(write.scope)))
        except NotStorable as error:
            raise StoreRefused(f"memory: {error}") from error
        name = document_path(write.address, write.scope, write.key)[1]
        present = self._documents(write.address, write.scope).get(name)
        if present and (write.create or not owns(write.scope, present.fields)):
            raise KeyTaken(f"memory: {write.address.name} holds this id already")

    def _store(self, write: Write) -> None:
        documents = self._documents(write.address, write.scope)
        name = document_path(write.address, write.scope, write.key)[1]
        if write.delete:
            documents.pop(name, None)
            return
        present = documents[name].fields if write.merge and name in documents else {}
        stored = present | {field: _added(present.get(field), value) for field, value in write.fields.items()}
        documents[name] = Document(deepcopy(stored | scope_fields(write.scope)), self._clock())


def _added(present: Any, value: Any) -> Any:
    return (present or 0) + value.by if isinstance(value, Increment) else value


def _value(document: Document, field: str) -> Any:
    return document.stored_at if field == STORED_AT else document.fields[field]


def _within(value: Any, span: Span | None) -> bool:
    bounds = [bound for bound in (span.start, span.end) if bound is not None] if span else []
    if span is None or not all(isinstance(value, type(bound)) for bound in bounds):
        return not bounds
    return (span.start is None or value >= span.start) and (span.end is None or value < span.end)

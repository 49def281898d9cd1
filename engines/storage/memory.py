"""DocumentStore in process memory: for tests and for processes that set no backend.

Same semantics as the Firestore adapter, proven by the same contract suite.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Literal

from engines.common.clock import Clock, utc_now
from engines.common.documents import (
    Address,
    Document,
    Fields,
    KeyTaken,
    Scalar,
    Scope,
    StoreRefused,
    Write,
    document_id,
    owns,
    scope_fields,
)
from engines.common.storable import NotStorable, check_storable


class MemoryDocumentStore:
    """Documents in dicts; nothing survives the process."""

    source: Literal["memory"] = "memory"

    def __init__(self, clock: Clock = utc_now) -> None:
        self._clock = clock
        self._collections: dict[str, dict[str, Document]] = {}

    async def get(self, address: Address, scope: Scope, key: str) -> Document | None:
        """See DocumentStore.get."""
        document = self._documents(address).get(document_id(address, scope, key))
        return deepcopy(document) if document and owns(scope, document.fields) else None

    async def put(self, write: Write) -> None:
        """See DocumentStore.put."""
        await self.put_all([write])

    async def put_all(self, writes: Sequence[Write]) -> None:
        """See DocumentStore.put_all."""
        for write in writes:
            self._check(write)
        for write in writes:
            self._store(write.address, write.scope, write.key, write.fields)

    async def delete(self, address: Address, scope: Scope, key: str) -> None:
        """See DocumentStore.delete."""
        if await self.get(address, scope, key):
            del self._documents(address)[document_id(address, scope, key)]

    async def scan(
        self,
        address: Address,
        scope: Scope,
        where: Mapping[str, Scalar] | None = None,
        order_by: str | None = None,
        descending: bool = False,
        limit: int | None = None,
    ) -> list[Document]:
        """See DocumentStore.scan."""
        wanted = scope_fields(scope) | dict(where or {})
        found = [
            (name, document)
            for name, document in sorted(self._documents(address).items())
            if all(document.fields.get(field) == value for field, value in wanted.items())
        ]
        if order_by:
            found = [item for item in found if order_by in item[1].fields]
            found.sort(key=lambda item: item[1].fields[order_by], reverse=descending)
        return [deepcopy(document) for _, document in found[:limit]]

    async def mutate(
        self, address: Address, scope: Scope, key: str, change: Callable[[Fields | None], Fields]
    ) -> Fields:
        """See DocumentStore.mutate."""
        present = await self.get(address, scope, key)
        fields = change(present.fields if present else None)
        await self.put(Write(address, scope, key, fields))
        return fields

    async def ping(self) -> None:
        """Always answers."""

    async def close(self) -> None:
        """Nothing to close."""

    def _documents(self, address: Address) -> dict[str, Document]:
        return self._collections.setdefault(address.name, {})

    def _check(self, write: Write) -> None:
        try:
            check_storable(write.fields)
        except NotStorable as error:
            raise StoreRefused(f"memory: {error}") from error
        name = document_id(write.address, write.scope, write.key)
        present = self._documents(write.address).get(name)
        if present and (write.create or not owns(write.scope, present.fields)):
            raise KeyTaken(f"memory: {write.address.name} holds this id already")

    def _store(self, address: Address, scope: Scope, key: str, fields: Fields) -> None:
        stored = deepcopy(fields | scope_fields(scope))
        self._documents(address)[document_id(address, scope, key)] = Document(stored, self._clock())

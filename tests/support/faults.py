"""Stores and sinks over the in-memory ones that fail where a test says so."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from engines.common.documents import Address, Also, Document, Fields, Scalar, Scope, Span, Write
from engines.nexus.backends.memory import MemorySink
from engines.nexus.backends.sink import Envelope, Record, SinkDescription, WriteReceipt
from engines.storage.memory import MemoryDocumentStore

Faults = dict[str, Exception]
"""What to raise, by ``operation`` or by ``operation collection``; empty when all is well."""


class FaultyStore:
    """A MemoryDocumentStore whose operations raise what ``faults`` holds for them."""

    source: Literal["memory"] = "memory"

    def __init__(self, inner: MemoryDocumentStore) -> None:
        self.inner = inner
        self.faults: Faults = {}

    def changes(self, address: Address, scope: Scope) -> int:
        return self.inner.changes(address, scope)

    async def get(self, address: Address, scope: Scope, key: str) -> Document | None:
        self._check("get", address.name)
        return await self.inner.get(address, scope, key)

    async def get_all(self, address: Address, scope: Scope, keys: Sequence[str]) -> list[Document | None]:
        self._check("get_all", address.name)
        return await self.inner.get_all(address, scope, keys)

    async def put(self, write: Write) -> None:
        self._check("put", write.address.name)
        await self.inner.put(write)

    async def put_all(self, writes: Sequence[Write]) -> None:
        self._check("put_all", *(write.address.name for write in writes))
        await self.inner.put_all(writes)

    async def delete(self, address: Address, scope: Scope, key: str) -> None:
        self._check("delete", address.name)
        await self.inner.delete(address, scope, key)

    async def delete_if(
        self, address: Address, scope: Scope, key: str, condition: Callable[[Fields], bool]
    ) -> bool:
        self._check("delete_if", address.name)
        return await self.inner.delete_if(address, scope, key, condition)

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
        self._check("scan", address.name)
        return await self.inner.scan(address, scope, where, order_by, descending, limit, span)

    async def count(
        self,
        address: Address,
        scope: Scope,
        where: Mapping[str, Scalar] | None = None,
        order_by: str | None = None,
        span: Span | None = None,
    ) -> int:
        self._check("scan", address.name)
        return await self.inner.count(address, scope, where, order_by, span)

    async def mutate(
        self,
        address: Address,
        scope: Scope,
        key: str,
        change: Callable[[Fields | None], Fields],
        also: Also = (),
    ) -> Fields:
        self._check("mutate", address.name)
        return await self.inner.mutate(address, scope, key, change, also)

    async def move(
        self,
        address: Address,
        scope: Scope,
        earlier_key: str,
        key: str,
        change: Callable[[Fields | None, Fields | None], Fields],
    ) -> Fields:
        self._check("move", address.name)
        return await self.inner.move(address, scope, earlier_key, key, change)

    async def ping(self) -> None:
        self._check("ping")

    async def close(self) -> None:
        """Nothing to close."""

    def _check(self, operation: str, *collections: str) -> None:
        for name in (operation, *(f"{operation} {collection}" for collection in collections)):
            if name in self.faults:
                raise self.faults[name]


class FaultySink:
    """A MemorySink whose operations raise what ``faults`` holds for them, or hang when in ``hanging``."""

    def __init__(self) -> None:
        self.inner = MemorySink()
        self.faults: Faults = {}
        self.hanging: set[str] = set()
        self.asked = asyncio.Event()

    def describe(self) -> SinkDescription:
        return SinkDescription("memory", type(self).__name__, "memory/events_{tenant}", stand_in=True)

    async def write(self, batch: Sequence[Envelope]) -> list[WriteReceipt]:
        await self._check("write")
        return await self.inner.write(batch)

    async def latest(self, tenant_id: str, env: str) -> datetime | None:
        await self._check("latest")
        return await self.inner.latest(tenant_id, env)

    async def probe(self) -> None:
        await self._check("probe")

    def scan(self, tenant_id: str, env: str, since: datetime | None = None) -> AsyncIterator[Envelope]:
        return self.inner.scan(tenant_id, env, since)

    async def count(self, tenant_id: str, env: str, start: datetime, end: datetime) -> int:
        await self._check("count")
        return await self.inner.count(tenant_id, env, start, end)

    async def records(
        self, tenant_id: str, env: str | None = None, since: datetime | None = None
    ) -> AsyncIterator[Record]:
        await self._check("records")
        async for record in self.inner.records(tenant_id, env, since):
            yield record

    async def close(self) -> None:
        """Nothing to close."""

    async def _check(self, operation: str) -> None:
        self.asked.set()
        if operation in self.hanging:
            await asyncio.Event().wait()
        if operation in self.faults:
            raise self.faults[operation]

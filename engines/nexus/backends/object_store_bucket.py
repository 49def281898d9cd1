"""Bucket, the little that the object-store sink needs of a store of objects."""

from collections.abc import AsyncIterator
from typing import Protocol


class Bucket(Protocol):
    """One bucket. Every method raises SinkError, and is bounded in time by its caller or sooner."""

    async def create(self, name: str, body: bytes) -> bool:
        """Store a new object durably; False, and nothing is changed, when the name is taken."""
        ...

    async def folders(self, prefix: str) -> list[str]:
        """Names of the folders directly below ``prefix``, ascending, without slashes."""
        ...

    def names(self, prefix: str, page: int = 1000) -> AsyncIterator[str]:
        """Full names of the objects below ``prefix``, ascending, fetched about ``page`` at a time."""
        ...

    async def read(self, name: str) -> bytes:
        """The object's content."""
        ...

    async def delete(self, name: str) -> None:
        """Delete the object; no error when it is gone already."""
        ...

    async def close(self) -> None:
        """Close what was opened; idempotent."""
        ...

"""A bucket of S3, through obstore: the Rust object_store crate with an asyncio face.

Why not boto3: it blocks, so each object of a batch would hold a thread until S3 answers, and it brings the
descriptions of every AWS service for the four calls that are made here. obstore awaits, and its create mode
is one request with ``If-None-Match: *``.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store
from pydantic import SecretStr

from engines.config.bucket import BucketAddress
from engines.nexus.backends.sink import (
    STORAGE_FULL,
    SinkError,
    SinkMisconfigured,
    SinkRetryable,
    disk_full,
)

if TYPE_CHECKING:  # only obstore's stubs have them
    from obstore.store import ClientConfig, S3Config

CONNECT_SECONDS = 1.0
ANSWER_SECONDS = 5.0
"""Longer than the sink's own limits, so that those say "timeout"."""

WRITERS = 16
"""Objects written at once, each on a connection of its own."""

STATUS = re.compile(r"status code: (\d{3})")
TIMED_OUT = "kind: Timeout"
"""obstore has no classes for a refused listing or for a missing answer; its texts tell them apart."""


@dataclass(frozen=True)
class S3Access:
    """How to reach S3; what is None is left to AWS's own chain of defaults."""

    region: str
    endpoint: str | None = None
    key_id: SecretStr | None = None
    secret: SecretStr | None = None

    def config(self) -> S3Config:
        """As obstore takes it."""
        config: S3Config = {"region": self.region}
        if self.endpoint is not None:
            config["endpoint"] = self.endpoint
        if self.key_id is not None and self.secret is not None:
            config["access_key_id"] = self.key_id.get_secret_value()
            config["secret_access_key"] = self.secret.get_secret_value()
        return config

    def client(self) -> ClientConfig:
        """Limits in time, and plain http where the endpoint has it."""
        return {
            "allow_http": (self.endpoint or "").startswith("http://"),
            "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
            "timeout": timedelta(seconds=ANSWER_SECONDS),
        }


class S3Bucket:
    """One bucket over an obstore store, which holds nothing that needs closing."""

    def __init__(self, store: S3Store, target: str) -> None:
        self._store = store
        self._target = target
        self._writers = asyncio.Semaphore(WRITERS)

    async def create(self, name: str, body: bytes) -> bool:
        """See Bucket.create."""
        async with self._writers:
            with self._translated():
                try:
                    await obstore.put_async(self._store, name, body, mode="create", use_multipart=False)
                except AlreadyExistsError:
                    return False
        return True

    async def folders(self, prefix: str) -> list[str]:
        """See Bucket.folders."""
        with self._translated():
            found = await obstore.list_with_delimiter_async(self._store, prefix)
        return sorted(path.rstrip("/").rsplit("/", 1)[-1] for path in found["common_prefixes"])

    async def names(self, prefix: str, page: int = 1000) -> AsyncIterator[str]:
        """See Bucket.names. S3 answers up to 1000 names at a time, whatever ``page`` says."""
        listing = obstore.list(self._store, prefix, chunk_size=page)
        while True:
            with self._translated():
                try:
                    chunk = await anext(listing)
                except StopAsyncIteration:
                    return
            for item in chunk:
                yield item["path"]

    async def read(self, name: str) -> bytes:
        """See Bucket.read."""
        with self._translated():
            answer = await obstore.get_async(self._store, name)
            return bytes(await answer.bytes_async())

    async def delete(self, name: str) -> None:
        """See Bucket.delete. S3 answers the same for an object that is gone."""
        with self._translated():
            await obstore.delete_async(self._store, name)

    async def close(self) -> None:
        """Nothing to close: connections end with the store."""

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Raise the port's errors instead of obstore's, whose texts hold URLs and answers' bodies."""
        try:
            yield
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise SinkMisconfigured(self._target, "permission denied", "denied") from error
        except FileNotFoundError as error:
            raise SinkMisconfigured(self._target, "the bucket does not exist", "missing") from error
        except BaseError as error:
            raise self._by_text(str(error)) from error

    def _by_text(self, text: str) -> SinkError:
        found = STATUS.search(text)
        if found is None and TIMED_OUT in text:
            return SinkRetryable(self._target, "no answer in time", "timeout")
        match int(found[1]) if found else None:
            case None:
                return SinkRetryable(self._target, "not reachable", "unreachable")
            case 401 | 403:
                return SinkMisconfigured(self._target, "permission denied", "denied")
            case 404:
                return SinkMisconfigured(self._target, "the bucket does not exist", "missing")
            case status if status == STORAGE_FULL:
                return disk_full(self._target)
            case 409 | 429 | 500 | 502 | 503 | 504 as status:
                return SinkRetryable(self._target, f"answered {status}")
            case status:
                return SinkError(self._target, f"answered {status}")


def open_s3(address: BucketAddress, target: str, access: S3Access) -> S3Bucket:
    """Open the bucket. Nothing is sent yet."""
    store = S3Store(
        address.bucket,
        config=access.config(),
        client_options=access.client(),
        retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=ANSWER_SECONDS)},
    )
    return S3Bucket(store, target)

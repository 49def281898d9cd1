"""A bucket of Cloud Storage, through Google's SDK. The SDK blocks, so each call has a thread of a small pool.

Reads and writes have pools of their own: a probe never waits behind writes. Together they are as many as the
connections that the SDK's session keeps.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError, TransportError
from google.cloud.storage import Client
from google.cloud.storage.exceptions import DataCorruption
from requests.exceptions import RequestException, Timeout

from engines.config.bucket import BucketAddress
from engines.nexus.backends.sink import (
    STORAGE_FULL,
    SinkError,
    SinkMisconfigured,
    SinkRetryable,
    disk_full,
)

Result = TypeVar("Result")

WRITERS = 6
READERS = 4
SECONDS: dict[str, Any] = {"timeout": (1.0, 4.5), "retry": None}
"""Seconds to connect and between bytes: longer than the sink's own limits, so that those say "timeout"."""

DENIED = (exceptions.Forbidden, exceptions.Unauthorized)
PASSING = (exceptions.ServerError, exceptions.TooManyRequests)
NO_SPACE = "no space left on device"
"""How fake-gcs-server says it with its status 500."""


class GcsBucket:
    """One bucket over an SDK client, which it closes."""

    def __init__(self, client: Client, bucket: str, target: str) -> None:
        self._client = client
        self._bucket = client.bucket(bucket)
        self._target = target
        self._writers = ThreadPoolExecutor(WRITERS, "gcs-write")
        self._readers = ThreadPoolExecutor(READERS, "gcs-read")

    async def create(self, name: str, body: bytes) -> bool:
        """See Bucket.create."""
        blob = self._bucket.blob(name)
        content: dict[str, Any] = {"content_type": "application/x-ndjson", "if_generation_match": 0}

        def created() -> bool:
            try:
                blob.upload_from_string(body, **content, **SECONDS)
            except exceptions.PreconditionFailed:
                return False
            return True

        return await self._run(self._writers, created)

    async def folders(self, prefix: str) -> list[str]:
        """See Bucket.folders."""

        def listed() -> set[str]:
            listing = self._list(prefix, delimiter="/", fields="prefixes,nextPageToken")
            for _ in listing.pages:
                pass
            return set(listing.prefixes)

        found = await self._run(self._readers, listed)
        return sorted(path.removeprefix(prefix).rstrip("/") for path in found)

    async def names(self, prefix: str, page: int = 1000) -> AsyncIterator[str]:
        """See Bucket.names."""
        pages = self._list(prefix, page_size=page, fields="items(name),nextPageToken").pages
        while (blobs := await self._run(self._readers, lambda: next(pages, None))) is not None:
            for blob in blobs:
                yield blob.name

    async def read(self, name: str) -> bytes:
        """See Bucket.read."""
        blob = self._bucket.blob(name)
        content: bytes = await self._run(self._readers, lambda: blob.download_as_bytes(**SECONDS))
        return content

    async def delete(self, name: str) -> None:
        """See Bucket.delete."""
        blob = self._bucket.blob(name)

        def deleted() -> None:
            with suppress(exceptions.NotFound):
                blob.delete(**SECONDS)

        await self._run(self._writers, deleted)

    async def close(self) -> None:
        """See Bucket.close. Does not wait for calls under way."""
        self._writers.shutdown(wait=False, cancel_futures=True)
        self._readers.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def _list(self, prefix: str, **how: Any) -> Any:
        return self._client.list_blobs(self._bucket, prefix=prefix, **how, **SECONDS)

    async def _run(self, pool: ThreadPoolExecutor, call: Callable[[], Result]) -> Result:
        with self._translated():
            return await asyncio.get_running_loop().run_in_executor(pool, call)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Raise the port's errors instead of the SDK's, whose texts may hold a URL or an answer's body."""
        try:
            yield
        except DENIED as error:
            raise SinkMisconfigured(self._target, "permission denied", "denied") from error
        except exceptions.NotFound as error:
            raise SinkMisconfigured(self._target, "the bucket does not exist", "missing") from error
        except Timeout as error:
            raise SinkRetryable(self._target, "no answer in time", "timeout") from error
        except (RequestException, TransportError) as error:
            raise SinkRetryable(self._target, "not reachable", "unreachable") from error
        except GoogleAuthError as error:
            raise SinkMisconfigured(self._target, "credentials refused", "denied") from error
        except exceptions.GoogleAPICallError as error:
            raise self._answered(error) from error
        except DataCorruption as error:
            raise SinkRetryable(self._target, type(error).__name__) from error

    def _answered(self, error: exceptions.GoogleAPICallError) -> SinkError:
        if error.code == STORAGE_FULL or NO_SPACE in str(error.message):
            return disk_full(self._target)
        kind = SinkRetryable if isinstance(error, PASSING) else SinkError
        return kind(self._target, f"answered {error.code or type(error).__name__}")


def open_gcs(address: BucketAddress, target: str, project: str | None, emulator: str | None) -> GcsBucket:
    """Open the bucket; at ``emulator`` (a URL) when one is given. Nothing is sent yet."""
    if emulator is None:
        client = Client(project=project)
    else:
        client = Client(
            project=project or "local",
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
            client_options={"api_endpoint": emulator},
        )
    # The SDK would ask for the bucket's own record in threads of its own, for traces that nobody reads: it
    # takes a right that a sink does not need, and is tried again for two minutes when the bucket is away.
    client._bucket_metadata_cache = None
    return GcsBucket(client, address.bucket, target)

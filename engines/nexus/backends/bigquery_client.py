"""One BigQuery client for a sink, and how its errors read in the terms of the port."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import requests
from google.api_core import exceptions
from google.auth import exceptions as auth
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from engines.nexus.backends.sink import (
    STORAGE_FULL,
    SinkError,
    SinkMisconfigured,
    SinkRetryable,
    disk_full,
)

NO_RETRY: Any = None
"""The SDK retries for ten minutes unless told not to; it takes None, though its annotations do not say so."""

TIMED_OUT = (TimeoutError, requests.Timeout, exceptions.GatewayTimeout)
UNREACHABLE = (
    requests.RequestException,
    auth.TransportError,
    exceptions.ServiceUnavailable,
    exceptions.BadGateway,
)
DENIED = (exceptions.Forbidden, exceptions.Unauthorized, auth.GoogleAuthError)
FAILED = (*TIMED_OUT, *UNREACHABLE, *DENIED, exceptions.GoogleAPICallError)

BUSY = ("rateLimitExceeded", "quotaExceeded", "backendError", "internalError", "timeout", "stopped")
"""BigQuery's own words for what may succeed later, whatever the HTTP status."""


def open_client(project: str, emulator_host: str | None) -> bigquery.Client:
    """Open a client for the project; against ``emulator_host`` (with scheme) when one is given.

    Nothing is sent yet. The caller closes it.
    """
    if emulator_host is None:
        return bigquery.Client(project=project)
    return bigquery.Client(
        project=project,
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options={"api_endpoint": emulator_host},
    )


@asynccontextmanager
async def translated(target: str, seconds: float) -> AsyncIterator[None]:
    """Bound the block in time and raise the port's errors instead of the SDK's."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except FAILED as error:
        raise _sink_error(target, error) from error


def _sink_error(target: str, error: BaseException) -> SinkError:
    """The words never hold BigQuery's own message: it may quote a value."""
    reason = reason_of(error)
    if isinstance(error, TIMED_OUT):
        return SinkRetryable(target, "no answer in time", "timeout")
    if getattr(error, "code", None) == STORAGE_FULL:
        return disk_full(target)
    if reason in BUSY or isinstance(error, exceptions.TooManyRequests | exceptions.PreconditionFailed):
        return SinkRetryable(target, f"busy, to be tried again ({reason})", "error")
    if isinstance(error, UNREACHABLE):
        return SinkRetryable(target, "not reachable", "unreachable")
    if isinstance(error, DENIED):
        return SinkMisconfigured(target, f"permission denied ({reason})", "denied")
    if isinstance(error, exceptions.NotFound):
        return SinkMisconfigured(target, "the table or its dataset does not exist", "missing")
    return SinkRetryable(target, f"refused the call ({reason})", "error")


def reason_of(error: BaseException) -> str:
    """BigQuery's word for the error, else the name of its type."""
    details = error.errors if isinstance(error, exceptions.GoogleAPICallError) else []
    first = details[0] if details else {}
    return str(first.get("reason") or type(error).__name__)

"""One Firestore client for a process, and how its errors read in the terms of the ports."""

import re

import grpc
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore
from google.cloud.firestore_v1.services.firestore import FirestoreAsyncClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcAsyncIOTransport

TIMED_OUT = (TimeoutError, exceptions.DeadlineExceeded)
"""No answer within the bound of the call; it may or may not have been carried out."""

UNREACHABLE = (
    *TIMED_OUT,
    exceptions.ServiceUnavailable,
    exceptions.Aborted,
    exceptions.InternalServerError,
    exceptions.ResourceExhausted,
    exceptions.Cancelled,
    exceptions.Unknown,
    exceptions.RetryError,
)
"""The same call may succeed later."""

DENIED = (exceptions.PermissionDenied, exceptions.Unauthenticated)
"""The credentials do not allow the call."""

_REFUSED = re.compile(r"(disk|memory|volume): the stand-in[\w ,.:'()]* writes are refused[\w ,.:'()]*\Z")
"""How the kit's stand-in says that it takes no writes: its own words, never a payload."""

_EMULATOR_CHANNEL = (
    # The SDK's default backs off up to two minutes and keeps a resolved address: a restarted stand-in
    # would stay "down" for that long.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.dns_min_time_between_resolutions_ms", 1000),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)


def open_client(project: str, emulator_host: str | None) -> firestore.AsyncClient:
    """Open a client for the project; against ``emulator_host`` (host:port) when one is given.

    Nothing is sent yet. The caller closes it with ``close_client``.
    """
    if emulator_host is None:
        return firestore.AsyncClient(project=project)
    client = firestore.AsyncClient(project=project, credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]
    channel = grpc.aio.insecure_channel(emulator_host, options=_EMULATOR_CHANNEL)
    transport = FirestoreGrpcAsyncIOTransport(host=emulator_host, channel=channel)
    # The SDK has no public way to pass a channel; this is the attribute its own property fills.
    client._firestore_api_internal = FirestoreAsyncClient(transport=transport)
    # With it the SDK calls as an administrator: the emulator takes a bulk write from nobody else. The SDK
    # reads it from the environment, here the settings say it.
    client._emulator_host = emulator_host
    return client


async def close_client(client: firestore.AsyncClient) -> None:
    """Close the client's channel."""
    await client._firestore_api.transport.close()


def cause(error: BaseException) -> str:
    """Why a call failed, in words for an operator: no payload, no credential."""
    if isinstance(error, TIMED_OUT):
        return "no answer in time"
    if isinstance(error, exceptions.ServiceUnavailable):
        return "not reachable"
    if isinstance(error, exceptions.ResourceExhausted) and _REFUSED.match(error.message or ""):
        return str(error.message)
    if isinstance(error, exceptions.PermissionDenied):
        return "permission denied"
    if isinstance(error, exceptions.Unauthenticated):
        return "credentials refused"
    if isinstance(error, exceptions.GoogleAPICallError):
        return f"{error.grpc_status_code.name if error.grpc_status_code else type(error).__name__}"
    return type(error).__name__

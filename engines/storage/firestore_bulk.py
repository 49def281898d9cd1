"""Bulk writes in Firestore's own messages: many documents in one request, each with a status of its own.

The SDK builds them through a layer that took four fifths of a batch's time, and its bulk writer has no
asyncio version. So the messages are filled here, and sent with the SDK's client.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

import grpc
from google.api_core import exceptions
from google.cloud import firestore
from google.cloud.firestore_v1.types import BatchWriteRequest, DocumentTransform, Write

REQUEST_WRITES = 500
REQUEST_BYTES = 4_000_000
"""Firestore takes 10 MiB in one request, its emulator 4 MiB: more would be refused whole, again and again."""
LARGE_BYTES = 900_000
"""A document this large may be over the limit of one, so it goes alone and refuses no other."""

_WriteMessage = Write.pb()
_RequestMessage = BatchWriteRequest.pb()
_SERVER_TIME = DocumentTransform.FieldTransform.ServerValue.REQUEST_TIME
_SCALARS = {bool: "boolean_value", int: "integer_value", float: "double_value", str: "string_value"}
_CODES = {code.value[0]: code for code in grpc.StatusCode}


class Create(Protocol):
    """Something on its way that holds a message of ``create``."""

    @property
    def write(self) -> Any:
        """The message."""
        ...


Item = TypeVar("Item", bound=Create)


def document_name(client: firestore.AsyncClient, collection: str, document_id: str) -> str:
    """The full name of a document."""
    return f"{client._database_string}/documents/{collection}/{document_id}"


def create(name: str, fields: Mapping[str, Any], server_time: str | None = None) -> Any:
    """The write that creates the document, and fails when it exists. ``fields`` have been checked.

    ``server_time`` is a field that gets the server's time of the write.
    """
    write = _WriteMessage()
    write.update.name = name
    write.current_document.exists = False
    for field, value in fields.items():
        _fill(write.update.fields[field], value)
    if server_time:
        write.update_transforms.add(field_path=server_time, set_to_server_value=_SERVER_TIME)
    return write


def requests(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Cut into requests of a size that Firestore takes, in order; what is large goes alone."""
    request: list[Item] = []
    room = REQUEST_BYTES
    for item in items:
        size = item.write.ByteSize()
        if request and (size > min(room, LARGE_BYTES) or len(request) == REQUEST_WRITES):
            yield request
            request, room = [], REQUEST_BYTES
        request.append(item)
        room = 0 if size > LARGE_BYTES else room - size
    if request:
        yield request


async def send(client: firestore.AsyncClient, writes: Sequence[Any], seconds: float) -> Sequence[Any]:
    """Send one request; returns a status per write. They are not atomic together.

    Raises the SDK's errors: InvalidArgument or MethodNotImplemented when one malformed write, or one
    document written twice, fails the request as a whole. Nothing is written then.
    """
    message = _RequestMessage(database=client._database_string, writes=writes)
    call = client._firestore_api.batch_write
    answer = await call(
        request=BatchWriteRequest.wrap(message), metadata=client._rpc_metadata, retry=None, timeout=seconds
    )
    statuses: Sequence[Any] = answer.status
    return statuses


def error_of(status: Any) -> exceptions.GoogleAPICallError | None:
    """What a call of this one write alone would have raised; None when it was written."""
    if status.code == 0:
        return None
    code = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
    error: exceptions.GoogleAPICallError = exceptions.from_grpc_status(code, "")  # type: ignore[no-untyped-call]
    return error


def _fill(target: Any, value: Any) -> None:
    scalar = _SCALARS.get(type(value))
    if scalar:
        setattr(target, scalar, value)
    elif value is None:
        target.null_value = 0
    elif isinstance(value, datetime):
        target.timestamp_value.FromDatetime(value)
    elif isinstance(value, list):
        target.array_value.SetInParent()
        for item in value:
            _fill(target.array_value.values.add(), item)
    else:
        target.map_value.SetInParent()
        for name, item in value.items():
            _fill(target.map_value.fields[name], item)

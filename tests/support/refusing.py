"""Far ends that refuse every call, as Google's services do on the wire."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import grpc

from tests.support.bigquery import faulty


class _Refusing(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Takes any method. On the wire a status alone looks the same for every kind of call."""

    def __init__(self, code: grpc.StatusCode, words: str) -> None:
        self._code = code
        self._words = words

    def service(self, handler_call_details: Any) -> Any:
        return grpc.stream_stream_rpc_method_handler(self._refuse)

    async def _refuse(self, requests: Any, context: Any) -> None:
        await context.abort(self._code, self._words)


@asynccontextmanager
async def refusing_grpc(code: grpc.StatusCode, words: str) -> AsyncIterator[int]:
    """The port of a gRPC server that answers every call with ``code``."""
    server = grpc.aio.server(handlers=[_Refusing(code, words)])
    port: int = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(0)


@contextmanager
def refusing_http(words: str) -> Iterator[int]:
    """The port of a server that answers every call with 403, in the JSON of Google's services."""
    with faulty("") as server:
        server.fail("", 403, "accessDenied", words)
        yield server.server_port

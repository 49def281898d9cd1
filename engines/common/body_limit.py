"""Reads request bodies within the limits, before anything is parsed."""

import asyncio

from starlette.datastructures import Headers, QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engines.common.bearer import auth_of
from engines.common.bodies import NOBODY, Bodies, Body
from engines.common.errors import BadRequest, EngineError, PayloadTooLarge, Unauthorized, render
from engines.server.limits import ServerLimits
from engines.server.refusals import Refusals


class BodyLimit:
    """ASGI middleware. Gives the app a body that was read completely; refusals have the one error shape."""

    def __init__(self, app: ASGIApp, limits: ServerLimits, refusals: Refusals) -> None:
        self._app = app
        self._limits = limits
        self._refusals = refusals
        self._bodies = Bodies(limits, refusals)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        if b"transfer-encoding" not in headers and not length.strip(b"0"):
            await self._app(scope, receive, send)
            return
        try:
            self._check_declared(length)
            await self._with_body(scope, receive, send)
        except _Refused as refused:
            await render(refused.error)(scope, receive, send)

    def _check_declared(self, length: bytes) -> None:
        # Very long numbers are too large without being read: Python refuses to parse them.
        if length.isdigit() and (len(length) > 15 or int(length) > self._limits.body_bytes):
            raise self._too_large()

    def _too_large(self) -> "_Refused":
        self._refusals.add("body_size")
        return _Refused(PayloadTooLarge(f"the body is larger than {self._limits.body_bytes} bytes"))

    async def _with_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        deadline = asyncio.timeout(None)
        body = Body(lambda: tenant_of(scope), deadline)
        try:
            content = await self._read(receive, body, deadline)
            handed = _Handed(content, receive)
            if body.size:
                async with self._bodies.turn(body):
                    await self._app(scope, handed, send)
            else:
                await self._app(scope, handed, send)
        finally:
            self._bodies.release(body)

    async def _read(self, receive: Receive, body: Body, deadline: asyncio.Timeout) -> bytes:
        """The whole body. Raises _Refused."""
        chunks: list[bytes] = []
        received, more = 0, True
        try:
            async with deadline:
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _Refused(BadRequest("the body ended early"))
                    chunk, more = message.get("body", b""), message.get("more_body", False)
                    received += len(chunk)
                    if received > self._limits.body_bytes:
                        raise self._too_large()
                    if received > self._limits.small_body_bytes:
                        self._bodies.grow(body, received - body.size)
                    chunks.append(chunk)
                self._bodies.complete(body)
        except TimeoutError:
            raise _Refused(self._bodies.refusal()) from None
        except EngineError as error:
            raise _Refused(error) from None
        return b"".join(chunks)


class _Handed:
    """Receives for the app: the body at once, then what comes after it."""

    def __init__(self, content: bytes, receive: Receive) -> None:
        self._content: bytes | None = content
        self._receive = receive

    async def __call__(self) -> Message:
        content, self._content = self._content, None
        if content is None:
            return await self._receive()
        return {"type": "http.request", "body": content, "more_body": False}


def tenant_of(scope: Scope) -> str:
    """The tenant of the request's token: the one that headers or query choose, else the token's own."""
    try:
        auth = auth_of(scope)
    except Unauthorized:
        return NOBODY
    if auth is None:
        return NOBODY
    headers = Headers(scope=scope)
    chosen = headers.get("x-tenant-id") or QueryParams(scope["query_string"]).get("tenant_id")
    return chosen if chosen and chosen in auth.tenant_ids else auth.default_tenant_id


class _Refused(Exception):
    """A refusal of this middleware, never one of the app."""

    def __init__(self, error: EngineError) -> None:
        super().__init__(error.detail)
        self.error = error

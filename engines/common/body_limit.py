"""Refuses request bodies over one mebibyte before they are read into memory."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engines.common.errors import PayloadTooLarge, render

MAX_BODY_BYTES = 1_048_576
"""Also the size limit of a Firestore document, so nothing storable is refused here."""


class BodyLimit:
    """ASGI middleware. Answers 413 in the one error shape."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its body counted."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = PayloadTooLarge(f"the body is larger than {MAX_BODY_BYTES} bytes")
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        # Very long numbers are too large without being read: Python refuses to parse them.
        if declared.isdigit() and (len(declared) > 7 or int(declared) > MAX_BODY_BYTES):
            await render(refusal)(scope, receive, send)
            return
        await self._pass_on_counted(scope, receive, send, refusal)

    async def _pass_on_counted(
        self, scope: Scope, receive: Receive, send: Send, refusal: PayloadTooLarge
    ) -> None:
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY_BYTES:
                raise refusal
            return message

        async def unless_refused(message: Message) -> None:
            if received <= MAX_BODY_BYTES:
                await send(message)

        await self._app(scope, counted, unless_refused)
        if received > MAX_BODY_BYTES:
            await render(refusal)(scope, receive, send)

"""HEAD for every path that takes GET: the same answer without its body (RFC 9110, 9.3.2).

The framework's API routes know GET alone. The server leaves the body out, as ASGI has it.
"""

from starlette.types import ASGIApp, Receive, Scope, Send


class HeadAsGet:
    """ASGI middleware, the innermost: a route is asked by GET, everybody else still sees HEAD."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; what the router notes in the scope is noted in the caller's too."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        asked = {**scope, "method": "GET"}
        try:
            await self._app(asked, receive, send)
        finally:
            scope.update({**asked, "method": "HEAD"})

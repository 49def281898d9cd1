"""Headers that keep an answer to itself: not sniffed, framed or kept, and never leading to another host."""

from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ISOLATION = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
NOT_KEPT = {"Cache-Control": "no-store"}
NO_CONTENT = {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"}
"""The policy of what is no page: nothing of it is ever run or shown inside another."""

DEFAULTS = ISOLATION | NOT_KEPT | NO_CONTENT
STRICT_TRANSPORT = {"Strict-Transport-Security": "max-age=31536000"}
"""A year of nothing but TLS for this host; its subdomains are not ours to speak for."""


def defaults_for(scheme: str) -> dict[str, str]:
    """The headers of an answer that says nothing else."""
    return DEFAULTS | (STRICT_TRANSPORT if scheme == "https" else {})


class SecurityHeaders:
    """ASGI middleware. Adds what an answer does not say itself, and makes redirects relative."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                # Read here and not before: the scheme may be the one that a front forwards.
                for name, value in defaults_for(scope["scheme"]).items():
                    headers.setdefault(name, value)
                if "location" in headers:
                    headers["location"] = _relative(headers["location"])
            await send(message)

        await self._app(scope, receive, guarded)


def _relative(location: str) -> str:
    """The location on whatever host the caller is: the framework writes the Host header into it."""
    parts = urlsplit(location)
    path = f"/{parts.path.lstrip('/')}"
    return f"{path}?{parts.query}" if parts.query else path

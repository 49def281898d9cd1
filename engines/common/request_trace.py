"""The outermost middleware: gives each request its id and writes one line when it is answered."""

import logging
import time
from typing import Protocol

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engines.common import tracing
from engines.server.request_id import HEADER

access = logging.getLogger("engines.access")

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
TEMPLATE = "path_template"
"""Key of the scope under which a plain route names itself; the framework's own routes need not."""

OTHER = "other"
"""Stands for a method or path that no route has, so that callers cannot make up names."""


class RequestObserver(Protocol):
    """What is told of each answered request."""

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """``route`` is the path's template; ``status`` is 500 when the request failed unanswered."""
        ...


class RequestTrace:
    """ASGI middleware. The request's header is replaced by the id in use, so whoever reads it gets that."""

    def __init__(self, app: ASGIApp, observer: RequestObserver) -> None:
        self._app = app
        self._observer = observer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; its id goes into the answer's headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        trace = tracing.begin(Headers(scope=scope).get(HEADER, ""))
        # In place: the handler of unexpected errors sits outside of this and sees the same scope.
        MutableHeaders(scope=scope)[HEADER] = trace.request_id
        status, started = 500, time.perf_counter()

        async def tagged(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = trace.request_id
            await send(message)

        try:
            await self._app(scope, receive, tagged)
        finally:
            self._tell(scope, status, time.perf_counter() - started)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else OTHER
        route = str(scope.get(TEMPLATE) or getattr(scope.get("route"), "path", OTHER))
        self._observer.answered(method, route, status, seconds)
        fields = {"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 1)}
        access.info("%s %s %s", method, route, status, extra={"fields": fields})

"""The error family of the HTTP side and the one handler that renders it.

    EngineError                 status, detail, headers
    ├── BadRequest          400 the request contradicts itself or its context
    ├── Unauthorized        401 no usable bearer token
    ├── Forbidden           403 the token does not allow it
    ├── NotFound            404 no such record in this tenant and env
    ├── MethodNotAllowed    405 the address does not take this method
    ├── Conflict            409 the record or a lock forbids it
    ├── PayloadTooLarge     413 the body is over the limit
    ├── Misdirected         421 the Host header names a host that is not answered here
    ├── Unprocessable       422 well-formed, but can never be stored as it is
    ├── TooManyRequests     429 this caller or tenant has too much under way; later it may succeed
    └── Unavailable         503 a store or sink does not answer; the same request may succeed later

The request's id is in the header X-Request-Id of every answer.
Every error body is ``{"detail": …}``: a text, an object with the key ``error``, or for validation the
framework's list, with inputs as ``shown_input`` shows them.
Vendor errors are mapped to port errors at the adapter (``documents.StoreError``,
``nexus.backends.sink.SinkError``) and from there to this family.
"""

import logging
from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts

from engines.common.documents import KeyTaken, StoreError
from engines.common.security_headers import defaults_for
from engines.common.shown_input import HIDDEN, ShownInputs, plain_text
from engines.server.request_id import HEADER

log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 5
MOST_PROBLEMS = 100
"""Most items of one answer to an invalid request."""


class EngineError(Exception):
    """An error with its HTTP answer."""

    status = 500

    def __init__(self, detail: str | dict[str, Any], headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = headers or {}


class BadRequest(EngineError):
    """The request contradicts itself or its context."""

    status = 400


class Unauthorized(EngineError):
    """No usable bearer token."""

    status = 401

    def __init__(self, detail: str) -> None:
        super().__init__(detail, {"WWW-Authenticate": "Bearer"})


class Forbidden(EngineError):
    """The token does not allow it."""

    status = 403


class NotFound(EngineError):
    """No such record in this tenant and env."""

    status = 404


class MethodNotAllowed(EngineError):
    """The address does not take this method."""

    status = 405

    def __init__(self, allowed: Iterable[str]) -> None:
        super().__init__("Method Not Allowed", {"Allow": ", ".join(allowed)})


class Conflict(EngineError):
    """The record or a lock forbids it."""

    status = 409


class PayloadTooLarge(EngineError):
    """The body is over the limit."""

    status = 413


class Misdirected(EngineError):
    """The Host header names a host that is not answered here."""

    status = 421


class Unprocessable(EngineError):
    """Well-formed, but can never be stored as it is."""

    status = 422


class TooManyRequests(EngineError):
    """This caller or tenant has too much under way; later it may succeed."""

    status = 429

    def __init__(self, detail: str, seconds: int = RETRY_AFTER_SECONDS) -> None:
        super().__init__(detail, {"Retry-After": str(seconds)})


class Unavailable(EngineError):
    """A store or sink does not answer; the same request may succeed later."""

    status = 503

    def __init__(self, detail: str | dict[str, Any]) -> None:
        super().__init__(detail, {"Retry-After": str(RETRY_AFTER_SECONDS)})


def render(error: EngineError) -> JSONResponse:
    """The one JSON shape of an error."""
    return JSONResponse({"detail": error.detail}, error.status, error.headers)


def how_to_repeat(*, has_key: bool) -> str:
    """What to do about a 503 of a route that takes an Idempotency-Key."""
    if has_key:
        return "it may have been stored: send it again with the same Idempotency-Key and it is stored once"
    return "it may have been stored, and be stored twice when sent again: an Idempotency-Key prevents that"


def _how_to_repeat(request: Request) -> dict[str, str]:
    """What the caller of a route that creates has to know: a write without an answer may be carried out."""
    stores_once: bool | None = getattr(request.state, "stores_once", None)
    if stores_once is None:
        return {}
    return {"outcome": "unknown", "repeat": how_to_repeat(has_key=stores_once)}


async def _method_not_allowed(request: Request, _error: Exception) -> JSONResponse:
    """Names all methods that the address takes; the framework names those of one route alone."""
    path = request.scope["path"]
    routes = [one for one in iter_route_contexts(request.app.routes) if one.path_regex.match(path)]
    return render(MethodNotAllowed(sorted({method for route in routes for method in route.methods or ()})))


def install_error_handlers(app: FastAPI) -> None:
    """Make ``app`` answer the error family, store errors and validation errors in the one shape."""

    @app.exception_handler(EngineError)
    async def _engine_error(request: Request, error: EngineError) -> JSONResponse:
        return render(error)

    app.add_exception_handler(405, _method_not_allowed)

    @app.exception_handler(StoreError)
    async def _store_error(request: Request, error: StoreError) -> JSONResponse:
        log.warning("document store: %s", error)
        if isinstance(error, KeyTaken):
            return render(Conflict("the id is taken by another record"))
        if not error.transient:
            return render(Unprocessable(f"the store cannot hold this record: {error}"))
        detail = {"error": "state_store_unavailable", "reason": str(error)}
        return render(Unavailable(detail | _how_to_repeat(request)))

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, error: Exception) -> JSONResponse:
        # The server logs the traceback; the caller gets the one shape and nothing of the inside.
        # Nothing inside can tag this answer: it is given outside of every middleware.
        traced = request.headers.get(HEADER)
        headers = defaults_for(request.url.scheme) | ({HEADER: traced} if traced else {})
        return render(EngineError("internal error", headers))

    @app.exception_handler(RequestValidationError)
    async def _validation_error(request: Request, error: RequestValidationError) -> JSONResponse:
        field = getattr(request.scope.get("route"), "body_field", None)
        inputs = ShownInputs(field.field_info.annotation if field else None)
        found = error.errors()
        problems = [_problem(item, inputs) for item in found[:MOST_PROBLEMS]]
        if len(found) > MOST_PROBLEMS:
            words = f"{len(found) - MOST_PROBLEMS} further problems are not shown"
            problems.append({"type": "too_many", "loc": [], "msg": words, "input": None})
        return JSONResponse({"detail": jsonable_encoder(problems, custom_encoder={Exception: str})}, 422)


def _problem(item: dict[str, Any], inputs: ShownInputs) -> dict[str, Any]:
    """One item of the framework's list, with as much of its input as may be shown."""
    place = [plain_text(part) if isinstance(part, str) else part for part in item["loc"]]
    shown = inputs.shown(item["loc"], item.get("input"))
    said = item | {"loc": place, "input": shown}
    if shown == HIDDEN and (context := said.pop("ctx", None)) and "error" in context:
        said["msg"] = "Value error"  # a validator's own words could repeat the value
    return said

"""What the page's routes answer with: templates that escape everything, headers against what is foreign."""

import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from engines.bossman.pages import words
from engines.common.errors import EngineError
from engines.common.security_headers import ISOLATION, NOT_KEPT

SECURITY_HEADERS = ISOLATION | {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
}
KEPT = {"Cache-Control": "public, max-age=31536000, immutable"}
"""For files whose address changes with their content."""

MEDIA = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}

DEFAULT_BASE = "http://127.0.0.1:8000"
_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?\Z")


@cache
def _templates() -> Environment:
    # No part of a template may be unescaped, so there is no way to say so in one.
    environment = Environment(
        loader=PackageLoader("engines.bossman.pages"),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = ("visible", "duration", "utc", "iso", "clock", "number", "money", "percent")
    environment.filters |= {name: getattr(words, name) for name in names}
    environment.globals["asset"] = _address
    return environment


@cache
def asset(name: str) -> tuple[bytes, str] | None:
    """A static file and its version, None when there is none."""
    if not re.fullmatch(r"[a-z]+\.(css|js|svg)", name):
        return None
    found = files(__package__).joinpath("static", name)
    if not found.is_file():
        return None
    content = found.read_bytes()
    return content, hashlib.sha256(content).hexdigest()[:12]


def _address(name: str) -> str:
    found = asset(name)
    if found is None:
        raise LookupError(name)
    return f"/bossman/static/{name}?v={found[1]}"


def html(template: str, status: int = 200, **values: Any) -> Response:
    """A rendered template with every security header."""
    headers = SECURITY_HEADERS | NOT_KEPT
    if status == 401:
        headers |= {"WWW-Authenticate": "Bearer"}
    return HTMLResponse(_templates().get_template(template).render(values), status, headers)


def problem(template: str, error: EngineError) -> Response:
    """An error as a page, with the headers that the API answers it with."""
    response = html(template, error.status, code=error.status, reason=str(error.detail))
    response.headers.update(error.headers)
    return response


def static(name: str) -> Response | None:
    """A static file, None when there is none."""
    found = asset(name)
    if found is None:
        return None
    return Response(found[0], headers=SECURITY_HEADERS | KEPT, media_type=MEDIA[name.rsplit(".", 1)[-1]])


def redirect(path: str) -> Response:
    """Go on with GET at one of our own paths."""
    return Response(status_code=303, headers=SECURITY_HEADERS | NOT_KEPT | {"Location": path})


def base_of(request: Request) -> str:
    """The address that commands on the page call: the caller's own, if it is one."""
    host = request.headers.get("host", "")
    return f"{request.url.scheme}://{host}" if _HOST.match(host) else DEFAULT_BASE

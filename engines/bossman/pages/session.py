"""The browser's session: a cookie that holds the access token, and forms that only our own page can send.

The cookie is read by the page's routes alone, so the JSON API has nothing that a foreign page could ride on.
"""

import hmac
import secrets
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from engines.common.dependencies import TokenVerifier
from engines.common.errors import BadRequest, Forbidden, PayloadTooLarge, Unauthorized
from engines.common.identity import AuthContext

SESSION_COOKIE = "bossman_session"
FORM_COOKIE = "bossman_form"
FORM_FIELD = "form_token"
PATH = "/bossman"
SESSION_SECONDS = 12 * 3600
"""A day's work; the token itself may live shorter."""

PIECE_CHARS = 3_500
"""Browsers drop a cookie of more than 4 KB; a token that names many tenants is longer."""

MOST_PIECES = 8
MAX_FORM_BYTES = 8_192
MAX_FIELDS = 12


def auth_of(request: Request) -> AuthContext:
    """Who is signed in. Raises Unauthorized: no cookie, or a token that is not accepted."""
    token = "".join(request.cookies.get(name, "") for name in _names(MOST_PIECES))
    if not token:
        raise Unauthorized("not signed in")
    verifier: TokenVerifier = request.app.state.services.tokens
    return verifier.verify(token)


def start(response: Response, request: Request, token: str) -> None:
    """Keep the token in the browser. Lax, so that a link in a message opens the page.

    Raises Forbidden for a token that is too long for cookies.
    """
    pieces = [token[at : at + PIECE_CHARS] for at in range(0, len(token), PIECE_CHARS)]
    if len(pieces) > MOST_PIECES:
        raise Forbidden("this account belongs to too many tenants for a browser: use the JSON API")
    end(response, request, after=len(pieces))
    for name, piece in zip(_names(len(pieces)), pieces, strict=True):
        response.set_cookie(
            name,
            piece,
            max_age=SESSION_SECONDS,
            path=PATH,
            secure=_is_https(request),
            httponly=True,
            samesite="lax",
        )


def end(response: Response, request: Request, after: int = 0) -> None:
    """Take the token out of the browser, or what lies ``after`` so many pieces."""
    for name in _names(MOST_PIECES)[after:]:
        if name in request.cookies:
            response.delete_cookie(name, path=PATH, secure=_is_https(request), httponly=True, samesite="lax")


def _names(pieces: int) -> list[str]:
    return [SESSION_COOKIE, *(f"{SESSION_COOKIE}_{number}" for number in range(1, MOST_PIECES))][:pieces]


def form_token(request: Request) -> str:
    """The secret that a form must repeat: the browser's own, or a new one."""
    known = request.cookies.get(FORM_COOKIE, "")
    return known if len(known) == 43 and known.isascii() else secrets.token_urlsafe(32)


def keep_form_token(response: Response, request: Request, token: str) -> None:
    """Give the browser the secret; Strict, so that no foreign page's request carries it."""
    response.set_cookie(
        FORM_COOKIE, token, path=PATH, secure=_is_https(request), httponly=True, samesite="strict"
    )


async def own_form(request: Request) -> Mapping[str, str]:
    """The fields of a form that our own page sent.

    Raises Forbidden for a form of another site, PayloadTooLarge or BadRequest for what is no such form.
    """
    _check_origin(request)
    fields = await _fields(request)
    expected, given = request.cookies.get(FORM_COOKIE, ""), fields.get(FORM_FIELD, "")
    if not expected or not hmac.compare_digest(expected.encode(), given.encode()):
        raise Forbidden("the form was not sent by this page, or cookies are switched off: load it again")
    return fields


def _check_origin(request: Request) -> None:
    """Refuse what the browser itself says comes from elsewhere."""
    site = request.headers.get("sec-fetch-site")
    if site not in (None, "same-origin", "none"):
        raise Forbidden("the form was sent by another site")
    origin = request.headers.get("origin", "null")
    # Without a referrer browsers send "null": then the form's secret alone decides.
    if origin != "null" and urlsplit(origin).netloc != request.headers.get("host"):
        raise Forbidden("the form was sent by another site")


async def _fields(request: Request) -> dict[str, str]:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise PayloadTooLarge("the form is too large")
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError:
        raise BadRequest("the form cannot be read") from None


def _is_https(request: Request) -> bool:
    return request.url.scheme == "https"

"""The cookies of the pages: sessions, and the secret of forms that only our own page can send.

They are read by the pages' routes alone, so the JSON API has nothing that a foreign page could ride on.
"""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Protocol
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from engines.common.errors import BadRequest, Forbidden, PayloadTooLarge, Unauthorized
from engines.common.front import is_loopback
from engines.common.identity import AuthContext

FORM_FIELD = "form_token"
PATH = "/bossman"
OPERATOR_PATH = "/bossman/onboarding"

PIECE_CHARS = 3_500
"""Browsers drop a cookie of more than 4 KB; a session that names many tenants is longer."""

MOST_PIECES = 8
MAX_FORM_BYTES = 8_192
MAX_FIELDS = 12

OTHER_SITE = (
    "the form was sent by another site, or a front in between replaces the Host header: "
    "it has to pass on the browser's own (nginx: proxy_set_header Host $http_host)"
)
NO_SECRET = (
    "the form was not sent by this page, or the browser keeps no cookie: they are switched off, "
    "or the page came over plain HTTP from another name than localhost. Load it again"
)


class Sessions(Protocol):
    """Sessions of one kind, as far as the pages need them."""

    lasts: timedelta

    def begin(self, data: Mapping[str, Any]) -> str:
        """A new session that holds ``data``, as text for a cookie. Raises Unauthorized when closed."""
        ...

    async def read(self, session: str) -> dict[str, Any]:
        """What the session holds. Raises Unauthorized for one that is none, expired or ended; StoreError."""
        ...

    async def end(self, session: str) -> None:
        """End the session everywhere. Nothing for one that is none or has ended. Raises StoreError."""
        ...


@dataclass(frozen=True)
class PageSessions:
    """What the pages sign in to: members, operators, and how the cookies of this stack are told apart."""

    members: Sessions
    operators: Sessions
    suffix: str


@dataclass(frozen=True)
class Cookie:
    """A session's cookie in one browser, in as many pieces as it needs."""

    sessions: Sessions
    name: str
    path: str
    same_site: Literal["lax", "strict"]

    def is_held(self, request: Request) -> bool:
        """Whether the browser sent one, good or bad."""
        return self.name in request.cookies

    async def read(self, request: Request) -> dict[str, Any]:
        """What the session holds. Raises Unauthorized for none, or one that does not count; StoreError."""
        return await self.sessions.read(self._held(request))

    def start(self, response: Response, request: Request, data: Mapping[str, Any]) -> None:
        """Begin a session. Raises Forbidden for data that is too long for cookies."""
        session = self.sessions.begin(data)
        pieces = [session[at : at + PIECE_CHARS] for at in range(0, len(session), PIECE_CHARS)]
        if len(pieces) > MOST_PIECES:
            raise Forbidden("this account belongs to too many tenants for a browser: use the JSON API")
        self.forget(response, request, after=len(pieces))
        for name, piece in zip(self._names()[: len(pieces)], pieces, strict=True):
            age = int(self.sessions.lasts.total_seconds())
            response.set_cookie(name, piece, max_age=age, **self._kept(request))

    async def end(self, response: Response, request: Request) -> None:
        """End the session on the server, and take it out of the browser. Raises StoreError."""
        await self.sessions.end(self._held(request))
        self.forget(response, request)

    def forget(self, response: Response, request: Request, after: int = 0) -> None:
        """Take the session out of the browser, or what lies ``after`` so many pieces."""
        for name in self._names()[after:]:
            if name in request.cookies:
                response.delete_cookie(name, **self._kept(request))

    def _held(self, request: Request) -> str:
        return "".join(request.cookies.get(name, "") for name in self._names())

    def _names(self) -> list[str]:
        return [self.name, *(f"{self.name}_{number}" for number in range(1, MOST_PIECES))]

    def _kept(self, request: Request) -> dict[str, Any]:
        how = {"path": self.path, "httponly": True, "samesite": self.same_site}
        return how | {"secure": is_secure(request)}


def member(request: Request) -> Cookie:
    """The session of who signs in to a tenant. Lax, so that a link in a message opens the page."""
    pages = _pages(request)
    return Cookie(pages.members, f"bossman_session_{pages.suffix}", PATH, "lax")


def operator(request: Request) -> Cookie:
    """The session of who has the operators' key. Strict: no request that another site causes carries it."""
    pages = _pages(request)
    return Cookie(pages.operators, f"bossman_operator_{pages.suffix}", OPERATOR_PATH, "strict")


async def auth_of(request: Request) -> AuthContext:
    """Who is signed in. Raises Unauthorized for nobody; StoreError."""
    cookie = member(request)
    if not cookie.is_held(request):
        raise Unauthorized("not signed in")
    return AuthContext.model_validate(await cookie.read(request))


def start(response: Response, request: Request, auth: AuthContext) -> None:
    """Keep who signed in, as the token said it. Raises Forbidden for more tenants than cookies hold."""
    member(request).start(response, request, auth.model_dump(exclude={"claims", "provider"}))


async def is_operator(request: Request) -> bool:
    """Whether the session was begun with the present key and has not ended. Raises StoreError."""
    try:
        await operator(request).read(request)
    except Unauthorized:
        return False
    return True


def is_secure(request: Request) -> bool:
    """Whether a cookie must never leave over plain HTTP: always, but on the machine itself."""
    return request.url.scheme == "https" or not is_loopback(request.headers.get("host", ""))


def _form_cookie(request: Request) -> str:
    return f"bossman_form_{_pages(request).suffix}"


def form_token(request: Request) -> str:
    """The secret that a form must repeat: the browser's own, or a new one."""
    known = request.cookies.get(_form_cookie(request), "")
    return known if len(known) == 43 and known.isascii() else secrets.token_urlsafe(32)


def keep_form_token(response: Response, request: Request, token: str) -> None:
    """Give the browser the secret; Strict, so that no foreign page's request carries it."""
    name, secure = _form_cookie(request), is_secure(request)
    response.set_cookie(name, token, path=PATH, secure=secure, httponly=True, samesite="strict")


async def own_form(request: Request) -> Mapping[str, str]:
    """The fields of a form that our own page sent.

    Raises Forbidden for a form of another site, PayloadTooLarge or BadRequest for what is no such form.
    """
    _check_origin(request)
    fields = await _fields(request)
    expected, given = request.cookies.get(_form_cookie(request), ""), fields.get(FORM_FIELD, "")
    if not expected or not hmac.compare_digest(expected.encode(), given.encode()):
        raise Forbidden(NO_SECRET)
    return fields


def _pages(request: Request) -> PageSessions:
    pages: PageSessions = request.app.state.services.page_sessions
    return pages


def _check_origin(request: Request) -> None:
    """Refuse what the browser itself says comes from elsewhere.

    A front may put a Host of its own in the place of the browser's, like nginx with ``proxy_pass`` alone.
    Then the browser's word that page and form are of one origin counts, where it gives one (over TLS).
    """
    site, host = request.headers.get("sec-fetch-site"), request.headers.get("host", "")
    if site not in (None, "same-origin", "none"):
        raise Forbidden("the form was sent by another site")
    origin = request.headers.get("origin", "null")
    # Without a referrer browsers send "null": then the form's secret alone decides.
    if origin == "null" or _is_at(origin, host):
        return
    if site != "same-origin" or is_loopback(host):
        raise Forbidden(OTHER_SITE)


def _is_at(origin: str, host: str) -> bool:
    """Whether the origin is the host's own, the port of its scheme said or not."""
    said = urlsplit(origin)
    port = {"http": ":80", "https": ":443"}.get(said.scheme, "")
    return said.netloc.lower().removesuffix(port) == host.lower().removesuffix(port)


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

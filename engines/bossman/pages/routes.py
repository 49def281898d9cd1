"""Routes of the pages under /bossman/, and /docs. They answer HTML whatever happens; none is JSON."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Protocol
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from engines.bossman.dashboard import build
from engines.bossman.models import Dashboard
from engines.bossman.pages import session
from engines.bossman.pages.answers import base_of, html, problem, redirect, static
from engines.bossman.pages.api_docs import api_docs
from engines.bossman.pages.view import view
from engines.bossman.routes import DEFAULT_SURFACE
from engines.bossman.sections import DashboardReads
from engines.common.bearer import TokenVerifier
from engines.common.dependencies import require_role
from engines.common.documents import SYSTEM, Scope, StoreError
from engines.common.errors import (
    EngineError,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    Unauthorized,
    Unavailable,
    Unprocessable,
)
from engines.common.identity import ENVS, AuthContext, RequestContext, resolve
from engines.common.request_trace import TEMPLATE
from engines.common.tracing import identify
from engines.identity.models import TokenResponse
from engines.logging.arrivals import ArrivalReads, Day

log = logging.getLogger(__name__)

router = APIRouter()

HOME, SIGN_IN = "/bossman/", "/bossman/sign-in"
WINDOWS = (1, 7, 30, 90)
MOST_NAMES = 20
"""Most tenants whose names are looked up; further ones are listed by id."""

MOST_TENANTS = 100

Handler = Callable[[Request], Awaitable[Response]]


class SignsIn(Protocol):
    """Identity, as far as the page needs it."""

    async def login(self, email: str, password: str) -> TokenResponse:
        """Raises Unauthorized, StoreError."""
        ...


@dataclass(frozen=True)
class Choice:
    """What the address asks for, as text; empty when it says nothing."""

    tenant_id: str = ""
    env: str = ""
    surface: str = ""
    window_days: str = ""

    @classmethod
    def of(cls, values: Mapping[str, str]) -> "Choice":
        """What a query or form says."""
        return cls(*(values.get(name, "") for name in ("tenant_id", "env", "surface", "window_days")))

    def path(self) -> str:
        """The page's own address with what was chosen: built here, never taken from a caller."""
        chosen = {name: value for name, value in asdict(self).items() if value}
        return f"{HOME}?{urlencode(chosen, errors='replace')}" if chosen else HOME

    def days(self) -> int:
        """The window in days. Raises Unprocessable unless it is 1 to 90."""
        if not self.window_days:
            return 7
        if self.window_days.isascii() and self.window_days.isdigit() and len(self.window_days) < 3:
            days = int(self.window_days)
            if 1 <= days <= 90:
                return days
        raise Unprocessable("the window must be 1 to 90 days")


async def home(request: Request) -> Response:
    """The page."""
    return await _page(request, "page.html")


async def fragment(request: Request) -> Response:
    """The part of the page that changes, for the live refresh."""
    return await _page(request, "live.html")


async def sign_in_form(request: Request) -> Response:
    """The form."""
    return _sign_in(request, Choice.of(request.query_params))


async def sign_in(request: Request) -> Response:
    """Start a session and go to the page. 401 with the form again on wrong credentials."""
    fields = await session.own_form(request)
    choice, email = Choice.of(fields), fields.get("email", "")
    identity: SignsIn = request.app.state.services.identity
    try:
        answer = await identity.login(email, fields.get("password", ""))
    except Unauthorized:
        words = "This e-mail address and password do not belong together."
        return _sign_in(request, choice, 401, words, email)
    tokens: TokenVerifier = request.app.state.services.tokens
    response = redirect(choice.path())
    session.start(response, request, tokens.verify(answer.access_token))
    return response


async def sign_out(request: Request) -> Response:
    """End the session, in this browser and on the server."""
    await session.own_form(request)
    response = redirect(SIGN_IN)
    await session.member(request).end(response, request)
    return response


async def api_description(request: Request) -> Response:
    """What the API takes and answers, for people. No part of it comes from elsewhere."""
    return html("api_docs.html", docs=api_docs(request.app.openapi()))


async def static_file(request: Request) -> Response:
    """Style, script or icon."""
    found = static(request.path_params["name"])
    if found is None:
        raise NotFound("there is no such file")
    return found


async def _page(request: Request, template: str) -> Response:
    auth = await session.auth_of(request)
    if not auth.tenant_ids:
        raise Forbidden("this account belongs to no tenant")
    choice = Choice.of(request.query_params)
    # The tenant and env of the address, never of headers or a body, as the JSON API has them.
    context = resolve({}, {"tenant_id": choice.tenant_id, "env": choice.env or "dev"}, {}, auth)
    identify(context.tenant_id, context.env)
    require_role(context, auth, "owner", "admin")
    dashboard, day, names = await asyncio.gather(
        _dashboard(request, context, choice), _day(request, context.scope), _names(request, auth)
    )
    token = session.form_token(request)
    response = html(
        template,
        view=view(dashboard, day, base_of(request)),
        auth=auth,
        names=names,
        tenant_name=names.get(context.tenant_id, context.tenant_id),
        envs=ENVS,
        windows=sorted({*WINDOWS, choice.days()}),
        window_days=choice.days(),
        more_tenants=len(auth.tenant_ids) - len(names),
        form_token=token,
    )
    session.keep_form_token(response, request, token)
    return response


def _reads(request: Request) -> DashboardReads:
    reads: DashboardReads = request.app.state.services.dashboard
    return reads


async def _dashboard(request: Request, context: RequestContext, choice: Choice) -> Dashboard:
    return await build(_reads(request), context.scope, choice.surface or DEFAULT_SURFACE, choice.days())


async def _day(request: Request, scope: Scope) -> Day | None:
    """The arrivals of the last day; None when they cannot be read, which the page then says."""
    arrivals: ArrivalReads = request.app.state.services.arrivals.reads
    try:
        return await arrivals.last_day(scope)
    except StoreError as error:
        log.warning("arrivals: %s", error)
        return None


async def _names(request: Request, auth: AuthContext) -> dict[str, str]:
    """The names of the token's tenants by id; an id stands for a name that cannot be read."""
    tenants = _reads(request).tenants

    async def name(tenant_id: str) -> str:
        try:
            stored = await tenants.get(SYSTEM, tenant_id)
        except StoreError:
            return tenant_id
        return stored.record.name if stored else tenant_id

    ids = auth.tenant_ids[:MOST_TENANTS]
    found = await asyncio.gather(*(name(tenant_id) for tenant_id in ids[:MOST_NAMES]))
    return {tenant_id: tenant_id for tenant_id in ids} | dict(zip(ids, found, strict=False))


def _sign_in(
    request: Request, choice: Choice, status: int = 200, problem: str | None = None, email: str = ""
) -> Response:
    token = session.form_token(request)
    response = html(
        "sign_in.html", status, choice=asdict(choice), problem=problem, email=email, form_token=token
    )
    session.keep_form_token(response, request, token)
    return response


def _answering_html(path: str, handlers: Mapping[str, Handler]) -> Handler:
    """One endpoint of several methods that never answers anything but HTML."""

    async def endpoint(request: Request) -> Response:
        request.scope[TEMPLATE] = path
        handler = handlers.get(request.method)
        try:
            if handler is None:
                return _problem(request, MethodNotAllowed(handlers))
            return await handler(request)
        except Unauthorized:
            return _not_signed_in(request)
        except EngineError as error:
            return _problem(request, error)
        except StoreError as error:
            log.warning("document store: %s", error)
            return _problem(request, Unavailable(str(error)))
        except Exception:
            log.exception("the page failed")
            return _problem(request, EngineError("something inside failed; the log says what"))

    return endpoint


def _not_signed_in(request: Request) -> Response:
    cookie = session.member(request)
    had_session = cookie.is_held(request)
    if request.url.path.endswith("/fragment"):
        return _problem(request, Unauthorized("the session has ended"))
    words = "Your session has ended. Sign in again to go on." if had_session else None
    response = _sign_in(request, Choice.of(request.query_params), 401, words)
    if had_session:
        cookie.forget(response, request)
    return response


def _problem(request: Request, error: EngineError) -> Response:
    is_fragment = request.url.path.endswith("/fragment")
    return problem("problem.html" if is_fragment else "error.html", error)


ROUTES: dict[str, dict[str, Handler]] = {
    HOME: {"GET": home},
    f"{HOME}fragment": {"GET": fragment},
    SIGN_IN: {"GET": sign_in_form, "POST": sign_in},
    f"{HOME}sign-out": {"POST": sign_out},
    f"{HOME}static/{{name}}": {"GET": static_file},
    "/docs": {"GET": api_description},
}
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]

for _path, _handlers in ROUTES.items():
    # Plain routes: no part of the OpenAPI document, and no JSON error handling around them.
    router.add_route(_path, _answering_html(_path, _handlers), methods=METHODS, include_in_schema=False)

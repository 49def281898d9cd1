"""The onboarding overview for operators, all tenants: JSON, and a page for whoever accepts text/html.

The JSON wants the key in X-System-Key and reads no cookie; the page wants its own session and reads no key
from a header. No token of a tenant opens either.
"""

import logging
import re
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Header, Query
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response

from engines.bossman.onboarding import Asked, OverviewReads, overview
from engines.bossman.onboarding_backfill import Backfill
from engines.bossman.onboarding_models import Overview
from engines.bossman.pages import session
from engines.bossman.pages.answers import base_of, html, problem, redirect
from engines.common.documents import StoreError
from engines.common.errors import EngineError, Forbidden, Unavailable, Unprocessable
from engines.common.identity import ENVS
from engines.common.request_trace import TEMPLATE
from engines.common.responses import refused
from engines.common.system_key import check_system_key
from engines.logging.progress import STATES

log = logging.getLogger(__name__)

router = APIRouter(tags=["bossman"])

PATH = session.OPERATOR_PATH
SIGN_IN, SIGN_OUT = f"{PATH}/sign-in", f"{PATH}/sign-out"
PATIENCE_SECONDS = 1.0
"""How long a look waits for tenants that are listed for the first time."""

MOST_ROWS, MOST_TEXT = 100, 300
_CURSOR = re.compile(r"[ -~]*\Z")

Choice = Annotated[str, Query()]


@router.get(PATH, response_model=Overview, responses=refused(403, "Not the system key"))
async def onboarding(
    request: Request,
    env: Choice = "",
    state: Choice = "",
    search: Choice = "",
    cursor: Choice = "",
    limit: Choice = "20",
    x_system_key: Annotated[str, Header()] = "",
) -> Overview | Response:
    """Progress of every tenant, worst first. 403 unless X-System-Key is SYSTEM_BOOTSTRAP_KEY.

    `env` and `state` (no_events, incomplete, complete) filter, `search` is the beginning of a name or id and
    has one page, `cursor` is the answer's `next_cursor`, `limit` 1 to 100. `Accept: text/html` gets a page.
    """
    asked = {"env": env, "state": state, "search": search, "cursor": cursor, "limit": limit}
    if "text/html" in request.headers.get("accept", ""):
        return await _answered(request, _page(request, asked))
    check_system_key(_key(request), x_system_key)
    return await _overview(request, _checked(asked))


def _checked(asked: dict[str, str]) -> Asked:
    """Raises Unprocessable for what no page can be made of."""
    env, state, limit = asked["env"], asked["state"], asked["limit"] or "20"
    if env and env not in ENVS:
        raise Unprocessable(f"env must be one of {', '.join(ENVS)}")
    if state and state not in STATES:
        raise Unprocessable(f"state must be one of {', '.join(STATES)}")
    if not (limit.isascii() and limit.isdigit() and len(limit) <= 3 and 1 <= int(limit) <= MOST_ROWS):
        raise Unprocessable(f"limit must be 1 to {MOST_ROWS}")
    if len(asked["search"]) > MOST_TEXT or not _is_text(asked["search"]):
        raise Unprocessable(f"search must be text of at most {MOST_TEXT} characters")
    if len(asked["cursor"]) > MOST_TEXT or not _CURSOR.match(asked["cursor"]):
        raise Unprocessable("the cursor is none of ours")
    known_state = next((one for one in STATES if one == state), None)
    return Asked(env or None, known_state, asked["search"], asked["cursor"], int(limit))


def _is_text(value: str) -> bool:
    return "\0" not in value and value == value.encode(errors="replace").decode()


async def _overview(request: Request, asked: Asked) -> Overview:
    services = request.app.state.services
    backfill: Backfill = services.backfill
    reads: OverviewReads = services.overview
    under_way = await backfill.is_under_way(PATIENCE_SECONDS)
    return await overview(reads, asked, base_of(request), backfilling=under_way)


async def _page(request: Request, asked: dict[str, str]) -> Response:
    if not await session.is_operator(request):
        had_session = session.operator(request).is_held(request)
        return _form(request, 401, "Your session has ended. Give the key again." if had_session else None)
    found = await _overview(request, _checked(asked))
    here = {name: value for name, value in asked.items() if value and name != "cursor"}
    more = f"{PATH}?{urlencode(here | {'cursor': found.next_cursor})}" if found.next_cursor else None
    first = f"{PATH}?{urlencode(here)}" if asked["cursor"] else None
    token = session.form_token(request)
    response = html(
        "onboarding.html",
        overview=found,
        asked=asked,
        envs=ENVS,
        states=STATES,
        next_page=more,
        first_page=first,
        base=base_of(request),
        form_token=token,
    )
    session.keep_form_token(response, request, token)
    return response


async def sign_in(request: Request) -> Response:
    """Begin a session with the key. 403 and the form again for a wrong one."""

    async def answer() -> Response:
        fields = await session.own_form(request)
        try:
            check_system_key(_key(request), fields.get("key", ""))
        except Forbidden:
            return _form(request, 403, "This is not the key.")
        response = redirect(PATH)
        session.operator(request).start(response, request, {})
        return response

    return await _answered(request, answer(), SIGN_IN)


async def sign_out(request: Request) -> Response:
    """End the session, in this browser and on the server."""

    async def answer() -> Response:
        await session.own_form(request)
        response = redirect(PATH)
        await session.operator(request).end(response, request)
        return response

    return await _answered(request, answer(), SIGN_OUT)


def _form(request: Request, status: int, problem: str | None) -> Response:
    token = session.form_token(request)
    response = html(
        "operator.html", status, problem=problem, is_closed=_key(request) is None, form_token=token
    )
    session.keep_form_token(response, request, token)
    return response


async def _answered(request: Request, answer: Any, path: str = PATH) -> Response:
    """The answer, which is HTML whatever happens, and differs by what the caller accepts and holds."""
    request.scope[TEMPLATE] = path
    try:
        response: Response = await answer
    except Forbidden as error:
        response = _form(request, 403, str(error.detail))
    except EngineError as error:
        response = problem("operator_error.html", error)
    except StoreError as error:
        log.warning("document store: %s", error)
        response = problem("operator_error.html", Unavailable(str(error)))
    except Exception:
        log.exception("the overview failed")
        response = problem("operator_error.html", EngineError("something inside failed; the log says what"))
    response.headers["Vary"] = "Accept, Cookie"
    return response


def _key(request: Request) -> SecretStr | None:
    key: SecretStr | None = request.app.state.services.settings.system_bootstrap_key
    return key


router.add_route(SIGN_IN, sign_in, methods=["POST"], include_in_schema=False)
router.add_route(SIGN_OUT, sign_out, methods=["POST"], include_in_schema=False)

"""From the attacker's side: on every route, whatever B borrows of tenant A, B gets and changes nothing."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.app import sign_up
from tests.support.attack import (
    BODIES,
    BODY_TENANT_IS_IGNORED,
    QUERY_NAMES,
    ROUTES,
    SCOPED,
    SURFACE,
    VIEWER_MAY,
    VIEWER_MAY_NOT_READ,
    Victim,
    settle,
)
from tests.support.callers import Caller, owner_of_new_tenant
from tests.support.page_client import HOME, form_of, sign_in
from tests.support.routes import Mounted

NOT_THEIRS = {"detail": "tenant mismatch with token"}
every_route = pytest.mark.parametrize("route", ROUTES, ids=str)
every_scoped_route = pytest.mark.parametrize("route", SCOPED, ids=str)


@pytest.fixture(scope="module")
async def victim(http: httpx.AsyncClient) -> Victim:
    """Tenant A, full of records; no test changes it."""
    return await settle(http)


@pytest.fixture(scope="module")
async def before(victim: Victim) -> Any:
    """All that A's owner saw before the first attack."""
    return await victim.state()


@pytest.fixture
async def attacker(http: httpx.AsyncClient) -> Caller:
    """The owner of tenant B, whose own writes pass every gate."""
    attacker = await owner_of_new_tenant(http)
    await attacker.approved("*")
    return attacker


async def strike(
    caller: Caller, victim: Victim, route: Mounted, path: str = "", body: Any = None, **headers: str | None
) -> httpx.Response:
    """Send the route A's ids; whatever the answer, it says nothing of A."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = body if body is not None else victim.body(route)
    answer = await caller.send(route.method, path or victim.path(route), sent, headers=named)
    assert answer.status_code < 500, answer.text
    assert victim.marker not in answer.text
    return answer


async def unharmed(victim: Victim, before: Any) -> None:
    """A sees what it saw: nothing changed and nothing counted."""
    assert await victim.state() == before


async def sees_nothing_of(victim: Victim, attacker: Caller) -> None:
    """B's own dashboard shows nothing of A."""
    shown = await attacker.dashboard(f"?surface={SURFACE}")
    assert victim.marker not in json.dumps(shown)
    assert victim.owner.tenant_id not in json.dumps(shown)


def test_every_route_with_a_body_has_one_here() -> None:
    assert {str(route) for route in ROUTES if route.has_body} == set(BODIES)
    assert {str(route) for route in ROUTES} == set(QUERY_NAMES)


async def test_the_victim_has_something_to_lose(victim: Victim, before: Any) -> None:
    seen = [json.dumps(view) for view in before]
    unmarked = [number for number, view in enumerate(seen) if victim.marker not in view]
    # Neither preferences nor usage sums hold text; both are not empty.
    assert unmarked == [1, 8]
    assert len(before[1]["preferences"]) == 2
    assert before[8]["total_events"] == 1


@every_scoped_route
async def test_bs_token_with_as_tenant(route: Mounted, attacker: Caller, victim: Victim, before: Any) -> None:
    tenant = victim.owner.tenant_id
    body = (victim.body(route) or {}) | {"tenant_id": tenant, "env": "dev"} if route.has_body else None
    joined = "&" if "?" in victim.path(route) else "?"
    query = f"{victim.path(route)}{joined}tenant_id={tenant}"
    attacks: list[dict[str, Any]] = [
        {"X_Tenant_Id": tenant},
        {"X_Tenant_Id": tenant, "X_User_Id": victim.owner.user_id, "X_Membership_Role": "owner"},
        {"X_Tenant_Id": None, "path": query},
    ]
    if body:
        attacks += [{"X_Tenant_Id": None, "body": body}, {"X_Tenant_Id": tenant, "body": body}]
    for attack in attacks:
        answer = await strike(attacker, victim, route, **attack)
        assert (answer.status_code, answer.json()) == (403, NOT_THEIRS), attack
    await unharmed(victim, before)
    await sees_nothing_of(victim, attacker)


@every_route
async def test_bs_own_context_with_as_ids(
    route: Mounted, attacker: Caller, victim: Victim, before: Any
) -> None:
    own = victim.path(route, tenant_id=attacker.tenant_id)
    with_as_tenant = f"{own}{'&' if '?' in own else '?'}tenant_id={victim.owner.tenant_id}"
    body = victim.body(route)
    sent = body | attacker.scoped() if body is not None else None
    pretence = {"X_User_Id": victim.owner.user_id, "X_Membership_Role": "owner"}
    answers = [
        await strike(attacker, victim, route, own, sent),
        await strike(attacker, victim, route, own, sent, **pretence),
        await strike(attacker, victim, route, with_as_tenant, sent),
    ]
    # Each request is a valid one, so that what stops it is not its shape.
    missing_key = str(route) == "POST /auth/bootstrap/tenants"
    assert missing_key or 422 not in [answer.status_code for answer in answers]
    if "{lock_id}" in route.path or "{licence_id}" in route.path:
        assert {answer.status_code for answer in answers} == {404}
    await unharmed(victim, before)
    await sees_nothing_of(victim, attacker)


@pytest.mark.parametrize("route", [route for route in SCOPED if "{tenant_id}" in route.path], ids=str)
async def test_as_path_in_bs_context(route: Mounted, attacker: Caller, victim: Victim, before: Any) -> None:
    body = victim.body(route)
    for tenant_id in (attacker.tenant_id, victim.owner.tenant_id):
        sent = body | attacker.scoped(tenant_id=tenant_id) if body is not None else None
        assert (await strike(attacker, victim, route, "", sent)).status_code == 400
    await unharmed(victim, before)


@pytest.mark.parametrize("route", [route for route in SCOPED if route.has_body], ids=str)
async def test_as_body_in_bs_context(route: Mounted, attacker: Caller, victim: Victim, before: Any) -> None:
    own = victim.path(route, tenant_id=attacker.tenant_id)
    sent = (victim.body(route) or {}) | {"tenant_id": victim.owner.tenant_id, "env": "dev"}
    answer = await strike(attacker, victim, route, own, sent)
    if str(route) in BODY_TENANT_IS_IGNORED:
        said = answer.json()
        assert said.get("tenant_id", said.get("tenantId", attacker.tenant_id)) == attacker.tenant_id
    else:
        assert answer.status_code == 400
    if str(route) == "POST /budget/usage":
        both = [sent | {"id": "mine", "tenant_id": attacker.tenant_id}, sent]
        assert (await strike(attacker, victim, route, own, both)).status_code == 400
    await unharmed(victim, before)
    await sees_nothing_of(victim, attacker)


@every_scoped_route
async def test_as_own_ids_in_another_env(route: Mounted, victim: Victim, before: Any) -> None:
    elsewhere = victim.owner.within("staging")
    await elsewhere.approved("*")
    body = victim.body(route)
    sent = body | elsewhere.scoped() if body is not None else None
    answer = await strike(elsewhere, victim, route, "", sent)
    if "{lock_id}" in route.path or "{licence_id}" in route.path:
        assert answer.status_code == 404
    await unharmed(victim, before)


@every_scoped_route
async def test_nobody(route: Mounted, victim: Victim, before: Any) -> None:
    body = victim.body(route)
    sent = body | victim.owner.scoped() if body is not None else None
    headers = {"X_User_Id": victim.owner.user_id, "X_Membership_Role": "owner"}
    assert (await strike(victim.owner.nobody(), victim, route, "", sent, **headers)).status_code == 401
    await unharmed(victim, before)


REFUSED_TO_VIEWERS = [
    route
    for route in SCOPED
    if (route.method != "GET" and str(route) not in VIEWER_MAY) or str(route) in VIEWER_MAY_NOT_READ
]


@pytest.mark.parametrize("route", REFUSED_TO_VIEWERS, ids=str)
async def test_as_viewer(route: Mounted, victim: Victim, before: Any) -> None:
    body = victim.body(route)
    sent = body | victim.owner.scoped() if body is not None else None
    answer = await strike(victim.owner.having("viewer"), victim, route, "", sent, X_Membership_Role="owner")
    assert (answer.status_code, answer.json()) == (403, {"detail": "insufficient role for tenant"})
    await unharmed(victim, before)


async def test_as_failing_event_tells_b_nothing(attacker: Caller, victim: Victim) -> None:
    nested: Any = victim.marker
    for _ in range(30):
        nested = {victim.marker: nested}
    body = {"surface": victim.marker, "metadata": {victim.marker: nested}}
    # The event is A's own and is refused, so nothing of A changes; the sink's last error is shown to all.
    refused = await victim.owner.send("POST", "/analytics/events/pageview", body)
    assert refused.status_code == 422
    await sees_nothing_of(victim, attacker)


async def test_a_copied_session_opens_nothing_after_signing_out(http: httpx.AsyncClient) -> None:
    person = await sign_up(http, f"person-{uuid4().hex}")
    async with httpx.AsyncClient(transport=http._transport, base_url="http://localhost") as browser:
        await sign_in(browser, person)
        copy = {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}
        assert (await http.get(HOME, headers=copy)).status_code == 200
        await browser.post(f"{HOME}sign-out", data={"form_token": await form_of(browser, HOME)})
        assert (await http.get(HOME, headers=copy)).status_code == 401

"""The routes of the existing engines that an onboarding needs, at their paths."""

import os
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Query, Request

from .dashboard import DANGEROUS, dashboard
from .identity import Caller, Identity
from .records import Record, Records, flags_of

LEVELS = ("low", "medium", "high")
GATED = [
    ("/temperature/floors", "floors", "temperature:upsert_floors"),
    ("/temperature/ceilings", "ceilings", "temperature:upsert_ceilings"),
    ("/temperature/weights", "weights", "temperature:upsert_weights"),
    ("/kpi/corridors", "corridors", "kpi:corridor_upsert"),
    ("/tenants/{tenant_id}/analytics/config", "configs", "analytics:config_upsert"),
    ("/seo/pages", "pages", "seo_page_config_update"),
    ("/kill-switches", "switch", "safety:kill_switch_update"),
]
Body = dict[str, Any]


def create_app(secret: str, backend: str) -> FastAPI:
    """The app over memory; ``secret`` signs its tokens, ``backend`` is echoed."""
    app = FastAPI(title="Chat HTTP Transport", version="0.2.0")
    app.state.identity, app.state.records, app.state.backend = Identity(secret), Records(), backend
    _auth(app)
    for path, kind, action in GATED:
        _gated(app, path, kind, action)
    _locks(app)
    _firearms(app)
    _usage(app)
    _bossman(app)
    return app


async def caller(request: Request) -> Caller:
    """Who asks."""
    identity: Identity = request.app.state.identity
    return await identity.caller(request)


async def kept(request: Request) -> Records:
    """The process's records."""
    records: Records = request.app.state.records
    return records


Who = Annotated[Caller, Depends(caller)]
Kept = Annotated[Records, Depends(kept)]


def _auth(app: FastAPI) -> None:
    identity: Identity = app.state.identity

    @app.post("/auth/signup")
    async def signup(body: Body) -> Record:
        return identity.sign_up(body)

    @app.post("/auth/login")
    async def login(body: Body) -> Record:
        return identity.login(body)

    @app.post("/auth/refresh")
    async def refresh(request: Request) -> Record:
        return identity.refresh(request)


def _gated(app: FastAPI, path: str, kind: str, action: str) -> None:
    @app.put(path)
    async def put(who: Who, records: Kept, body: Body) -> Record:
        who.check(body)
        who.needs("owner", "admin")
        records.gate(who, action)
        return records.keep(kind, who, body)


def _locks(app: FastAPI) -> None:
    @app.post("/strategy-locks")
    async def create(who: Who, records: Kept, body: Body) -> Record:
        now = datetime.now(UTC).isoformat()
        return records.keep("locks", who, body | {"created_by_user_id": who.user, "valid_from": now})

    @app.post("/strategy-locks/{lock_id}/approve")
    async def approve(who: Who, records: Kept, lock_id: str) -> Record:
        who.needs("owner", "admin")
        for lock in records.of("locks", who, id=lock_id):
            return _update(lock, status="approved", approved_by_user_id=who.user)
        raise HTTPException(404, "strategy_lock_not_found")

    @app.post("/kpi/definitions")
    async def definition(who: Who, records: Kept, body: Body) -> Record:
        who.needs("owner", "admin")
        who.check(body)
        return records.keep("definitions", who, body)

    @app.get("/temperature/current")
    async def current(
        who: Who, records: Kept, surface: str, window_days: Annotated[int, Query(ge=1, le=90)] = 7
    ) -> Record:
        return records.snapshot(who, surface, window_days)


def _update(record: Record, **values: Any) -> Record:
    record.update(values, updated_at=datetime.now(UTC).isoformat())
    return record


def _firearms(app: FastAPI) -> None:
    @app.post("/firearms/licences")
    async def issue(who: Who, records: Kept, body: Body) -> Record:
        who.check(body)
        who.needs("owner", "admin")
        return records.keep("licences", who, body)

    @app.post("/firearms/licences/dangerous-demo/{kind}/{subject}")
    async def demo(who: Who, records: Kept, kind: str, subject: str) -> Record:
        needed = LEVELS.index(DANGEROUS["dangerous_tool_use"])
        held = records.of("licences", who, subject_type=kind, subject_id=subject, status="active")
        if any(LEVELS.index(one["level"]) >= needed for one in held):
            return {"status": "allowed"}
        raise HTTPException(403, {"error": "firearms_licence_required", "action": "dangerous_tool_use"})


def _usage(app: FastAPI) -> None:
    @app.post("/budget/usage")
    async def use(who: Who, records: Kept, body: Body) -> Record:
        who.check(body)
        blocked = [name for one in records.of("switch", who) for name in one["disable_providers"]]
        if body["provider"].lower() in blocked:
            raise HTTPException(403, {"error": "kill_switch_blocked", "provider": body["provider"]})
        return {"items": [records.keep("usage", who, body)]}

    @app.post("/analytics/events/pageview")
    @app.post("/analytics/events/cta-click")
    async def event(who: Who, body: Body) -> Record:
        return {"status": "accepted", "tenantId": who.tenant, "pii_flags": flags_of(body)}


def _bossman(app: FastAPI) -> None:
    @app.get("/bossman/tenant-dashboard")
    async def tenant_dashboard(
        who: Who,
        records: Kept,
        surface: str = "squared",
        window_days: Annotated[int, Query(ge=1, le=90)] = 7,
    ) -> Record:
        who.needs("owner", "admin")
        return dashboard(records, who, surface or "squared", window_days, app.state.backend)


def app_of_the_environment() -> FastAPI:
    """As the image starts it: the secret is a variable, never a file."""
    return create_app(os.environ["AUTH_JWT_SIGNING"], os.environ.get("NEXUS_BACKEND", "firestore"))

"""Routes under /auth."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Request
from pydantic import AfterValidator, BaseModel, SecretStr

from engines.common.dependencies import CurrentAuth
from engines.common.idempotency import GivenText, key_of
from engines.common.identity import AuthContext
from engines.common.responses import FOR_TOKENS, refused
from engines.common.system_key import check_system_key
from engines.identity.addresses import canonical
from engines.identity.models import TokenResponse
from engines.identity.service import IdentityService

router = APIRouter(prefix="/auth", tags=["auth"])


async def _service(request: Request) -> IdentityService:
    service: IdentityService = request.app.state.services.identity
    return service


async def _system_key(request: Request) -> SecretStr | None:
    key: SecretStr | None = request.app.state.services.settings.system_bootstrap_key
    return key


Identity = Annotated[IdentityService, Depends(_service)]


def _not_blank(email: str) -> str:
    if not canonical(email):
        raise ValueError("the address is blank")
    return email


class SignupBody(BaseModel):
    """A new user and, with ``tenant_name``, a new tenant owned by that user."""

    email: Annotated[str, AfterValidator(_not_blank)]
    password: str
    display_name: str | None = None
    tenant_name: str | None = None


class LoginBody(BaseModel):
    """Credentials."""

    email: str
    password: str


class BootstrapResponse(BaseModel):
    """The system tenants this call created."""

    status: Literal["ok"] = "ok"
    created: list[str]


@router.post("/signup")
async def signup(
    body: SignupBody, identity: Identity, request: Request, given: GivenText = None
) -> TokenResponse:
    """Create a user, with a tenant when ``tenant_name`` is given. 400 when the address is taken.

    Repeated with the same Idempotency-Key and password it signs in what the first request created.
    """
    asked = body.model_dump(exclude={"password"})
    key = key_of(request, given, canonical(body.email), asked)
    return await identity.signup(body.email, body.password, body.display_name, body.tenant_name, key)


@router.post("/login", responses=refused(401, "The credentials are wrong"))
async def login(body: LoginBody, identity: Identity) -> TokenResponse:
    """Sign in. 401 on wrong credentials."""
    return await identity.login(body.email, body.password)


@router.get("/me", responses=FOR_TOKENS)
async def me(auth: CurrentAuth) -> AuthContext:
    """What the token says. Needs no tenant or env."""
    return auth


@router.get("/bootstrap", responses=FOR_TOKENS)
async def bootstrap(auth: CurrentAuth) -> AuthContext:
    """The same as /auth/me for internal tokens."""
    return auth


@router.post("/refresh", responses=FOR_TOKENS)
async def refresh(auth: CurrentAuth, identity: Identity) -> TokenResponse:
    """A new token with freshly read memberships. 401 when the user is gone."""
    return await identity.refresh(auth.user_id)


@router.post("/bootstrap/tenants", responses=refused(403, "Not the system key"))
async def bootstrap_tenants(
    identity: Identity,
    expected: Annotated[SecretStr | None, Depends(_system_key)],
    x_system_key: Annotated[str, Header()],
) -> BootstrapResponse:
    """Create the system tenants that are missing. 403 unless X-System-Key is SYSTEM_BOOTSTRAP_KEY."""
    check_system_key(expected, x_system_key)
    return BootstrapResponse(created=await identity.bootstrap_tenants())

"""Who calls the engines over HTTP in a scenario, and what a caller expects of an answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import httpx

from engines.common.identity import Role
from engines.identity.models import TenantMembership, User
from engines.identity.tokens import Tokens
from tests.support.app import SIGNING_SECRET, sign_up

UNASKED: Any = object()


@dataclass(frozen=True)
class Caller:
    """A person, or nobody, in one tenant and env of a running app."""

    http: httpx.AsyncClient
    tenant_id: str
    user_id: str
    token: str | None
    env: str = "dev"

    async def get(self, path: str, status: int = 200, **expected: Any) -> Any:
        """GET; see ``call``."""
        return await self.call("GET", path, None, status, **expected)

    async def post(self, path: str, body: Any = None, status: int = 200, **expected: Any) -> Any:
        """POST; see ``call``."""
        return await self.call("POST", path, body, status, **expected)

    async def put(self, path: str, body: Any = None, status: int = 200, **expected: Any) -> Any:
        """PUT; see ``call``."""
        return await self.call("PUT", path, body, status, **expected)

    async def patch(self, path: str, body: Any = None, status: int = 200, **expected: Any) -> Any:
        """PATCH; see ``call``."""
        return await self.call("PATCH", path, body, status, **expected)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        status: int = 200,
        *,
        like: Any = UNASKED,
        detail: Any = UNASKED,
        headers: Mapping[str, str | None] | None = None,
        answers: Mapping[str, str | None] | None = None,
        content: bytes | None = None,
    ) -> Any:
        """Send one request and expect ``status``; returns the JSON of the answer.

        ``like`` is a part of the answer (see ``matches``), ``detail`` the whole of an error. ``headers`` are
        added, None takes one away; ``answers`` are headers of the answer, None means absent.
        """
        answer = await self.send(method, path, body, headers=headers, content=content)
        said = f"{method} {path} answered {answer.status_code} {answer.text}"
        assert answer.status_code == status, f"{said}\nexpected {status}"
        found = answer.json()
        if like is not UNASKED:
            assert matches(found, like), f"{said}\nexpected something like {like}"
        if detail is not UNASKED:
            assert found == {"detail": detail}, f"{said}\nexpected detail {detail}"
        for name, value in (answers or {}).items():
            assert answer.headers.get(name) == value, f"{said}\nexpected header {name}: {value}"
        return found

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str | None] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """Send one request, whatever the answer."""
        own = {"X-Tenant-Id": self.tenant_id, "X-Env": self.env}
        token = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        kind = {"Content-Type": "application/json"} if content is not None else {}
        sent: dict[str, str | None] = {**own, **token, **kind, **(headers or {})}
        kept = {name: value for name, value in sent.items() if value is not None}
        how: dict[str, Any] = {} if body is None else {"json": body}
        if content is not None:
            how = {"content": content}
        return await self.http.request(method, path, headers=kept, **how)

    def scoped(self, **fields: Any) -> dict[str, Any]:
        """A body that names the caller's tenant and env."""
        return {"tenant_id": self.tenant_id, "env": self.env} | fields

    def having(self, role: Role) -> "Caller":
        """Another person with ``role`` in the same tenant; the token says so, no such user is stored."""
        user_id = f"u_{role}_{uuid4().hex}"
        return replace(self, user_id=user_id, token=token_of(user_id, self.tenant_id, role))

    def nobody(self) -> "Caller":
        """Somebody without a token who asks for the same tenant."""
        return replace(self, token=None)

    def within(self, env: str) -> "Caller":
        """The same person in another env."""
        return replace(self, env=env)

    async def neighbour(self) -> "Caller":
        """The owner of another, new tenant on the same app."""
        return await owner_of_new_tenant(self.http)

    async def dashboard(self, query: str = "") -> Any:
        """The tenant's dashboard."""
        return await self.get(f"/bossman/tenant-dashboard{query}")

    async def lock(self, *actions: str, **fields: Any) -> Any:
        """A new draft lock that allows ``actions``."""
        body = {"scope": "other", "title": "a lock", "allowed_actions": list(actions)}
        return await self.post("/strategy-locks", body | fields)

    async def approved(self, *actions: str, **fields: Any) -> Any:
        """A new approved lock that allows ``actions``."""
        lock = await self.lock(*actions, **fields)
        return await self.post(f"/strategy-locks/{lock['id']}/approve")


def matches(found: Any, like: Any) -> bool:
    """Whether ``found`` holds ``like``: keys of objects, all items of lists, a callable's own judgement."""
    if callable(like):
        judge: Callable[[Any], bool] = like
        return judge(found)
    if isinstance(like, dict):
        return isinstance(found, dict) and all(
            name in found and matches(found[name], value) for name, value in like.items()
        )
    if isinstance(like, list):
        same_length = isinstance(found, list) and len(found) == len(like)
        return same_length and all(map(matches, found, like))
    return bool(found == like) and isinstance(found, bool) == isinstance(like, bool)


def token_of(user_id: str, tenant_id: str, role: Role) -> str:
    """A token that says the user has the role in the tenant."""
    membership = TenantMembership(tenant_id=tenant_id, user_id=user_id, role=role)
    user = User(id=user_id, email=f"{user_id}@example.com")
    return Tokens(SIGNING_SECRET).issue(user, [membership])


async def owner_of_new_tenant(http: httpx.AsyncClient) -> Caller:
    """Sign up a new user with a new tenant."""
    login = await sign_up(http, f"tenant-{uuid4().hex}")
    return Caller(http, login.tenant_id, login.user_id, login.token)

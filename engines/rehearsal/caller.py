"""Whoever calls over HTTP in a rehearsal: a person with a token, or nobody with none."""

import secrets
import time
from dataclasses import dataclass, field, replace
from typing import Any, Self

import httpx

from engines.common.rehearsal_mark import DOMAIN
from engines.rehearsal.journal import Journal

DASHBOARD = "/bossman/tenant-dashboard"


class NotCarriedOut(Exception):
    """The rehearsal cannot go on; the message says why and what helps."""


@dataclass(frozen=True)
class Caller:
    """One person, acting in one tenant and env. No answer at all raises NotCarriedOut."""

    http: httpx.AsyncClient
    journal: Journal
    who: str
    env: str = ""
    tenant_id: str = ""
    user_id: str = ""
    token: str = field(default="", repr=False)

    def headers(self) -> dict[str, str]:
        """Only those that have a value."""
        bearer = f"Bearer {self.token}" if self.token else ""
        named = {"Authorization": bearer, "X-Tenant-Id": self.tenant_id, "X-Env": self.env}
        return {name: value for name, value in named.items() if value}

    async def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Send one request; whatever is answered is returned and noted as a step."""
        name = f"{self.who}: {method} {path.partition('?')[0]}"
        started = time.monotonic()
        try:
            answer = await self.http.request(method, path, json=body, headers=self.headers())
        except httpx.HTTPError as error:
            self.journal.step(name, None, time.monotonic() - started)
            raise NotCarriedOut(f"{method} {path}: no answer ({type(error).__name__})") from error
        self.journal.step(name, answer.status_code, time.monotonic() - started)
        if is_absent(answer):
            self.journal.absent.append(f"{method} {path}")
        return answer

    async def refreshed(self) -> Self:
        """With a token of the memberships as they are now."""
        answer = await self.call("POST", "/auth/refresh")
        return replace(self, token=json_of(answer, "access_token"))

    def in_tenant(self, tenant_id: str, env: str) -> Self:
        """The same person, asking for another tenant or env."""
        return replace(self, tenant_id=tenant_id, env=env)

    def with_token(self, token: str) -> Self:
        """The same request with another token."""
        return replace(self, token=token)


async def sign_up(visitor: Caller, run: str, role: str, tenant_name: str | None) -> Caller:
    """A new person under the rehearsal's mark, with a password that nobody keeps."""
    body = {
        "email": f"rehearsal-{run}-{role}@{DOMAIN}",
        "password": secrets.token_urlsafe(32),
        "display_name": f"Rehearsal {role}",
    }
    answer = await visitor.call("POST", "/auth/signup", body | {"tenant_name": tenant_name})
    if answer.status_code != httpx.codes.OK:
        raise NotCarriedOut(f"the {role} cannot sign up: {words_of(answer)}")
    tenant = json_of(answer, "tenant") or {}
    return replace(
        visitor,
        who=role,
        tenant_id=tenant.get("id", ""),
        user_id=json_of(answer, "user")["id"],
        token=json_of(answer, "access_token"),
    )


def json_of(answer: httpx.Response, name: str) -> Any:
    """A value of an answer. Raises NotCarriedOut when it is not there."""
    try:
        return answer.json()[name]
    except (ValueError, KeyError, TypeError):
        raise NotCarriedOut(f"{answer.url.path} has no {name}: {words_of(answer)}") from None


def is_absent(answer: httpx.Response) -> bool:
    """Whether there is no such route: the framework's own 404 or 405, no record that was not found."""
    return words_of(answer) in ("404 Not Found", "405 Method Not Allowed")


def words_of(answer: httpx.Response) -> str:
    """Status and reason of an answer; never a body that was asked for."""
    if answer.status_code < httpx.codes.BAD_REQUEST:
        return str(answer.status_code)
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return str(answer.status_code)
    reason = detail.get("error", "") if isinstance(detail, dict) else detail
    return f"{answer.status_code} {reason if isinstance(reason, str) else 'invalid'}".strip()

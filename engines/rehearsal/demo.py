"""The demo tenant: sign up or sign in over HTTP, so that a fresh stack has something to look at.

Run as ``python -m engines.rehearsal.demo [URL] < login.json`` with {"email": …, "password": …}. Prints
``tenant_id=…``. Exit 3 means that the address exists with another password: the state is older than
the login file. Any other failure exits 1 with its cause on stderr.
"""

import json
import sys

import httpx

BASE_URL = "http://127.0.0.1:8000"
SECONDS = 15.0
LOGIN_REFUSED = 3


class DemoError(Exception):
    """The demo tenant could not be made ready."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def ensure_demo_tenant(client: httpx.Client, email: str, password: str) -> str:
    """The demo user's tenant id; creates user, tenant and a first event when they are missing."""
    credentials = {"email": email, "password": password}
    answer = client.post("/auth/login", json=credentials)
    is_new = answer.status_code == httpx.codes.UNAUTHORIZED
    if is_new:
        names = {"display_name": "Demo", "tenant_name": "Demo"}
        answer = client.post("/auth/signup", json=credentials | names)
        if answer.status_code == httpx.codes.BAD_REQUEST:
            # Whoever was faster may have made it with this very login.
            answer = client.post("/auth/login", json=credentials)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise DemoError(f"{email} exists with another password", LOGIN_REFUSED)
    answer.raise_for_status()
    memberships = answer.json()["memberships"]
    if not memberships:
        raise DemoError(f"{email} has no tenant: ./scripts/reset, then ./scripts/up")
    tenant_id: str = memberships[0]["tenant_id"]
    _ensure_first_event(client, answer.json()["access_token"], tenant_id, is_new=is_new)
    return tenant_id


def _ensure_first_event(client: httpx.Client, token: str, tenant_id: str, *, is_new: bool) -> None:
    """A dashboard that says nothing of freshness leaves it to whether the tenant is new."""
    headers = {"Authorization": f"Bearer {token}", "X-Tenant-Id": tenant_id, "X-Env": "dev"}
    shown = client.get("/bossman/tenant-dashboard", headers=headers).raise_for_status().json()
    events = shown["freshness"]["events"]["status"] if "freshness" in shown else None
    if events == "never" or (events is None and is_new):
        body = {"surface": "squared", "page_type": "welcome", "url": "https://demo.invalid/welcome"}
        client.post("/analytics/events/pageview", json=body, headers=headers).raise_for_status()


def main(base_url: str = BASE_URL) -> int:
    """Read the login from stdin; see the module's text for output and exit codes."""
    login = json.load(sys.stdin)
    try:
        with httpx.Client(base_url=base_url, timeout=SECONDS) as client:
            tenant_id = ensure_demo_tenant(client, login["email"], login["password"])
    except DemoError as error:
        return _failed(str(error), error.code)
    except httpx.HTTPError as error:
        return _failed(f"{type(error).__name__}: {error}", 1)
    print(f"tenant_id={tenant_id}")  # noqa: T201 - the command's output
    return 0


def _failed(message: str, code: int) -> int:
    print(message, file=sys.stderr)  # noqa: T201 - the command's error
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""Who a request is for and how it came: the hosts that are answered, and the front's forwarded headers.

A web page can make its own name lead to this process (DNS rebinding), so names that are not ours are
refused. In staging and prod a TLS front stands before it and routes by name: what came through it over TLS
is answered.
"""

import ipaddress
import re
import socket

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from engines.common.errors import BadRequest, Misdirected, render
from engines.common.identity import normalise_env

SERVICE_NAME = "bossman"
"""The name that the stack's own network knows this process by."""

BY_ADDRESS = {"/livez", "/readyz", "/healthz", "/metrics"}
"""Asked by the address of a container or pod; an address is no name that a page could make lead here."""

FRONTS = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
        *("169.254.0.0/16", "fe80::/10"),  # Cloud Run
        "100.64.0.0/10",  # clusters with shared address space
        *("35.191.0.0/16", "130.211.0.0/22"),  # Google's load balancers
    )
)
"""Where a front may connect from: private addresses, and those of Google's load balancers."""

NGINX = "(nginx: proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header Host $http_host)"
"""The settings of a front that are asked for. By itself nginx sends the upstream's name as Host."""

_HOST = re.compile(r"(?P<name>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:\d{1,5})?")


def is_behind_front(env: str) -> bool:
    """Whether the process environment is one that a TLS front stands before."""
    return normalise_env(env) in ("staging", "prod")


def is_loopback(host: str) -> bool:
    """Whether a Host header names this machine itself, at any port."""
    name = _name(host)
    address = _address(name)
    return address.is_loopback if address else name == "localhost" or name.endswith(".localhost")


def host_of(scope: Scope) -> str:
    """The one Host header, empty when there is none or more than one."""
    found = Headers(scope=scope).getlist("host")
    return found[0] if len(found) == 1 else ""


class Front:
    """ASGI middleware. Takes scheme and caller as a front forwards them; refuses hosts that are not ours."""

    def __init__(self, app: ASGIApp, env: str) -> None:
        self._app = app
        self._behind_front = is_behind_front(env)
        self._own_names = {SERVICE_NAME, socket.gethostname().lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, its scheme and client being the caller's own. 400 or 421 for a wrong host."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        over_tls = self._take_forwarded(scope)
        host = host_of(scope)
        if not _HOST.fullmatch(host):
            refusal = BadRequest("the request must have exactly one Host header with a name or address")
            await render(refusal)(scope, receive, send)
        elif over_tls or self._is_own(host, scope["path"]):
            await self._app(scope, receive, send)
        else:
            await render(Misdirected(self._cure()))(scope, receive, send)

    def _is_own(self, host: str, path: str) -> bool:
        name = _name(host)
        by_address = path in BY_ADDRESS and _address(name) is not None
        return is_loopback(host) or name in self._own_names or by_address

    def _take_forwarded(self, scope: Scope) -> bool:
        """Whether a front that is trusted says that the request came over TLS."""
        if not (self._behind_front and _is_front(scope)):
            return False
        headers = Headers(scope=scope)
        # Each hop adds to the right: the last value is the nearest front's own.
        scheme = _values(headers, "x-forwarded-proto")[-1:]
        if scheme == ["https"]:
            scope["scheme"] = "https"
        for address in reversed(_values(headers, "x-forwarded-for")):
            if _address(address) is None:
                break
            scope["client"] = (address, 0)
            if not _is_front(scope):
                break
        return scheme == ["https"]

    def _cure(self) -> str:
        if self._behind_front:
            through = "this host is answered only through the TLS front, which sets X-Forwarded-Proto: https"
            return f"{through} {NGINX}"
        return (
            "this process answers to localhost, 127.0.0.1 and its name in the stack alone: open it as "
            f"http://127.0.0.1 with its port. Behind a TLS front set ENV=prod or ENV=staging {NGINX}"
        )


def _values(headers: Headers, name: str) -> list[str]:
    return [value.strip() for value in ",".join(headers.getlist(name)).split(",") if value.strip()]


def _is_front(scope: Scope) -> bool:
    address = _address(scope["client"][0]) if scope.get("client") else None
    return address is not None and any(address in network for network in FRONTS)


def _name(host: str) -> str:
    found = _HOST.fullmatch(host)
    return found["name"].strip("[]").lower() if found else ""


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address

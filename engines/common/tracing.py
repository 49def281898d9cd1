"""One id per request: in the answer, in every log line, and in the events that the request makes.

The caller's X-Request-Id where it can be used, else a new one. It doubles as trace id, as in the contract.
"""

import asyncio
from collections.abc import Coroutine
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from typing import Any, TypeVar

from engines.server.request_id import request_id

Result = TypeVar("Result")


@dataclass
class Trace:
    """What is known of the request under way. Tenant and env are those of a verified token."""

    request_id: str
    tenant_id: str | None = None
    env: str | None = None


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)


def current() -> Trace | None:
    """The request under way, None outside of one."""
    return _current.get()


def begin(given: str) -> Trace:
    """Begin a request: with ``given`` as its id where it can be used."""
    trace = Trace(request_id(given))
    _current.set(trace)
    return trace


def identify(tenant_id: str, env: str) -> None:
    """Say whose request it is. Only for a tenant that the caller's token names."""
    trace = _current.get()
    if trace:
        trace.tenant_id, trace.env = tenant_id, env


def background(work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
    """Start work that outlives the request or serves several: its log lines carry no request's ids."""
    context = copy_context()
    context.run(_current.set, None)
    return asyncio.create_task(work, context=context)

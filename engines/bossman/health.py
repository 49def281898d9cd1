"""Health: what this process depends on, probed with the real operation, bounded and shared.

However many callers ask, one probe per dependency runs at a time and its result serves for two
seconds, so that dashboards and monitors do not multiply the load.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from pydantic import BaseModel

from engines.common.clock import Clock, utc_now
from engines.common.documents import StoreError
from engines.common.tracing import background
from engines.nexus.backends.sink import SinkError

TIME = ":responseTime"

PROBE_SECONDS = 2.5
TTL_SECONDS = 2.0

CheckStatus = Literal["pass", "warn", "fail"]


@dataclass(frozen=True)
class ProbeResult:
    """Outcome of one probe. ``answered`` is false when it could not be carried out at all."""

    passed: bool
    observed_at: datetime
    latency_ms: float
    failure: str | None = None
    answered: bool = True


class SharedProbe:
    """One dependency's probe, shared by all who ask."""

    def __init__(self, call: Callable[[], Awaitable[None]], clock: Clock = utc_now) -> None:
        self._call = call
        self._clock = clock
        self._task: asyncio.Task[ProbeResult] | None = None
        self._expires = 0.0

    async def result(self) -> ProbeResult:
        """The result of a probe at most two seconds old; never raises for a failing dependency."""
        task = self._task
        if task is None or (task.done() and time.monotonic() >= self._expires):
            task = self._task = background(self._run())
        # A caller that goes away must not cancel the probe of the others.
        return await asyncio.shield(task)

    async def _run(self) -> ProbeResult:
        started_at, started = self._clock(), time.monotonic()
        failure, answered = await self._failure()
        self._expires = time.monotonic() + TTL_SECONDS
        latency = round((time.monotonic() - started) * 1000, 1)
        return ProbeResult(failure is None, started_at, latency, failure, answered)

    async def _failure(self) -> tuple[str | None, bool]:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self._call()
        except TimeoutError:
            return f"no answer within {PROBE_SECONDS} s", True
        except (StoreError, SinkError) as error:
            return str(error), True
        except Exception as error:
            return f"the probe itself failed: {type(error).__name__}", False
        return None, True


class Check(BaseModel):
    """One check, as in health+json."""

    componentType: Literal["datastore", "component"] = "datastore"
    componentId: str
    observedValue: float | None
    observedUnit: Literal["ms", "s", "events"] = "ms"
    status: CheckStatus
    time: datetime
    output: str | None = None


class Health(BaseModel):
    """health+json (draft-inadarei-api-health-check-06): all checks and the worst of them."""

    status: CheckStatus
    checks: dict[str, list[Check]]


NamedCheck = tuple[str, Check]
"""A check under its name in health+json, ``component:measurement``."""


class MoreChecks(Protocol):
    """Checks that are no probes. Neither method raises."""

    async def ready(self) -> list[NamedCheck]:
        """Those without which the process cannot serve."""
        ...

    async def all(self) -> list[NamedCheck]:
        """Every one of them."""
        ...


class HealthChecks:
    """The probes of this process: its document stores, which it cannot serve without, its sink, and more."""

    def __init__(
        self,
        stores: Mapping[str, SharedProbe],
        sink: SharedProbe,
        sink_name: str,
        *,
        sink_discards: bool,
        more: Sequence[MoreChecks] = (),
    ) -> None:
        self._stores = stores
        self.sink = sink
        self._sink_name = sink_name
        self._sink_discards = sink_discards
        self._more = more

    async def ready(self) -> Health:
        """The document stores alone: whether this process can serve."""
        return _health(await _together(self._store_checks(), *(one.ready() for one in self._more)))

    async def all(self) -> Health:
        """Every check."""
        more = (one.all() for one in self._more)
        return _health(await _together(self._store_checks(), self._sink_checks(), *more))

    async def _store_checks(self) -> list[NamedCheck]:
        results = await asyncio.gather(*(probe.result() for probe in self._stores.values()))
        return [
            (f"document-store{TIME}", _check(name, result))
            for name, result in zip(self._stores, results, strict=True)
        ]

    async def _sink_checks(self) -> list[NamedCheck]:
        check = _check(self._sink_name, await self.sink.result())
        if self._sink_discards:
            discards = {"status": "warn", "output": "events are discarded (NEXUS_BACKEND=noop)"}
            check = check.model_copy(update=discards)
        return [("event-sink:responseTime", check)]


def worst(statuses: Iterable[CheckStatus]) -> CheckStatus:
    """The worst status: fail > warn > pass."""
    order: tuple[CheckStatus, ...] = ("fail", "warn", "pass")
    present = set(statuses)
    return next((status for status in order if status in present), "pass")


async def _together(*groups: Awaitable[list[NamedCheck]]) -> list[NamedCheck]:
    return [check for group in await asyncio.gather(*groups) for check in group]


def _health(checks: list[NamedCheck]) -> Health:
    grouped: dict[str, list[Check]] = {}
    for name, check in checks:
        grouped.setdefault(name, []).append(check)
    return Health(status=worst(check.status for _, check in checks), checks=grouped)


def _check(name: str, result: ProbeResult) -> Check:
    return Check(
        componentId=name,
        observedValue=result.latency_ms,
        status="pass" if result.passed else "fail",
        time=result.observed_at,
        output=result.failure,
    )

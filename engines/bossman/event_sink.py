"""The sink indicator: what is behind a tenant's events, and whether it takes and keeps them. Pure."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from engines.bossman.health import ProbeResult
from engines.nexus.backends.delivery import DeliveryState
from engines.nexus.backends.sink import SinkDescription

SinkStatus = Literal["up", "degraded", "down", "unknown", "off"]

CLEARED_BY_PROBE = ("timeout", "unreachable")
"""Failures that a probe disproves. Any other one may hit writes alone, so only a write clears it."""


class LastErrorView(BaseModel):
    """The newest failed write of the answering process."""

    at: datetime
    kind: str
    message: str


class Backlog(BaseModel):
    """Events taken but not yet stored: none, since an event is answered only when it is stored."""

    depth: int = 0
    oldest_at: datetime | None = None


class EventSinkIndicator(BaseModel):
    """Dashboard key ``event_sink``."""

    backend: str
    last_write_at: datetime | None
    backend_class: str
    target: str
    stand_in: bool
    status: SinkStatus
    reason: str | None
    latency_ms: float
    observed_at: datetime
    last_error: LastErrorView | None
    consecutive_failures: int
    backlog: Backlog


def indicator(
    description: SinkDescription,
    tenant_id: str,
    probe: ProbeResult,
    state: DeliveryState,
    last_write_at: datetime | None,
    read_failure: str | None,
) -> EventSinkIndicator:
    """The indicator of one tenant. ``read_failure`` says why ``last_write_at`` could not be read."""
    status, reason = _status(description, probe, state, read_failure)
    error = state.last_error
    return EventSinkIndicator(
        backend=description.backend,
        last_write_at=last_write_at,
        backend_class=description.backend_class,
        target=description.target.replace("{tenant}", tenant_id),
        stand_in=description.stand_in,
        status=status,
        reason=reason,
        latency_ms=probe.latency_ms,
        observed_at=probe.observed_at,
        last_error=LastErrorView(at=error.at, kind=error.kind, message=error.message) if error else None,
        consecutive_failures=state.consecutive_failures,
        backlog=Backlog(),
    )


def _status(
    description: SinkDescription, probe: ProbeResult, state: DeliveryState, read_failure: str | None
) -> tuple[SinkStatus, str | None]:
    if description.discards:
        return "off", "events are discarded"
    if not probe.answered:
        return "unknown", probe.failure
    if not probe.passed:
        return "down", probe.failure
    if read_failure:
        return "degraded", f"the newest event could not be read: {read_failure}"
    if _last_write_failed(probe, state):
        return "degraded", "the last write failed"
    return "up", None


def _last_write_failed(probe: ProbeResult, state: DeliveryState) -> bool:
    error = state.last_error
    if error is None or state.consecutive_failures == 0:
        return False
    disproved = error.kind in CLEARED_BY_PROBE and probe.observed_at > error.at
    return not disproved

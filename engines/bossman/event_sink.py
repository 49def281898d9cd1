"""The sink indicator: what is behind a tenant's events, and whether it takes and keeps them. Pure."""

from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel

from engines.bossman.health import ProbeResult
from engines.nexus.backends.sink import SinkDescription
from engines.nexus.delivery.state import DeliveryState, Undelivered
from engines.reconciliation.models import Loss, Reconciliation

SinkStatus = Literal["up", "degraded", "down", "unknown", "off"]

CLEARED_BY_PROBE = ("timeout", "unreachable")
"""Failures that a probe disproves. Any other one may hit writes alone, so only a write clears it."""


ON_THE_WAY = timedelta(seconds=1)
"""How long an event may be under way to the sink before it counts as waiting."""


class LastErrorView(BaseModel):
    """The newest failed write of the answering process."""

    at: datetime
    kind: str
    message: str


class Backlog(BaseModel):
    """The tenant's events that the sink does not hold yet: in the outbox, or on their way in this process.

    ``depth`` is null when the outbox could not be read.
    """

    depth: int | None
    oldest_at: datetime | None = None


class Missing(BaseModel):
    """Events that were accepted and are not in the sink, nor wait for it: of hours ``since`` to ``until``."""

    events: int
    since: datetime
    until: datetime


class EventSinkIndicator(BaseModel):
    """Dashboard key ``event_sink``.

    ``missing`` is null when nothing is known to be missing, as of ``compared_at``, the newest comparison of
    what was accepted with what the sink holds; null: there was none. ``not_compared`` says why not, or why
    not since.
    """

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
    dead_letters: int | None
    missing: Missing | None
    compared_at: datetime | None
    not_compared: str | None


def indicator(
    description: SinkDescription,
    tenant_id: str,
    probe: ProbeResult,
    state: DeliveryState,
    last_write_at: datetime | None,
    undelivered: Undelivered | None,
    read_failure: str | None,
    reconciliation: Reconciliation | None = None,
    compare_failure: str | None = None,
) -> EventSinkIndicator:
    """The indicator of one tenant. ``read_failure`` says what of the two before it could not be read.

    ``reconciliation`` is None where there is no result yet, or by ``compare_failure`` none could be read.
    """
    loss = reconciliation.loss if reconciliation else None
    status, reason = _status(description, probe, state, undelivered, read_failure, loss)
    not_compared = _not_compared(description, reconciliation, compare_failure)
    error, waits = state.last_error, undelivered

    def named(text: str) -> str:
        """What a sink says of its target, which has a place for the tenant, said of this tenant's."""
        return text.replace("{tenant}", tenant_id)

    return EventSinkIndicator(
        backend=description.backend,
        last_write_at=last_write_at,
        backend_class=description.backend_class,
        target=named(description.target),
        stand_in=description.stand_in,
        status=status,
        reason=named(reason) if reason else None,
        latency_ms=probe.latency_ms,
        observed_at=probe.observed_at,
        last_error=LastErrorView(at=error.at, kind=error.kind, message=named(error.message))
        if error
        else None,
        consecutive_failures=state.consecutive_failures,
        backlog=Backlog(depth=waits.depth, oldest_at=waits.oldest_at) if waits else Backlog(depth=None),
        dead_letters=waits.dead_letters if waits else None,
        missing=Missing(events=loss.events, since=loss.since, until=loss.until) if loss else None,
        compared_at=reconciliation.compared_at if reconciliation else None,
        not_compared=named(not_compared) if not_compared else None,
    )


def _status(
    description: SinkDescription,
    probe: ProbeResult,
    state: DeliveryState,
    undelivered: Undelivered | None,
    read_failure: str | None,
    loss: Loss | None,
) -> tuple[SinkStatus, str | None]:
    if description.discards:
        return "off", "events are discarded"
    if not probe.answered:
        return "unknown", probe.failure
    if not probe.passed:
        return "down", probe.failure
    if read_failure:
        return "degraded", read_failure
    if _last_write_failed(probe, state):
        full = state.last_error is not None and state.last_error.kind == "full"
        return "degraded", "the last write failed" + (": the sink's disk is full" if full else "")
    if loss:
        return "degraded", str(loss)
    if undelivered and _is_late(undelivered, probe.observed_at):
        return "degraded", "events wait for the sink"
    return "up", None


def _not_compared(
    description: SinkDescription, reconciliation: Reconciliation | None, failure: str | None
) -> str | None:
    """Why it is not known whether anything is missing; None when it is."""
    if description.discards:
        return "events are discarded"
    if failure:
        return f"the result could not be read: {failure}"
    return reconciliation.failure if reconciliation else "not compared yet"


def _is_late(undelivered: Undelivered, now: datetime) -> bool:
    """Whether events wait longer than a write takes: those under way are no fault."""
    oldest_at = undelivered.oldest_at
    return undelivered.depth > 0 and (oldest_at is None or now - oldest_at > ON_THE_WAY)


def _last_write_failed(probe: ProbeResult, state: DeliveryState) -> bool:
    error = state.last_error
    if error is None or state.consecutive_failures == 0:
        return False
    disproved = error.kind in CLEARED_BY_PROBE and probe.observed_at > error.at
    return not disproved

"""The way of every event: judge → scan → pii_flags → train_ok → deliver → one line on stdout."""

import logging
from typing import Any, Literal, Protocol
from uuid import uuid4

from pydantic import BaseModel, Field

from engines.common.clock import Clock, utc_now
from engines.common.documents import Scope, StoreError
from engines.common.storable import MAX_TENANT_BYTES, NotStorable, check_event, check_name
from engines.dataset.events.schemas import DatasetEvent
from engines.guardrails.pii_text import detect, policy_reason
from engines.logging.events.scan import scanned_text
from engines.nexus.backends.sink import Envelope, FailureKind, SinkError
from engines.nexus.delivery import Delivery, Refused

log = logging.getLogger(__name__)
stdout = logging.getLogger("engines.events")

EVERY_SINK = "the limits of JSON and of a Firestore document hold on every sink; nothing of it is kept"


class Eligibility(Protocol):
    """Training preferences, as far as the pipeline needs them."""

    async def train_ok(self, scope: Scope, user_id: str, has_pii: bool) -> bool:
        """Whether an event of the user may be trained on. Raises StoreError."""
        ...


class ArrivalCounter(Protocol):
    """Counts of accepted events, as far as the pipeline needs them."""

    def add(self, envelope: Envelope, *, again: bool) -> None:
        """Count one accepted event; ``again``: its id may have come before. Never raises, never waits."""
        ...


class PipelineResult(BaseModel):
    """What became of an event. ``error`` and ``kind`` are set exactly when ``status`` is error.

    An accepted event is durable in the sink, or in the outbox until the sink takes it. ``dead_letter`` says
    that a refused event is kept for a replay.
    """

    status: Literal["accepted", "error"]
    tenantId: str
    pii_flags: list[str] | None = None
    error: str | None = None
    kind: FailureKind | None = Field(None, exclude=True)
    event_id: str
    durable_in: Literal["sink", "outbox"] | None = None
    dead_letter: bool = Field(False, exclude=True)


class EventPipeline:
    """Processes events and hands them to delivery."""

    def __init__(
        self,
        eligibility: Eligibility,
        delivery: Delivery,
        clock: Clock = utc_now,
        arrivals: ArrivalCounter | None = None,
    ) -> None:
        self._eligibility = eligibility
        self._delivery = delivery
        self._clock = clock
        self._arrivals = arrivals

    async def log(
        self, event: DatasetEvent, event_id: str | None = None, *, judged: bool = False, is_new: bool = False
    ) -> PipelineResult:
        """Process and store one event; never raises for what happens to it, the result says it.

        The event passed in stays as it is. ``event_id`` is the idempotency key; a random one when None.
        ``judged`` events have passed ``judge`` before: from here on the sink alone decides over them.
        ``is_new`` says that the id was made for this call, so that no event was sent under it before.
        """
        identity = event_id or uuid4().hex
        is_new = is_new or event_id is None
        try:
            if not judged:
                judge(event)
            envelope = await self._envelope(event, identity)
        except StoreError as error:
            kind: FailureKind = "retryable" if error.transient else "permanent"
            return _failure(event, identity, f"training preferences: {error}", kind)
        except NotStorable as error:
            return refusal(event.tenantId, identity, error)
        except (ValueError, RecursionError):
            return _failure(event, identity, "the event or its id cannot be written as JSON", "permanent")
        try:
            delivered = await self._delivery.deliver(envelope)
        except SinkError as error:
            kept = isinstance(error, Refused) and error.kept
            return _failure(event, identity, str(error), error.kind, dead_letter=kept)
        # An event that is sent again under its id is accepted again, but it arrived before. A new one that
        # the sink has already came with an attempt of our own whose answer was lost.
        if self._arrivals and (is_new or not delivered.duplicate):
            self._arrivals.add(envelope, again=not is_new)
        _print(envelope)
        return PipelineResult(
            status="accepted",
            tenantId=event.tenantId,
            pii_flags=envelope.event.pii_flags["flags"],
            event_id=identity,
            durable_in=delivered.durable_in,
        )

    async def _envelope(self, event: DatasetEvent, event_id: str) -> Envelope:
        """The event with its flags and eligibility, every value in a form that JSON can carry."""
        flags = detect(scanned_text(event))
        scope = Scope(event.tenantId, event.env)
        eligible = await self._eligibility.train_ok(scope, event.agentId, bool(flags))
        decided = {"pii_flags": {"flags": flags, "policy_reason": policy_reason(flags)}, "train_ok": eligible}
        processed = DatasetEvent.model_validate(event.model_dump(mode="json") | decided)
        return Envelope(event_id=event_id, ingested_at=self._clock(), event=processed)


def judge(event: DatasetEvent) -> None:
    """Raise NotStorable for an event that one of the sinks can never hold, whichever is in use."""
    check_name(event.env, "env")  # on Firestore it is the name of a field
    if len(event.tenantId) > MAX_TENANT_BYTES:  # in the object store it is a part of the name
        raise NotStorable(f"tenantId is longer than {MAX_TENANT_BYTES} bytes")
    # What a caller puts into pii_flags is replaced.
    check_event(dict(event) | {"pii_flags": {}})


def refusal(tenant_id: str, event_id: str, error: NotStorable) -> PipelineResult:
    """The result for an event that is not taken at all: there is nothing to try again or to keep."""
    return _not_stored(tenant_id, event_id, f"{error}: {EVERY_SINK}", "permanent")


def _failure(
    event: DatasetEvent, event_id: str, error: str, kind: FailureKind, *, dead_letter: bool = False
) -> PipelineResult:
    return _not_stored(event.tenantId, event_id, error, kind, dead_letter=dead_letter)


def _not_stored(
    tenant_id: str, event_id: str, error: str, kind: FailureKind, *, dead_letter: bool = False
) -> PipelineResult:
    log.warning("event %s of %s not stored: %s", event_id, tenant_id, error)
    return PipelineResult(
        status="error",
        tenantId=tenant_id,
        error=error,
        kind=kind,
        event_id=event_id,
        dead_letter=dead_letter,
    )


def _print(envelope: Envelope) -> None:
    """One line per stored event on stdout: what happened, never what it carried."""
    event = envelope.event
    shown: dict[str, Any] = {
        "event_id": envelope.event_id,
        "env": event.env,
        "surface": event.surface,
        "analytics_event_type": event.analytics_event_type,
        "pii_flags": event.pii_flags["flags"],
        "train_ok": event.train_ok,
        "requestId": event.requestId,
        "traceId": event.traceId,
    }
    stdout.info(
        "event %s stored", envelope.event_id, extra={"fields": {"tenantId": event.tenantId, "event": shown}}
    )

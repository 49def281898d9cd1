"""Delivery wraps the sink once for all: it bounds every write in time and keeps score of failures."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from engines.common.clock import Clock, utc_now
from engines.nexus.backends.sink import (
    Envelope,
    EventSink,
    FailureReason,
    SinkError,
    SinkPermanent,
    SinkRetryable,
    WriteReceipt,
)

Result = TypeVar("Result")

WRITE_SECONDS = 4.5
"""Longest time a caller waits for its event to become durable."""


@dataclass(frozen=True)
class LastError:
    """The newest failed write of this process."""

    at: datetime
    kind: FailureReason
    message: str


@dataclass(frozen=True)
class DeliveryState:
    """What writing looks like from this process."""

    last_error: LastError | None = None
    consecutive_failures: int = 0


class Delivery:
    """Hands events to one sink. The sink is the caller's: nothing is closed here."""

    def __init__(self, sink: EventSink, clock: Clock = utc_now) -> None:
        self._sink = sink
        self._clock = clock
        self.state = DeliveryState()

    async def deliver(self, envelope: Envelope) -> WriteReceipt:
        """Store one event durably. Raises SinkError when it is not known to be stored or can never be."""
        try:
            receipt = await self._write(envelope)
        except SinkError as error:
            self._failed(error)
            raise
        self.state = DeliveryState(self.state.last_error, 0)
        return receipt

    async def _write(self, envelope: Envelope) -> WriteReceipt:
        [receipt] = await self._bounded(self._sink.write([envelope]))
        if receipt.error is not None:
            raise receipt.error
        return receipt

    async def _bounded(self, call: Awaitable[Result]) -> Result:
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                return await call
        except TimeoutError as error:
            target = self._sink.describe().target
            raise SinkRetryable(target, "no answer in time", "timeout") from error

    def _failed(self, error: SinkError) -> None:
        # A refused event says nothing about the sink: it took the write and judged it.
        if not isinstance(error, SinkPermanent):
            last = LastError(self._clock(), error.reason, str(error))
            self.state = DeliveryState(last, self.state.consecutive_failures + 1)

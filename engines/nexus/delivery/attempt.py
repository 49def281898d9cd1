"""One batch to the sink: retried with jittered backoff, bounded in time, always in the port's terms."""

import asyncio
import logging
import time
from collections.abc import Sequence

from tenacity import AsyncRetrying, retry_if_exception_type, stop_before_delay, wait_random_exponential

from engines.nexus.backends.sink import (
    Envelope,
    EventSink,
    SinkError,
    SinkPermanent,
    SinkRetryable,
    WriteReceipt,
)
from engines.nexus.delivery.observer import Observer, Unobserved

log = logging.getLogger(__name__)

FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 1.0


async def send(
    sink: EventSink, batch: Sequence[Envelope], seconds: float, observer: Observer | None = None
) -> list[WriteReceipt]:
    """Write the batch within ``seconds``; each retry sends the identical batch, as the sinks rely on.

    Raises SinkError when it is not known to be stored. A refusal of the whole batch is one of each event.
    """
    observer, started = observer or Unobserved(), time.perf_counter()
    try:
        receipts = await _send(sink, batch, seconds, observer)
    except SinkError as error:
        observer.sent(len(batch), time.perf_counter() - started, error.kind)
        raise
    observer.sent(len(batch), time.perf_counter() - started, "taken")
    return receipts


async def _send(
    sink: EventSink, batch: Sequence[Envelope], seconds: float, observer: Observer
) -> list[WriteReceipt]:
    sent = tuple(batch)
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(SinkRetryable),
        wait=wait_random_exponential(multiplier=FIRST_WAIT_SECONDS, max=LONGEST_WAIT_SECONDS),
        stop=stop_before_delay(seconds),
        before_sleep=lambda _: observer.retried(),
        reraise=True,
    )
    target = sink.describe().target
    said: list[SinkError] = []

    async def write() -> list[WriteReceipt]:
        try:
            return await _write(sink, sent)
        except SinkRetryable as error:
            said.append(error)
            raise

    try:
        async with asyncio.timeout(seconds):
            return await retrying(write)
    except SinkPermanent as error:
        return [WriteReceipt(envelope.event_id, "refused", error) for envelope in batch]
    except SinkError:
        raise
    except TimeoutError as error:
        # What an earlier attempt said tells more than that the last one was cut short.
        raise (said or [SinkRetryable(target, "no answer in time", "timeout")])[-1] from error
    except Exception as error:
        # A fault of the adapter's own. Its text may hold a payload, so only its kind is told.
        log.error("the sink failed in an unforeseen way: %s", type(error).__name__)
        raise SinkError(target, f"unforeseen {type(error).__name__}") from error


async def _write(sink: EventSink, batch: Sequence[Envelope]) -> list[WriteReceipt]:
    receipts = await sink.write(batch)
    if len(receipts) != len(batch):
        raise ValueError("not one receipt per event")
    return receipts

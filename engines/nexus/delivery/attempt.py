"""One batch to the sink: retried with jittered backoff, bounded in time, always in the port's terms.

A batch that is refused as a whole is divided, until the event that is at fault stands alone.
"""

import asyncio
import logging
import time
from collections.abc import Sequence

from tenacity import AsyncRetrying, retry_if_exception_type, stop_before_delay, wait_random_exponential

from engines.nexus.backends.sink import Envelope, EventSink, SinkError, SinkRetryable, WriteReceipt
from engines.nexus.delivery.division import Division
from engines.nexus.delivery.observer import Observer, Unobserved

log = logging.getLogger(__name__)

FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 1.0


async def send(
    sink: EventSink, batch: Sequence[Envelope], seconds: float, observer: Observer | None = None
) -> list[WriteReceipt]:
    """Write the batch within ``seconds``; returns one receipt per event, in order.

    Each retry sends the identical batch, as the sinks rely on; only a batch that is refused as a whole is
    divided. A receipt with SinkPermanent is of an event that can never be stored, one with another SinkError
    of an event on which nothing is known yet: it is to be sent again, those beside it are settled.
    Raises SinkError when nothing is known of any event.
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
    division = Division(sink, batch)
    try:
        await _finish(division, seconds, observer)
    except SinkError as error:
        return division.receipts(error)
    except TimeoutError as error:
        # What an earlier attempt said tells more than that the last one was cut short.
        late = SinkRetryable(sink.describe().target, "no answer in time", "timeout")
        late.__cause__ = error
        return division.receipts(division.said or late)
    except Exception as error:
        # A fault of the adapter's own. Its text may hold a payload, so only its kind is told.
        log.error("the sink failed in an unforeseen way: %s", type(error).__name__)
        raise SinkError(sink.describe().target, f"unforeseen {type(error).__name__}") from error
    return division.receipts()


async def _finish(division: Division, seconds: float, observer: Observer) -> None:
    """Send until every event has its receipt. Raises TimeoutError, SinkError and what the adapter raises."""
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(SinkRetryable),
        wait=wait_random_exponential(multiplier=FIRST_WAIT_SECONDS, max=LONGEST_WAIT_SECONDS),
        stop=stop_before_delay(seconds),
        before_sleep=lambda _: observer.retried(),
        reraise=True,
    )
    async with asyncio.timeout(seconds):
        await retrying(division.send_all)

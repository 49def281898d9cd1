"""From the queue to the sink, the outbox or the dead letters: each caller is answered for its own event."""

import asyncio
import logging
from collections.abc import Sequence

from engines.common.documents import Scope, StoreError
from engines.common.tracing import background
from engines.nexus.backends.sink import EventSink, SinkError, SinkPermanent, WriteReceipt
from engines.nexus.delivery.attempt import send
from engines.nexus.delivery.dead_letters import DeadLetters
from engines.nexus.delivery.observer import Observer
from engines.nexus.delivery.outbox import Outbox, OutboxFull, fits
from engines.nexus.delivery.queue import Delivered, Limits, Overloaded, Queue, Waiting
from engines.nexus.delivery.state import Score

log = logging.getLogger(__name__)

Batch = Sequence[Waiting]


class Refused(SinkPermanent):
    """The sink can never store the event. ``kept`` says whether it is a dead letter now."""

    kept: bool = False


class Writers:
    """A few tasks, started when there is work. Each takes what is queued and answers the callers."""

    def __init__(
        self,
        sink: EventSink,
        outbox: Outbox | None,
        letters: DeadLetters | None,
        score: Score,
        limits: Limits,
        observer: Observer,
    ) -> None:
        self._sink = sink
        self._outbox = outbox
        self._letters = letters
        self._score = score
        self._limits = limits
        self._observer = observer
        self._tasks: set[asyncio.Task[None]] = set()
        self._at_work = 0
        self.queue = Queue(limits)

    def wake(self) -> None:
        """Start one more writer unless all are at work."""
        if self._at_work < self._limits.writers:
            self._at_work += 1
            task = background(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def finish(self, seconds: float, left_over: SinkError) -> None:
        """Wait until the queue is empty; after ``seconds`` fail what is left with ``left_over``."""
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=seconds)
        for waiting in self.queue:
            waiting.fail(left_over)
        for task in list(self._tasks):
            task.cancel()

    async def _work(self) -> None:
        try:
            await self._write_all()
        finally:
            # Here and not when the task is forgotten: in between, an event would find everyone at work.
            self._at_work -= 1

    async def _write_all(self) -> None:
        while batch := self.queue.take():
            try:
                await self._send(batch)
            except Exception as error:
                # Nobody may wait for an answer that never comes.
                log.error("delivery failed in an unforeseen way: %s", type(error).__name__)
                failure = SinkError(self._sink.describe().target, f"unforeseen {type(error).__name__}")
                _fail_all(batch, failure)
            finally:
                self.queue.done(batch)

    async def _send(self, batch: Batch) -> None:
        if self._outbox and self._score.down:
            await self._put_aside(batch, self._score.down, tried=False)
            return
        limits = self._limits
        seconds = self._left(batch, limits.sink_seconds if self._outbox else limits.caller_seconds)
        try:
            receipts = await send(
                self._sink, [waiting.envelope for waiting in batch], seconds, self._observer
            )
        except SinkError as error:
            self._score.failed(error)
            await self._put_aside(batch, error, tried=True)
        else:
            self._score.succeeded()
            await self._answer(batch, receipts)

    def _left(self, batch: Batch, whole: float) -> float:
        """What is left of ``whole`` seconds for the caller that has waited longest."""
        waited = asyncio.get_running_loop().time() - min(waiting.since for waiting in batch)
        return max(self._limits.floor_seconds, whole - self._limits.margin_seconds - waited)

    async def _answer(self, batch: Batch, receipts: Sequence[WriteReceipt]) -> None:
        refused: list[tuple[Waiting, SinkPermanent]] = []
        delayed: list[tuple[Waiting, SinkError]] = []
        for waiting, receipt in zip(batch, receipts, strict=True):
            if receipt.error is None:
                self._score.stored[waiting.scope] += 1
                waiting.accept(Delivered(receipt.event_id, "sink", receipt.outcome == "duplicate"))
            elif isinstance(receipt.error, SinkPermanent):
                refused.append((waiting, receipt.error))
            else:
                delayed.append((waiting, receipt.error))
        await asyncio.gather(
            *(self._refuse(waiting, error) for waiting, error in refused), self._delay(delayed)
        )

    async def _refuse(self, waiting: Waiting, error: SinkPermanent) -> None:
        waiting.fail(await self._refused(waiting, error))

    async def _delay(self, delayed: Sequence[tuple[Waiting, SinkError]]) -> None:
        """Put aside, as one batch, what the sink may take later."""
        if delayed:
            await self._put_aside([waiting for waiting, _ in delayed], delayed[0][1], tried=True)

    async def _refused(self, waiting: Waiting, error: SinkPermanent) -> Refused:
        """The caller's error, after the event became a dead letter where there is a store for them."""
        refused = Refused(error.target, error.cause, error.reason)
        if self._letters is None:
            return refused
        try:
            async with asyncio.timeout(self._left([waiting], self._limits.caller_seconds)):
                await self._letters.keep(waiting.envelope, error, self._sink.describe())
        except (StoreError, TimeoutError) as failure:
            return Refused(
                error.target, f"{error.cause}; nor kept as a dead letter: {_words(failure)}", error.reason
            )
        refused.kept = True
        return refused

    async def _put_aside(self, batch: Batch, error: SinkError, *, tried: bool) -> None:
        """Into the outbox, and accepted; where that is not possible the callers get the error."""
        if self._outbox is None:
            _fail_all(batch, error)
            return
        small = [waiting for waiting in batch if fits(waiting)]
        _fail_all(
            [waiting for waiting in batch if not fits(waiting)], _more(error, "too large for the outbox")
        )
        owners: dict[Scope, list[Waiting]] = {}
        for waiting in small:
            owners.setdefault(waiting.scope, []).append(waiting)
        seconds = self._left(batch, self._limits.caller_seconds)
        keeping = (self._keep(self._outbox, own, error, seconds, tried=tried) for own in owners.values())
        await asyncio.gather(*keeping)

    async def _keep(
        self, outbox: Outbox, own: Batch, error: SinkError, seconds: float, *, tried: bool
    ) -> None:
        """Events of one scope into the outbox: what keeps one scope's out does not touch another's."""
        try:
            async with asyncio.timeout(seconds):
                await outbox.add(own, tried=tried)
        except OutboxFull as failure:
            _fail_all(own, Overloaded(error.target, f"{error.cause}; {failure}, try again later"))
        except (StoreError, TimeoutError) as failure:
            _fail_all(own, _more(error, f"nor does the outbox take it: {_words(failure)}"))
        else:
            for waiting in own:
                waiting.accept(Delivered(waiting.envelope.event_id, "outbox"))


def _fail_all(batch: Batch, error: SinkError) -> None:
    for waiting in batch:
        waiting.fail(error)


def _more(error: SinkError, words: str) -> SinkError:
    """The same error with more words."""
    return type(error)(error.target, f"{error.cause}; {words}", error.reason)


def _words(error: Exception) -> str:
    return str(error) or "no answer in time"

"""A batch on its way to the sink, in parts: what is refused as a whole is sent again in halves."""

from collections import deque
from collections.abc import Sequence

from engines.nexus.backends.sink import (
    Envelope,
    EventSink,
    SinkError,
    SinkPermanent,
    SinkRetryable,
    WriteReceipt,
)

UNPROVEN_WRITES = 64
"""So many writes may fail in an unforeseen way, and none pass, before the sink is at fault and no event."""

Part = tuple[int, ...]
"""Places in the batch."""


class Division:
    """What became of each event of a batch so far.

    The sink's own refusal (SinkPermanent) is believed also of all events. An exception that the port does not
    know may as well be a fault of the adapter or of its surroundings: it is believed of an event that failed
    alone, twice, while others of the batch passed.
    """

    def __init__(self, sink: EventSink, batch: Sequence[Envelope]) -> None:
        self._sink = sink
        self._batch = tuple(batch)
        self._settled: dict[int, WriteReceipt] = {}
        self._parts: deque[Part] = deque([tuple(range(len(self._batch)))])
        self._suspects: dict[int, Exception] = {}
        self._failed = 0
        self.said: SinkRetryable | None = None
        """What the sink said last of a write that may succeed later."""

    async def send_all(self) -> None:
        """Send every part that is not settled, large ones first.

        Raises SinkRetryable when some are to be sent again, and at once any other SinkError; the adapter's
        own exception when no event passed.
        """
        again: list[Part] = []
        while self._parts:
            part = self._parts[0]
            try:
                await self._send(part)
            except SinkRetryable as error:
                self.said = error
                again.append(part)
            self._parts.popleft()
        self._parts.extend(again)
        if again and self.said:
            raise self.said
        await self._judge_suspects()

    def receipts(self, rest: SinkError | None = None) -> list[WriteReceipt]:
        """One receipt per event; those not settled get ``rest``, which is raised when none is settled."""
        if rest and not self._settled:
            raise rest
        for place, envelope in enumerate(self._batch):
            if rest and place not in self._settled:
                self._settled[place] = WriteReceipt(envelope.event_id, "refused", rest)
        return [self._settled[place] for place in range(len(self._batch))]

    async def _send(self, part: Part) -> None:
        try:
            await self._write(part)
        except SinkPermanent as error:
            if len(part) > 1:
                self._halve(part)
            else:
                self._refuse(part[0], error)
        except SinkError:
            raise
        except Exception as error:
            # Anything at all: whether it is about an event shows when the others are sent without it.
            self._suspect(part, error)

    async def _write(self, part: Part) -> None:
        receipts = await self._sink.write([self._batch[place] for place in part])
        if len(receipts) != len(part):
            raise SinkError(self._sink.describe().target, "not one receipt per event")
        self._settled.update(zip(part, receipts, strict=True))

    def _suspect(self, part: Part, error: Exception) -> None:
        self._failed += 1
        if len(self._batch) == 1 or (not self._settled and self._failed >= UNPROVEN_WRITES):
            raise error
        if len(part) > 1:
            self._halve(part)
        else:
            self._suspects[part[0]] = error

    def _halve(self, part: Part) -> None:
        middle = len(part) // 2
        self._parts.extend((part[:middle], part[middle:]))

    async def _judge_suspects(self) -> None:
        for place, error in list(self._suspects.items()):
            if not self._settled:
                raise error
            try:
                await self._write((place,))
            except SinkError:
                raise
            except Exception as again:
                # Alone and for the second time, while others pass. Its text may hold a payload.
                words = f"the sink cannot write it: {type(again).__name__}"
                self._refuse(place, SinkPermanent(self._sink.describe().target, words, "refused"))
            del self._suspects[place]

    def _refuse(self, place: int, error: SinkError) -> None:
        self._settled[place] = WriteReceipt(self._batch[place].event_id, "refused", error)

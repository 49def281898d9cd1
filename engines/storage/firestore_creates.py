"""Creates that come together share a request, as long as they need nothing of each other.

A request is sent at once; while it is under way those that come gather for the next. So a lone create costs
what it always did, and many at once do not cost a round trip each.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.api_core import exceptions
from google.cloud import firestore

from engines.common.tracing import background
from engines.storage import firestore_bulk


@dataclass(frozen=True)
class _Waiting:
    write: Any
    answer: asyncio.Future[None]


class Creates:
    """The creates of one client. Each gets its own answer, in the SDK's terms."""

    def __init__(self, client: firestore.AsyncClient, seconds: float) -> None:
        self._client = client
        self._seconds = seconds
        self._waiting: deque[_Waiting] = deque()
        self._sending: asyncio.Task[None] | None = None

    async def create(self, name: str, fields: Mapping[str, Any], server_time: str) -> None:
        """Create the document. Raises the SDK's errors, AlreadyExists for one that is there.

        The caller bounds it in time: one that leaves is not sent, unless it is under way already.
        """
        write = firestore_bulk.create(name, fields, server_time)
        waiting = _Waiting(write, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._sending is None or self._sending.done():
            self._sending = background(self._send_waiting())
        await waiting.answer

    async def _send_waiting(self) -> None:
        while self._waiting:
            there = [waiting for waiting in self._waiting if not waiting.answer.done()]
            self._waiting.clear()
            await asyncio.gather(*map(self._send, firestore_bulk.requests(there)))

    async def _send(self, request: Sequence[_Waiting]) -> None:
        try:
            writes = [waiting.write for waiting in request]
            statuses = await firestore_bulk.send(self._client, writes, self._seconds)
        except exceptions.InvalidArgument as error:
            if len(request) == 1:
                _answer(request[0], error)
                return
            # One malformed document, or one that comes twice, fails all: each is sent alone.
            await asyncio.gather(*(self._send([waiting]) for waiting in request))
        except Exception as error:
            for waiting in request:
                _answer(waiting, error)
        else:
            for waiting, status in zip(request, statuses, strict=True):
                _answer(waiting, firestore_bulk.error_of(status))


def _answer(waiting: _Waiting, error: Exception | None) -> None:
    if waiting.answer.done():
        return
    if error is None:
        waiting.answer.set_result(None)
    else:
        waiting.answer.set_exception(error)

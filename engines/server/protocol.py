"""uvicorn's HTTP protocol with bounds on connections, heads and bodies, before a token is read.

uvicorn itself bounds the idle time of a connection and how much of a body it holds; all else is here.
"""

import asyncio
import time
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from engines.server.answers import Headers, refusal
from engines.server.limits import ServerLimits
from engines.server.refusals import Reason, Refusals
from engines.server.request_id import HEADER, request_id


class Phase(Enum):
    """What of a request is being received."""

    IDLE = auto()
    """Nothing: the last one is complete."""
    HEAD = auto()
    BODY = auto()
    REFUSED = auto()
    """Whatever comes is forgotten."""


class HeadTooLarge(Exception):
    """Ends the parser's work on a head."""


class LimitedProtocol(HttpToolsProtocol):
    """One connection. Made by ``limited``, which binds the bounds."""

    limits: ServerLimits
    refusals: Refusals
    lingering: "set[LimitedProtocol]"
    on_refusals: Headers

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.phase = Phase.IDLE
        self.since = 0.0
        self._head_bytes = self._head_lines = self._head_read = self._body_bytes = 0
        self._head_too_large = self._completed = False
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection when there is room, or make room, or refuse it."""
        super().connection_made(transport)
        self._enter(Phase.HEAD, self.limits.head_seconds)
        if len(self.connections) > self.limits.connections:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self.lingering.discard(self)
        for timer in (self._deadline, self._unread):
            if timer:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the bytes; those of a refused connection are dropped."""
        if self.phase is Phase.REFUSED:
            self._drop(len(data))
            return
        if self.phase is Phase.IDLE:
            self._enter(Phase.HEAD, self.limits.head_seconds)
        self._completed = False
        self._parse(data)
        # A line that is not complete yet is in none of the parser's calls.
        if self.phase is Phase.HEAD and not self._completed:
            self._head_read += len(data)
            if self._head_read > self.limits.head_bytes:
                self._refuse(431, "head_size")

    def _parse(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # to another protocol: there is none, the request is answered as it is
        except httptools.HttpParserError:
            if self._head_too_large:
                self._refuse(431, "head_size")
            elif self.phase is not Phase.REFUSED:
                self._refuse(400, "malformed")

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._head_bytes = self._head_lines = self._head_read = 0
        if self.phase is not Phase.HEAD:
            self._enter(Phase.HEAD, self.limits.head_seconds)

    def on_url(self, url: bytes) -> None:
        """A piece of the address."""
        self._count_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A complete header."""
        self._head_lines += 1
        self._count_head(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The body begins, and the request is given to the app."""
        self._body_bytes = 0
        self._enter(Phase.BODY, self.limits.body_seconds)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body; the app refuses what is too long, here it is cut when it goes on for ever."""
        if self.phase is Phase.REFUSED:
            return
        self._body_bytes += len(body)
        if self._body_bytes > self.limits.body_bytes + self.limits.unread_bytes:
            self._refuse(413, "body_size")
            return
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        if self.phase is Phase.REFUSED:
            return
        super().on_message_complete()
        self._completed = True
        self.scope = {"headers": []}  # type: ignore[typeddict-item]  # nothing is known of the next one
        self._enter(Phase.IDLE)

    def pause_writing(self) -> None:
        """The caller does not read: give it a time."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.limits.unread_answer_seconds, self._cut_unread)

    def resume_writing(self) -> None:
        """The caller reads again."""
        super().resume_writing()
        if self._unread:
            self._unread.cancel()

    @property
    def can_give_way(self) -> bool:
        """Whether no complete request is being answered."""
        is_answering = self.cycle is not None and not self.cycle.response_complete
        return self.phase in (Phase.HEAD, Phase.BODY) or not is_answering

    def give_way(self) -> None:
        """Make room for another connection."""
        if self.phase is Phase.IDLE:
            self.connections.discard(self)
            self.transport.close()
        else:
            self._refuse(408, "connections")

    def _make_room(self) -> None:
        others = [one for one in self.connections if isinstance(one, LimitedProtocol) and one is not self]
        waiting = [one for one in others if one.can_give_way]
        if waiting:
            min(waiting, key=lambda one: (one.phase is not Phase.IDLE, one.since)).give_way()
        else:
            self._refuse(503, "connections")

    def _enter(self, phase: Phase, seconds: float | None = None) -> None:
        if self._deadline:
            self._deadline.cancel()
        self.phase, self.since = phase, time.monotonic()
        self._deadline = self.loop.call_later(seconds, self._late) if seconds else None

    def _late(self) -> None:
        if self.phase is Phase.REFUSED:
            self.transport.abort()
        elif self.flow.read_paused:  # the app does not take more just now: not the caller's fault
            self._deadline = self.loop.call_later(self.limits.head_seconds, self._late)
        else:
            self._refuse(408, "head_time" if self.phase is Phase.HEAD else "body_time")

    def _cut_unread(self) -> None:
        self.refusals.add("unread_answer")
        self.transport.abort()

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        lines, limits = self._head_lines, self.limits
        if self._head_bytes > limits.head_bytes or lines > limits.head_lines:
            self._head_too_large = True
            raise HeadTooLarge

    def _drop(self, size: int) -> None:
        self._body_bytes += size
        if self._body_bytes > self.limits.unread_bytes:
            self.transport.abort()

    def _refuse(self, status: int, reason: Reason) -> None:
        self.refusals.add(reason)
        answering = self.cycle if self.cycle is not None and not self.cycle.response_complete else None
        in_body = self.phase is Phase.BODY
        if answering and not in_body and status == 408:
            answering.keep_alive = False  # the next request is late, the answer to this one is still owed
            return
        self.connections.discard(self)
        out_of_turn = bool(self.pipeline) or (answering is not None and not in_body)
        if out_of_turn or (in_body and (answering is None or answering.response_started)):
            self.transport.abort()
            return
        if answering:
            answering.disconnected = True
            answering.message_event.set()
        self.transport.write(self._refusal(status))
        self._linger()

    def _refusal(self, status: int) -> bytes:
        headers = dict(self.scope["headers"]) if self.scope else {}
        given = headers.get(HEADER.lower().encode(), b"").decode("latin-1")
        more = [*self.server_state.default_headers, *self.on_refusals]
        return refusal(status, request_id(given), more)

    def _linger(self) -> None:
        if len(self.lingering) >= self.limits.refusals:
            self.transport.close()
            return
        self.lingering.add(self)
        self._body_bytes = 0
        self._enter(Phase.REFUSED, self.limits.linger_seconds)
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()


def limited(limits: ServerLimits, refusals: Refusals, headers: Mapping[str, str]) -> type[LimitedProtocol]:
    """The protocol with these bounds, for one server. ``headers`` go with every refusal."""
    on_refusals = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    bound = {"limits": limits, "refusals": refusals, "lingering": set(), "on_refusals": on_refusals}
    return type("BoundProtocol", (LimitedProtocol,), bound)

"""While the process is behind, each caller has few requests under way, so that nobody's many slow the others.

All requests share one event loop, where each step waits behind the steps of all that are under way: a caller
with a hundred makes every other wait for a hundred. How far the loop is behind is measured all the time. As
long as it keeps up, or only one caller asks, nobody waits here.
"""

import asyncio
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from engines.common.bodies import NOBODY
from engines.common.body_limit import tenant_of
from engines.common.errors import TooManyRequests, render
from engines.common.front import BY_ADDRESS
from engines.server.limits import ServerLimits
from engines.server.refusals import Refusals

BEAT_SECONDS = 0.02
"""How often it is measured how late the loop is."""

BEATS_OF_A_SECOND = 50

PROBE = "probe"
"""Stands for what asks how the process is: never another caller for whom somebody has to wait."""

BUSY = "too many requests of this caller are under way; try again later"


class Turns:
    """The requests under way of each caller, and those that wait for their turn, oldest first."""

    def __init__(self, limits: ServerLimits, refusals: Refusals, now: Callable[[], float]) -> None:
        self._limits = limits
        self._refusals = refusals
        self._now = now
        self._at_once = limits.caller_requests
        """What a caller may have under way while another asks too."""
        self._in_time = 0
        """Beats since it was last late, or more was allowed."""
        self._under_way: Counter[str] = Counter()
        self._waiting: defaultdict[str, deque[asyncio.Future[None]]] = defaultdict(deque)
        self._asked_at: OrderedDict[str, float] = OrderedDict()
        """Callers by the time that their last request began or ended, oldest first."""

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._under_way

    async def begin(self, caller: str) -> None:
        """Wait for a turn; ``end`` gives it back. Raises TooManyRequests for too many under way."""
        waiting = self._waiting.get(caller, ())
        if self._under_way[caller] + len(waiting) >= self._limits.caller_requests:
            self._refusals.add("caller_requests")
            raise TooManyRequests(BUSY)
        self._note(caller)
        if not waiting and self._under_way[caller] < self._share(caller):
            self._under_way[caller] += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting[caller].append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.end(caller)
            raise

    def end(self, caller: str) -> None:
        """The request was answered."""
        self._under_way[caller] -= 1
        self._note(caller)
        self._admit(caller)
        if not self._under_way[caller]:
            del self._under_way[caller]

    def beat(self, late: float) -> None:
        """Adapt to how many seconds the loop is late: half when it is behind, twice after a second."""
        most = max(self._under_way.values(), default=0)
        self._in_time += 1
        if late > self._limits.behind_seconds:
            self._at_once = max(1, min(self._at_once, most) // 2)
            self._in_time = 0
        elif self._in_time == BEATS_OF_A_SECOND:
            self._at_once = min(2 * self._at_once, self._limits.caller_requests)
            self._in_time = 0
        for caller in list(self._waiting):
            self._admit(caller)

    def _note(self, caller: str) -> None:
        if caller != PROBE:
            self._asked_at[caller] = self._now()
            self._asked_at.move_to_end(caller)

    def _share(self, caller: str) -> int:
        return self._at_once if self._others(caller) else self._limits.caller_requests

    def _others(self, caller: str) -> bool:
        """Whether somebody else has a request under way or had one lately. Forgets who has not."""
        if self._under_way.keys() - {caller, PROBE}:
            return True
        since = self._now() - self._limits.others_seconds
        while self._asked_at and next(iter(self._asked_at.values())) < since:
            self._asked_at.popitem(last=False)
        return len(self._asked_at) > (caller in self._asked_at)

    def _admit(self, caller: str) -> None:
        waiting, share = self._waiting[caller], self._share(caller)
        while waiting and self._under_way[caller] < share:
            turn = waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self._under_way[caller] += 1
        if not waiting:
            del self._waiting[caller]


class TakesTurns:
    """ASGI middleware. A caller is a tenant by its token, else an address."""

    def __init__(self, app: ASGIApp, turns: Turns) -> None:
        self._app = app
        self._turns = turns
        self._beating = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on when it is its turn. 429 for a caller that has too many."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        caller = caller_of(scope)
        try:
            await self._turns.begin(caller)
        except TooManyRequests as error:
            await render(error)(scope, receive, send)
            return
        self._keep_beating()
        try:
            await self._app(scope, receive, send)
        finally:
            self._turns.end(caller)

    def _keep_beating(self) -> None:
        if not self._beating:
            self._beating = True
            self._next_beat()

    def _next_beat(self) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(BEAT_SECONDS, self._beat, loop.time() + BEAT_SECONDS)

    def _beat(self, due: float) -> None:
        self._turns.beat(asyncio.get_running_loop().time() - due)
        if self._turns.idle:
            self._beating = False
        else:
            self._next_beat()


def caller_of(scope: Scope) -> str:
    """Who takes turns."""
    if scope["path"] in BY_ADDRESS:
        return PROBE
    tenant = tenant_of(scope)
    return tenant if tenant != NOBODY else f"address {(scope.get('client') or ('',))[0]}"

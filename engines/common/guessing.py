"""Wrong passwords and system keys cost a growing wait.

Counted for an address and what it guesses at: an account, or the system key. Others behind the same proxy
who ask for another account never wait. An attempt during a wait is refused without being looked at and does
not prolong it, so that nobody is kept out for longer than the longest wait at a time.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from math import ceil

from starlette.types import ASGIApp, Receive, Scope, Send

from engines.common.errors import TooManyRequests
from engines.server.limits import ServerLimits
from engines.server.refusals import Reason, Refusals


@dataclass
class _Guesser:
    wrong: int = 0
    waits_until: float = 0.0
    forgotten_at: float = 0.0


class Guesses:
    """The wrong answers of a process. Holds hashes of addresses and accounts, of a bounded number."""

    def __init__(self, limits: ServerLimits, refusals: Refusals, now: Callable[[], float]) -> None:
        self._limits = limits
        self._refusals = refusals
        self._now = now
        self._guessers: OrderedDict[bytes, _Guesser] = OrderedDict()

    def check(self, address: str, account: str) -> None:
        """Raise TooManyRequests while the address has to wait before it tries this account again."""
        left = self._known(_key(address, account)).waits_until - self._now()
        if left > 0:
            self._refusals.add("guessing")
            raise TooManyRequests("too many wrong answers; try again later", ceil(left))

    def wrong(self, address: str, account: str, reason: Reason) -> None:
        """Note a wrong answer."""
        self._refusals.add(reason)
        limits, now, key = self._limits, self._now(), _key(address, account)
        guesser = self._known(key)
        guesser.wrong += 1
        beyond = guesser.wrong - limits.free_guesses
        if beyond > 0:
            seconds = limits.guess_seconds * 2.0 ** min(beyond - 1, 30)
            guesser.waits_until = now + min(limits.longest_guess_seconds, seconds)
        guesser.forgotten_at = now + limits.guesses_forgotten_seconds
        self._guessers[key] = guesser
        self._guessers.move_to_end(key)
        if len(self._guessers) > limits.guessers:
            self._guessers.popitem(last=False)

    def right(self, address: str, account: str) -> None:
        """Forget what was wrong before."""
        self._guessers.pop(_key(address, account), None)

    def _known(self, key: bytes) -> _Guesser:
        known = self._guessers.get(key)
        return known if known and known.forgotten_at > self._now() else _Guesser()


def _key(address: str, account: str) -> bytes:
    return hashlib.sha256(f"{address}\n{account.lower()}".encode(errors="replace")).digest()


_caller: ContextVar[tuple[Guesses, str] | None] = ContextVar("caller", default=None)


class KnowsCaller:
    """ASGI middleware: whoever judges a credential of this request knows the caller's address."""

    def __init__(self, app: ASGIApp, guesses: Guesses) -> None:
        self._app = app
        self._guesses = guesses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http":
            _caller.set((self._guesses, (scope.get("client") or ("",))[0]))
        await self._app(scope, receive, send)


class Attempt:
    """One attempt of this request's caller at an account. Without a request it counts nothing."""

    def __init__(self, account: str, reason: Reason) -> None:
        """Raises TooManyRequests while the caller has to wait."""
        self._account = account
        self._reason: Reason = reason
        self._caller = _caller.get()
        if self._caller:
            self._caller[0].check(self._caller[1], account)

    def judged(self, *, right: bool) -> None:
        """Say how it went."""
        if self._caller is None:
            return
        guesses, address = self._caller
        if right:
            guesses.right(address, self._account)
        else:
            guesses.wrong(address, self._account, self._reason)

"""Password hashes in the stored form of the existing engines.

PBKDF2-HMAC-SHA256, 100,000 iterations, as ``<hash hex>:<salt hex>``; the salt input is the text of
its hex form. Hashing takes tens of milliseconds of CPU, so it runs in a thread of its own.
"""

import asyncio
import hashlib
import hmac
import os
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor

from engines.common.errors import Unavailable
from engines.server.limits import ServerLimits
from engines.server.refusals import Refusals

ITERATIONS = 100_000
LOW_PRIORITY = 5
"""Of the hashing threads: whoever answers requests goes first."""


class HashQueue:
    """Makes few hashes at once; a short queue waits for them."""

    def __init__(self, limits: ServerLimits | None = None, refusals: Refusals | None = None) -> None:
        limits = limits or ServerLimits()
        self._refusals = refusals
        self._room = limits.hashes + limits.hashes_waiting
        self._asked = 0
        self._threads = ThreadPoolExecutor(limits.hashes, "hashes", initializer=_lower_priority)

    async def derive(self, password: str, salt: str) -> str:
        """The hash of the password under the salt. Raises Unavailable when the queue is full."""
        if self._asked >= self._room:
            if self._refusals:
                self._refusals.add("hashes")
            raise Unavailable("too many sign-ins at once; try again later")
        self._asked += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, _derive, password, salt)
        finally:
            self._asked -= 1


async def hash_password(password: str, queue: HashQueue) -> str:
    """Hash a password under a new random salt. Raises Unavailable."""
    salt = secrets.token_hex(16)
    return f"{await queue.derive(password, salt)}:{salt}"


async def verify_password(password: str, stored: str | None, queue: HashQueue) -> bool:
    """Whether the password matches; a missing or malformed hash costs the same time and matches nothing.

    Raises Unavailable.
    """
    digest, _, salt = (stored or "").partition(":")
    derived = await queue.derive(password, salt or "absent")
    return bool(salt) and hmac.compare_digest(derived.encode(), digest.encode())


def _lower_priority() -> None:
    if hasattr(os, "setpriority"):  # on Linux a thread has a priority of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOW_PRIORITY)


def _derive(password: str, salt: str) -> str:
    # surrogatepass: JSON can carry a lone surrogate, which must be a wrong password and not an error.
    secret = password.encode("utf-8", "surrogatepass")
    return hashlib.pbkdf2_hmac("sha256", secret, salt.encode("utf-8", "surrogatepass"), ITERATIONS).hex()

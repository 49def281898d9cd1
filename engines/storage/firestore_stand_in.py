"""Asks the kit's Firestore stand-in for its status, over HTTP on the port of the emulator itself."""

import asyncio
import time

import httpx
from pydantic import ValidationError

from engines.common.stand_in import StandInStatus
from engines.common.tracing import background

ASK_SECONDS = 1.0
TTL_SECONDS = 2.0


class FirestoreStandIn:
    """See StandInReads. ``host`` is FIRESTORE_EMULATOR_HOST, ``host:port``."""

    def __init__(self, host: str, seconds: float = ASK_SECONDS, ttl_seconds: float = TTL_SECONDS) -> None:
        # No proxy of the environment: the address is one of this machine or of the stack's network.
        self._client = httpx.AsyncClient(trust_env=False, timeout=seconds)
        self._url = f"http://{host}/kit/status"
        self._seconds = seconds
        self._ttl_seconds = ttl_seconds
        self._task: asyncio.Task[StandInStatus | None] | None = None
        self._expires = 0.0

    async def status(self) -> StandInStatus | None:
        """See StandInReads.status."""
        task = self._task
        if task is None or (task.done() and time.monotonic() >= self._expires):
            task = self._task = background(self._ask())
        # A caller that goes away must not cancel the question of the others.
        return await asyncio.shield(task)

    async def generation(self) -> str | None:
        """See StandInReads.generation."""
        status = await self.status()
        return status.generation if status else None

    async def close(self) -> None:
        """Close the connection."""
        if self._task:
            self._task.cancel()
        await self._client.aclose()

    async def _ask(self) -> StandInStatus | None:
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._client.get(self._url)
            return StandInStatus.model_validate_json(answer.content) if answer.status_code == 200 else None
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValidationError):
            return None
        finally:
            self._expires = time.monotonic() + self._ttl_seconds

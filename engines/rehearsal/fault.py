"""``rehearse fault``: watches a dashboard while the host breaks something and heals it again.

The host talks on stdin, one line each: a login as JSON, then ``broken``, then ``healed``. It is answered on
stdout: ``ready``, then ``shown SECONDS``, then ``cleared SECONDS``, and before each ``said …``, what the
dashboard said, a line whenever it changes. It reads only: no tenant's freshness moves.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx

from engines.rehearsal.caller import DASHBOARD, NotCarriedOut, words_of
from engines.rehearsal.receipt import ALL_HELD, CLAIM_BROKE

LIMIT_SECONDS = 10.0
"""A fault must show within it, and so must its end."""
PATIENCE_SECONDS = 60.0
"""How long either is waited for, so that a late one is told with its time."""
POLL_SECONDS = 0.25
ANSWER_SECONDS = 6.0

Say = Callable[[str], None]


async def sign_in(http: httpx.AsyncClient, login: dict[str, Any]) -> dict[str, str]:
    """Headers of a member of a tenant. Raises NotCarriedOut."""
    try:
        answer = await http.post("/auth/login", json={name: login[name] for name in ("email", "password")})
    except httpx.HTTPError as error:
        raise NotCarriedOut(f"Bossman does not answer ({type(error).__name__}): ./scripts/doctor") from error
    if answer.status_code != httpx.codes.OK:
        raise NotCarriedOut(f"sign-in: {words_of(answer)}: ./scripts/doctor")
    return {"Authorization": f"Bearer {answer.json()['access_token']}", "X-Env": "dev"}


class FaultWatch:
    """Asks every POLL_SECONDS, and says what changes."""

    def __init__(self, http: httpx.AsyncClient, headers: dict[str, str], say: Say) -> None:
        self._http = http
        self._headers = headers
        self._say = say
        self._since = time.monotonic()
        self._said = ""

    async def until(self, *, well: bool) -> float | None:
        """Seconds from now until the dashboard is well, or is not; None after PATIENCE_SECONDS."""
        self._since = time.monotonic()
        while time.monotonic() - self._since < PATIENCE_SECONDS:
            is_well = await self.look()
            if is_well == well:
                return time.monotonic() - self._since
            await asyncio.sleep(POLL_SECONDS)
        self._say(f"said after {PATIENCE_SECONDS:.0f} s still: {self._said}")
        return None

    async def look(self) -> bool:
        """Whether all is well now."""
        try:
            answer = await self._http.get(DASHBOARD, headers=self._headers, timeout=ANSWER_SECONDS)
        except httpx.HTTPError as error:
            return self._tell(f"no answer ({type(error).__name__})", well=False)
        if answer.status_code != httpx.codes.OK:
            return self._tell(words_of(answer), well=False)
        shown = answer.json()
        if "freshness" not in shown or "health" not in shown:
            raise NotCarriedOut(
                "this dashboard says nothing of freshness and health: a fault and its end cannot be shown"
            )
        sink, events = shown["event_sink"], shown["freshness"]["events"]
        words = f"200, sink {sink['status']}" + (f" ({sink['reason']})" if sink["reason"] else "")
        checks = [check for group in shown["health"]["checks"].values() for check in group]
        failing = [f", {check['output']}" for check in checks if check["status"] == "fail"]
        well = sink["status"] == "up" and events["status"] != "unknown" and not failing
        told = f"{words}, events {events['status']}/{events['reason']}{''.join(failing)}"
        return self._tell(told, well=well)

    def _tell(self, words: str, *, well: bool) -> bool:
        if words != self._said:
            self._said = words
            self._say(f"said {time.monotonic() - self._since:.2f} s: {words}")
        return well


async def watch(watching: FaultWatch, said: Callable[[], Any], answer: Say) -> int:
    """Follow the host's lines; ``said`` awaits the next one. Returns the exit code."""
    if not await watching.look():
        raise NotCarriedOut("the dashboard is not well to begin with: ./scripts/doctor")
    answer("ready")
    code = ALL_HELD
    for line, well, word in (("broken", False, "shown"), ("healed", True, "cleared")):
        if await said() != line:
            raise NotCarriedOut(f"the host ended before it said {line}")
        seconds = await watching.until(well=well)
        if seconds is None:
            return CLAIM_BROKE
        answer(f"{word} {seconds:.1f}")
        code = CLAIM_BROKE if seconds > LIMIT_SECONDS else code
    return code

"""``rehearse fault poison``: sends events that no sink can store, then a clean one that must still arrive.

Each of the former must be refused with 422; the clean one, under the rehearsal's mark, must show as the
newest event within LIMIT_SECONDS, and nothing may wait for the sink then.
"""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import httpx

from engines.common.rehearsal_mark import MARK
from engines.rehearsal.caller import DASHBOARD, NotCarriedOut, words_of
from engines.rehearsal.fault import LIMIT_SECONDS, PATIENCE_SECONDS, POLL_SECONDS
from engines.rehearsal.receipt import ALL_HELD, CLAIM_BROKE

ROUTE = "/analytics/events/pageview"

Say = Callable[[str], None]


def _event(**fields: Any) -> str:
    return json.dumps({"surface": "rehearsal", "metadata": MARK} | fields)


POISON: dict[str, str] = {
    "a lone surrogate in a field": _event(surface="\ud800"),
    "a lone surrogate in metadata": _event(metadata=MARK | {"note": "\udfff"}),
    "NaN": _event(metadata=MARK | {"score": float("nan")}),
    "infinity": _event(metadata=MARK | {"score": float("-inf")}),
    "an integer beyond 64 bits": _event(metadata=MARK | {"count": 2**63}),
    "a list inside a list": _event(metadata=MARK | {"grid": [[1, 2], [3]]}),
    "30 levels of nesting": _event(metadata=json.loads('{"a":' * 30 + "1" + "}" * 30)),
    "60,000 keys": _event(metadata={f"k{number}": number for number in range(60_000)}),
}
"""Bodies of page views by what is wrong with them."""


async def send_poison(
    http: httpx.AsyncClient, headers: dict[str, str], say: Say, patience_seconds: float = PATIENCE_SECONDS
) -> int:
    """Send everything and judge what is answered and shown; returns the exit code."""
    before = await _sink(http, headers)
    refused = [await _is_refused(http, headers, name, body, say) for name, body in POISON.items()]
    answer = await _post(http, headers, _event())
    if answer.status_code != httpx.codes.OK:
        raise NotCarriedOut(f"the clean event: {words_of(answer)}: ./scripts/doctor")
    seconds = await _until_shown(http, headers, before["last_write_at"], patience_seconds)
    if seconds is None:
        say(f"the clean event was not shown after {patience_seconds:.0f} s")
        return CLAIM_BROKE
    say(f"the clean event was shown after {seconds:.1f} s")
    return ALL_HELD if all(refused) and seconds <= LIMIT_SECONDS else CLAIM_BROKE


async def _is_refused(
    http: httpx.AsyncClient, headers: dict[str, str], name: str, body: str, say: Say
) -> bool:
    answer = await _post(http, headers, body)
    say(f"{name}: {answer.status_code} {_reason(answer)}".rstrip())
    return answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY


async def _post(http: httpx.AsyncClient, headers: dict[str, str], body: str) -> httpx.Response:
    return await http.post(ROUTE, content=body, headers=headers | {"Content-Type": "application/json"})


def _reason(answer: httpx.Response) -> str:
    try:
        said = answer.json()
    except ValueError:
        return ""
    return str(said.get("error") or said.get("detail") or "")[:200] if isinstance(said, dict) else ""


async def _until_shown(
    http: httpx.AsyncClient, headers: dict[str, str], before: str | None, patience_seconds: float
) -> float | None:
    """Seconds until a newer event is shown and nothing waits; None after ``patience_seconds``."""
    started = time.monotonic()
    while time.monotonic() - started < patience_seconds:
        sink = await _sink(http, headers)
        newer = sink["last_write_at"] is not None and sink["last_write_at"] != before
        if newer and sink["backlog"]["depth"] == 0:
            return time.monotonic() - started
        await asyncio.sleep(POLL_SECONDS)
    return None


async def _sink(http: httpx.AsyncClient, headers: dict[str, str]) -> dict[str, Any]:
    answer = await http.get(DASHBOARD, headers=headers)
    if answer.status_code != httpx.codes.OK:
        raise NotCarriedOut(f"the dashboard: {words_of(answer)}: ./scripts/doctor")
    found: dict[str, Any] = answer.json()["event_sink"]
    if "backlog" not in found:
        raise NotCarriedOut("this dashboard does not say whether events wait: what arrives cannot be shown")
    return found

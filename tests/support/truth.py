"""The truth table: what a dashboard must say of each fault, how soon it does, and the table of it."""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.support.app import Login, dashboard, send_pageview
from tests.support.sinks_in_trouble import PAYLOAD

AIM_SECONDS = 10.0
"""A fault shows within it, and so does its end."""
PATIENCE_SECONDS = 20.0
POLL_SECONDS = 0.25

Dashboard = dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What the dashboard says of a tenant's events: words of the indicator, of freshness and of the check."""

    sink: str
    reason: str | None
    events: str
    check: str

    def matches(self, wanted: "Verdict") -> bool:
        """Whether this is what is ``wanted``, whose reason and events are regular expressions."""
        reason = (
            wanted.reason is None if self.reason is None else re.search(wanted.reason or "$.", self.reason)
        )
        events = re.fullmatch(wanted.events, self.events)
        return bool(reason and events and (self.sink, self.check) == (wanted.sink, wanted.check))


def verdict(shown: Dashboard) -> Verdict:
    """The verdict of a dashboard. Sink and check must give the same reason when the probe fails."""
    sink, events = shown["event_sink"], shown["freshness"]["events"]
    [check] = shown["health"]["checks"]["event-sink:responseTime"]
    if check["status"] == "fail":
        # The check is the process's, and leaves the tenant's place in a target open.
        assert check["output"].replace("{tenant}", shown["tenant_id"]) == sink["reason"]
        assert shown["health"]["status"] == "fail"
    return Verdict(sink["status"], sink["reason"], f"{events['status']}/{events['reason']}", check["status"])


WELL = Verdict("up", None, "fresh/within_slo", "pass")


@dataclass
class Watch:
    """One app with the tenants A and B, and every answer that it gave."""

    http: httpx.AsyncClient
    a: Login
    b: Login
    answers: list[str] = field(default_factory=list)

    async def look(self, login: Login | None = None) -> Dashboard:
        """The dashboard of A, or of ``login``."""
        shown = await dashboard(self.http, login or self.a)
        self.answers.append(str(shown))
        return shown

    async def send(self, login: Login | None = None) -> httpx.Response:
        """One page view of A, or of ``login``, that carries PAYLOAD."""
        carried: dict[str, Any] = {"url": PAYLOAD, "metadata": {"text": PAYLOAD, PAYLOAD: 1}}
        answer = await send_pageview(self.http, login or self.a, **carried)
        self.answers.append(answer.text)
        return answer

    async def healthz(self) -> int:
        """The status of /healthz."""
        answer = await self.http.get("/healthz")
        self.answers.append(answer.text)
        return answer.status_code

    async def until(self, holds: Callable[[Dashboard], bool]) -> float:
        """Look until the dashboard of A is so; returns the seconds it took."""
        started = time.monotonic()
        while not holds(shown := await self.look()):
            assert time.monotonic() - started < PATIENCE_SECONDS, f"{verdict(shown)}\n{shown['event_sink']}"
            await asyncio.sleep(POLL_SECONDS)
        return time.monotonic() - started

    async def until_said(self, wanted: Verdict) -> float:
        """Look until the verdict on A is the wanted one; returns the seconds it took."""
        return await self.until(lambda shown: verdict(shown).matches(wanted))

    async def until_well(self) -> float:
        """Look until A is fresh, its sink up and nothing waits; returns the seconds it took."""
        return await self.until(
            lambda shown: verdict(shown).matches(WELL) and shown["event_sink"]["backlog"]["depth"] == 0
        )


@dataclass(frozen=True)
class Row:
    """One cell of the table."""

    sink: str
    fault: str
    said: Verdict
    writes: str
    detected: float
    recovered: float

    def __str__(self) -> str:
        reason = re.sub(TARGET, "", self.said.reason or "")
        sink = f"`{self.said.sink}`, {reason}" if reason else f"`{self.said.sink}`"
        times = f"{self.detected:.1f} s", f"{self.recovered:.1f} s"
        events = f"`{self.said.events}`"
        cells = self.sink, self.fault, sink, events, self.said.check, self.writes, *times
        return f"| {' | '.join(cells)} |"


HEAD = """\
| Sink | Fault | `event_sink` | `freshness.events` | Check | A write meanwhile | Shown | Over |
|---|---|---|---|---|---|---|---|"""
TARGET = re.compile(r"\S+[./]\S+: ")


def save(rows: list[str], path: Path) -> str:
    """Write the rows as a Markdown table; returns it."""
    table = "\n".join([HEAD, *rows])
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"# Truth table\n\n{table}\n")
    return table

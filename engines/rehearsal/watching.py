"""Watches the tenant's dashboard from the first write on: when was each section shown, complete and fresh?"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import httpx

from engines.rehearsal.caller import DASHBOARD, Caller
from engines.rehearsal.claims import Section

POLL_SECONDS = 0.25

Dashboard = Mapping[str, Any]
Shown = Callable[[Dashboard], bool]
"""Whether a dashboard shows all that was set of a section."""


def freshness_of(dashboard: Dashboard, section: Section) -> Mapping[str, Any] | None:
    """The freshness record of a section; None on a dashboard of the existing engines, which has none."""
    found: Mapping[str, Any] | None = dashboard.get("freshness", {}).get(section)
    return found


class Watching:
    """Polls in the background; its requests are no steps of the walk."""

    def __init__(self, owner: Caller, shown: Mapping[Section, Shown]) -> None:
        self._owner = owner
        self._shown = shown
        self._written: dict[Section, float] = {}
        self._seen: dict[Section, float] = {}
        self._complete = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.last: Dashboard = {}
        self.answer = "the dashboard was never served"

    def start(self) -> None:
        """Look from now on."""
        self._task = asyncio.create_task(self._poll())

    def wrote(self, *sections: Section) -> None:
        """The last write to these sections was just answered."""
        for section in sections:
            self._written[section] = time.monotonic()
            self._seen.pop(section, None)
            self._complete.clear()

    async def until_all_are_shown(self, seconds: float) -> None:
        """Wait until every section was seen complete and fresh, or until the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._complete.wait()

    async def stop(self) -> None:
        """Look no longer."""
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def seconds(self, section: Section) -> float | None:
        """From the last write of the section until it was seen; None when it never was."""
        if section not in self._seen or section not in self._written:
            return None
        return round(max(0.0, self._seen[section] - self._written[section]), 2)

    async def _poll(self) -> None:
        while True:
            await self._look()
            await asyncio.sleep(POLL_SECONDS)

    async def _look(self) -> None:
        asked = time.monotonic()
        try:
            answer = await self._owner.http.get(DASHBOARD, headers=self._owner.headers())
        except httpx.HTTPError as error:
            self.answer = f"no answer ({type(error).__name__})"
            return
        self.answer = str(answer.status_code)
        if answer.status_code != httpx.codes.OK:
            return
        self.last = answer.json()
        open_sections = [section for section in self._shown if not self._is_settled(section, asked)]
        if not open_sections:
            self._complete.set()

    def _is_settled(self, section: Section, asked: float) -> bool:
        """Whether no later look can tell more: it was seen, or the dashboard says nothing of freshness."""
        if section in self._seen:
            return True
        # What was written after the question cannot be in the answer.
        if self._written.get(section, asked) > asked:
            return False
        record = freshness_of(self.last, section)
        with suppress(LookupError, TypeError):  # a dashboard may lack a key, and then does not show it
            if (record is None or record["status"] == "fresh") and self._shown[section](self.last):
                self._seen[section] = time.monotonic()
        return record is None or section in self._seen

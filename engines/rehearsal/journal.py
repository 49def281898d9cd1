"""The journal of a rehearsal: every planned claim ends in it with a verdict, whatever happens on the way."""

import time
from collections.abc import Collection, Mapping

from engines.rehearsal.progress import Progress
from engines.rehearsal.receipt import Claim, Step, Verdict

MOST_TEXT = 300
"""Longest text of what was seen: an answer's own words are cut."""


class Journal:
    """Claims and steps in the order in which they ended."""

    def __init__(self, planned: Mapping[str, str], progress: Progress) -> None:
        self._planned = dict(planned)
        self._progress = progress
        self._began = self._since = time.monotonic()
        self.claims: list[Claim] = []
        self.steps: list[Step] = []
        self.absent: list[str] = []

    def lacking(self, *parts: str) -> str:
        """The routes with one of ``parts`` in their path that were asked for and are not there, in words."""
        return ", ".join(dict.fromkeys(r for r in self.absent if any(part in r for part in parts)))

    def judge_where(self, name: str, parts: tuple[str, ...], held: bool, seen: str) -> None:
        """As ``judge``, but unproven where a route with one of ``parts`` in its path is not there."""
        lacking = self.lacking(*parts)
        if lacking:
            self.leave(name, f"not there: {lacking}")
        else:
            self.judge(name, held, seen)

    @property
    def seconds(self) -> float:
        """Since the journal was opened."""
        return time.monotonic() - self._began

    def begin(self, name: str) -> None:
        """The next claim is looked into from now on."""
        self._since = time.monotonic()
        self._progress.doing(name)

    def judge(self, name: str, held: bool, seen: str, seconds: float | None = None) -> None:
        """A claim was tried, and this was seen. It took the time since it began, or ``seconds``."""
        self._end(name, "held" if held else "broken", seen, seconds)

    def judge_empty(self, name: str, statuses: Collection[str], seen: str) -> None:
        """That sections are never: broken when one is anything else, unproven when one could not be read."""
        if {*statuses} <= {"never", "unknown"} and "unknown" in statuses:
            self.leave(name, seen)
        else:
            self.judge(name, {*statuses} == {"never"}, seen)

    def leave(self, name: str, reason: str) -> None:
        """A claim cannot be proven here."""
        self._end(name, "unproven", reason)

    def close(self, reason: str) -> None:
        """What was planned and not reached is unproven."""
        for name in [name for name in self._planned if not self.has(name)]:
            self.leave(name, f"not reached: {reason}")

    def has(self, name: str) -> bool:
        """Whether the claim has its verdict."""
        return any(claim.name == name for claim in self.claims)

    def step(self, name: str, status: int | None, seconds: float) -> None:
        """A request was answered, or not (None)."""
        after = max(0.0, self.seconds - seconds)
        self.steps.append(Step(name=name, status=status, after=round(after, 3), seconds=round(seconds, 3)))

    def _end(self, name: str, verdict: Verdict, seen: str, known: float | None = None) -> None:
        seconds = round(time.monotonic() - self._since, 3) if known is None else known
        claim = Claim(
            name=name,
            expected=self._planned[name],
            seen=seen[:MOST_TEXT],
            verdict=verdict,
            seconds=seconds,
        )
        self.claims.append(claim)
        self._since = time.monotonic()
        told = "" if verdict == "held" else f": {claim.seen}"
        self._progress.done(f"  {verdict:8} {name} ({seconds:.1f} s){told}", lasting=verdict != "held")

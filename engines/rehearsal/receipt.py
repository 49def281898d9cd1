"""The receipt of a rehearsal: what was claimed, what was seen, and on what it ran. No secret, no payload."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

Verdict = Literal["held", "broken", "unproven"]
VERDICTS: tuple[Verdict, ...] = ("held", "broken", "unproven")

ALL_HELD, CLAIM_BROKE, BAD_USAGE, NOT_CARRIED_OUT = 0, 1, 2, 3
"""Exit codes. A claim that could not be proven is no success either: it counts as not carried out."""


class Claim(BaseModel):
    """What must be so, what was seen, and the verdict on it."""

    name: str
    expected: str
    seen: str
    verdict: Verdict
    seconds: float


class Step(BaseModel):
    """One request of the walk. ``status`` is null when nothing answered; ``after`` counts from the start."""

    name: str
    status: int | None
    after: float
    seconds: float


class SinkSeen(BaseModel):
    """The event sink as the dashboard reports it."""

    backend: str
    backend_class: str
    target: str
    kind: Literal["stand-in", "cloud"]


class Configuration(BaseModel):
    """The settings of the stack: names of those that are set, a digest of the values that are no secrets."""

    fingerprint: str
    names: list[str]


class Host(BaseModel):
    """What the container cannot know of itself; the host hands it in.

    ``own_bossman`` is the image of a Bossman that is not the kit's; empty where it is.
    """

    kit: str = ""
    own_bossman: str = ""
    project: str = ""
    images: dict[str, str] = {}


class Receipt(BaseModel):
    """One rehearsal. ``local``: the walked address is this stack, so host and settings are known."""

    version: Literal[1] = 1
    run: str
    name: str
    tenant_id: str | None = None
    env: str
    base_url: str
    local: bool = False
    began_at: datetime
    seconds: float = 0.0
    sink: SinkSeen | None = None
    time_to_first_fresh: dict[str, float | None] = {}
    claims: list[Claim] = []
    steps: list[Step] = []
    host: Host = Host()
    configuration: Configuration | None = None

    def count(self, verdict: Verdict) -> int:
        """How many claims have the verdict."""
        return sum(claim.verdict == verdict for claim in self.claims)

    @property
    def totals(self) -> str:
        """The counts in words."""
        return ", ".join(f"{self.count(verdict)} {verdict}" for verdict in VERDICTS)

    @property
    def exit_code(self) -> int:
        """See the codes above."""
        if self.count("broken"):
            return CLAIM_BROKE
        return ALL_HELD if self.claims and not self.count("unproven") else NOT_CARRIED_OUT

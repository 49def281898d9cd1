"""Progress of a tenant's onboarding in one env: which milestones it reached, and when first. Pure.

One small document per tenant and env, so that a list of tenants never reads the tenants' own records. Its
``rank`` is the order of the list: most missing milestones first, among equals the longest silent first.
"""

import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Literal, get_args

from pydantic import BaseModel

from engines.common.documents import Address, Scope
from engines.common.text import LONGEST, compared, without_invisible

PROGRESS = Address("onboarding_progress", "{tenant}_{env}")
FIRST_ENV = "dev"
"""Where onboarding starts: every tenant has progress there, elsewhere from its first milestone on."""

MAX_NAME = 200
MAX_SEARCHED = 80

Milestone = Literal[
    "tenant_created",
    "owner_joined",
    "first_event",
    "lock_approved",
    "temperature_configured",
    "kpi_configured",
    "first_usage",
    "preference_set",
]
MILESTONES: tuple[Milestone, ...] = get_args(Milestone)
"""In the order in which a tenant is best set up."""

State = Literal["no_events", "incomplete", "complete"]
STATES: tuple[State, ...] = get_args(State)

Times = Mapping[Milestone, datetime]


class Progress(BaseModel):
    """The document. ``silent_since`` is its newest event to the hour, or its beginning."""

    tenant_id: str
    env: str
    name: str
    searched: str
    reached: dict[Milestone, datetime]
    silent_since: datetime
    state: State
    rank: str
    backfilled: bool = False
    """Made from records of a time before milestones were noted: its times are "at the latest"."""
    rehearsal: bool = False
    """The tenant is a rehearsal's, see ``rehearsal_mark``: nobody waits for its onboarding."""

    @classmethod
    def of(
        cls,
        scope: Scope,
        name: str,
        reached: Times,
        silent_since: datetime | None = None,
        *,
        backfilled: bool = False,
        rehearsal: bool = False,
    ) -> "Progress":
        """Progress as the times say; ``reached`` holds at least one."""
        since = silent_since or reached.get("first_event") or min(reached.values())
        short = name[:MAX_NAME]
        return cls(
            tenant_id=scope.tenant_id,
            env=scope.env,
            name=short,
            searched=searched(short),
            reached=dict(reached),
            silent_since=since,
            state=_state(reached),
            rank=f"{len(reached)}-{since:%Y%m%dT%H%M%S}-{scope.tenant_id}-{scope.env}",
            backfilled=backfilled,
            rehearsal=rehearsal,
        )

    @property
    def missing(self) -> list[Milestone]:
        """What was not reached yet, in the order in which it is best done."""
        return [milestone for milestone in MILESTONES if milestone not in self.reached]

    def with_times(self, times: Times, newest_event: datetime | None) -> "Progress":
        """With what was reached since; the earliest time of each milestone stays."""
        earliest = dict(self.reached)
        for milestone, at in times.items():
            earliest[milestone] = min(at, earliest.get(milestone, at))
        # A first event ends the silence since the tenant's beginning, whatever that was.
        began = self.silent_since if "first_event" in self.reached else None
        newest = max((at for at in (newest_event, began) if at), default=self.silent_since)
        scope = Scope(self.tenant_id, self.env)
        kept = {"backfilled": self.backfilled, "rehearsal": self.rehearsal}
        return Progress.of(scope, self.name, earliest, newest, **kept)


def searched(text: str) -> str:
    """A name or the beginning of one in the form in which names are compared."""
    return compared(without_invisible(text[:LONGEST]).casefold()).strip()[:MAX_SEARCHED]


def searched_before(text: str) -> list[str]:
    """The forms that progress of an earlier release may have: its name's own normal form stayed."""
    plain = text.strip().casefold()
    forms = (unicodedata.normalize(form, plain[:LONGEST]) for form in ("NFC", "NFD"))
    return [form[:MAX_SEARCHED] for form in dict.fromkeys([plain, *forms])]


def _state(reached: Times) -> State:
    if "first_event" not in reached:
        return "no_events"
    return "complete" if len(reached) == len(MILESTONES) else "incomplete"

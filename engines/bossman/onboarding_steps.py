"""What a tenant is to do next, with the command that does it. Pure."""

from collections.abc import Callable
from typing import Any

from engines.bossman.onboarding_models import NextStep
from engines.bossman.pages.words import curl
from engines.logging.progress import Milestone, Progress

SURFACE = "squared"

WORDS: dict[Milestone, str] = {
    "tenant_created": "the tenant has no record",
    "owner_joined": "nobody owns it, and no route adds an owner: sign up a tenant of its own instead",
    "first_event": "send the first event",
    "lock_approved": "create and approve a strategy lock: the settings below need one",
    "temperature_configured": "set floors, ceilings or weights of the temperature",
    "kpi_configured": "define a KPI",
    "first_usage": "record the first usage",
    "preference_set": "decide on training, for the whole tenant",
}

Command = Callable[[Progress, str], str]


def next_step(progress: Progress, base: str) -> NextStep | None:
    """The first missing milestone; ``base`` is the address that its command calls."""
    if not progress.missing:
        return None
    milestone = progress.missing[0]
    command = COMMANDS.get(milestone)
    return NextStep(
        milestone=milestone,
        words=WORDS[milestone],
        command=command(progress, base) if command else None,
    )


def _call(method: str, path: str, **body: Any) -> Command:
    def command(progress: Progress, base: str) -> str:
        own = {"tenant_id": progress.tenant_id, "env": progress.env} | body
        return curl(base, method, path, progress.tenant_id, progress.env, own)

    return command


def _lock(progress: Progress, base: str) -> str:
    body = {"scope": "other", "title": "set-up", "surface": SURFACE, "allowed_actions": ["*"]}
    create = curl(base, "POST", "/strategy-locks", progress.tenant_id, progress.env, body)
    approve = curl(base, "PATCH", "/strategy-locks/LOCK/approve", progress.tenant_id, progress.env, None)
    approve = approve.replace("-X PATCH", "-X POST").replace("/LOCK/", '/"$lock"/')
    return f'lock=$({create} | sed \'s/.*"id":"\\([^"]*\\)".*/\\1/\') && {approve}'


COMMANDS: dict[Milestone, Command] = {
    "first_event": _call("POST", "/analytics/events/pageview", surface=SURFACE),
    "lock_approved": _lock,
    "temperature_configured": _call(
        "PUT", "/temperature/floors", surface=SURFACE, performance_floors={"clicks": 5}
    ),
    "kpi_configured": _call("POST", "/kpi/definitions", surface=SURFACE, name="orders"),
    "first_usage": _call("POST", "/budget/usage", surface=SURFACE, provider="openai", cost="0.10"),
    "preference_set": _call("POST", "/privacy/train-prefs/tenant", opt_out=False),
}
"""Each needs $token in the shell: that of an owner of the tenant."""

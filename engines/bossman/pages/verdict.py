"""The verdict: is the tenant alive, what is behind it, what to do. The first rule that applies wins. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from engines.bossman.clock_checks import CLOCK_SKEW
from engines.bossman.freshness import Section
from engines.bossman.health import CheckStatus
from engines.bossman.models import Dashboard
from engines.bossman.pages.words import visible
from engines.bossman.state_checks import DURABILITY, RESTORED
from engines.reconciliation.models import Loss

Level = Literal["fresh", "warn", "stale", "never", "unknown", "off", "down"]

DOCTOR = "./scripts/doctor"
ACKNOWLEDGE = "./scripts/verify acknowledge --state"
CLOCKS = "date -u && ./scripts/doctor"
LOGS = "docker compose logs --since 1h bossman"
KEEP_EVENTS = "NEXUS_BACKEND=firestore docker compose up -d --no-deps --no-build --wait bossman"

NAMES: dict[Section, str] = {
    "events": "Events",
    "temperature": "Temperature",
    "budget": "Budget",
    "kpi": "KPI",
    "strategy_locks": "Strategy locks",
    "firearms": "Firearms licences",
    "training_prefs": "Training preferences",
    "kill_switch": "Kill switch",
    "analytics": "Analytics",
}
"""What people call the sections, in the order of the tiles."""


FIRST_EVENT = "first event"
"""Stands for the command that sends an event, which names the tenant."""


@dataclass(frozen=True)
class Verdict:
    """One sentence in its parts; ``command`` is what to run, if anything."""

    level: Level
    word: str
    cause: str
    behind: str
    action: str
    command: str | None = None

    @property
    def rest(self) -> str:
        """The sentence after its first word."""
        return f"{self.cause}. Behind it: {self.behind}. {self.action}"


@dataclass(frozen=True)
class Finding:
    """A verdict without what is behind the tenant."""

    level: Level
    word: str
    cause: str
    action: str
    command: str | None = None


def judge(dashboard: Dashboard, first_event: str) -> Verdict:
    """The verdict on a dashboard; ``first_event`` is the command that sends an event."""
    found = next(rule for rule in (_rule(dashboard) for _rule in RULES) if rule)
    command = first_event if found.command == FIRST_EVENT else found.command
    return Verdict(found.level, found.word, found.cause, behind(dashboard), found.action, command)


def behind(dashboard: Dashboard) -> str:
    """The sink in a few words."""
    sink = dashboard.event_sink
    what = "a local stand-in" if sink.stand_in else "the real service"
    return f"{sink.backend}, nothing is kept" if sink.status == "off" else f"{sink.backend}, {what}"


def dead_letters(dashboard: Dashboard) -> int:
    """How many events the sink could never store; 0 where refused events are not kept."""
    return dashboard.event_sink.dead_letters or 0


def missing_words(dashboard: Dashboard) -> str:
    """What is missing, and of when; empty when nothing is known to be."""
    missing = dashboard.event_sink.missing
    return str(Loss(missing.events, missing.since, missing.until)) if missing else ""


def _state_store(dashboard: Dashboard) -> Finding | None:
    checks = dashboard.health.checks.get("document-store:responseTime", [])
    failed = next((check for check in checks if check.status == "fail"), None)
    if failed is None:
        return None
    cause = f"the state store {failed.componentId} fails ({_said(dashboard, failed.output)})"
    return Finding("down", "Half blind", cause, "Find the cause:", DOCTOR)


def _not_kept(dashboard: Dashboard) -> Finding | None:
    said = _check(dashboard, DURABILITY, "fail")
    if said is None:
        return None
    refused = said.startswith("writes are refused")
    word = "State store refuses writes" if refused else "State store cannot save"
    return Finding("down", word, said.partition(": ")[2] or said, "Find the cure:", DOCTOR)


def _restored(dashboard: Dashboard) -> Finding | None:
    said = _check(dashboard, RESTORED, "warn")
    if said is None:
        return None
    came, _, gone = said.partition(", ")
    action = "Store it again where you can, then say that you know:"
    return Finding("warn", f"State store {came}", gone, action, ACKNOWLEDGE)


def _clocks_apart(dashboard: Dashboard) -> Finding | None:
    said = _check(dashboard, CLOCK_SKEW, "warn")
    return Finding("unknown", "Clocks differ", said, "Look which one is off:", CLOCKS) if said else None


def _nearly_full(dashboard: Dashboard) -> Finding | None:
    said = _check(dashboard, DURABILITY, "warn")
    return Finding("warn", "State store nearly full", said, "Make room:", DOCTOR) if said else None


def _sink_down(dashboard: Dashboard) -> Finding | None:
    sink = dashboard.event_sink
    if sink.status != "down":
        return None
    cause = f"the event sink does not take events ({_said(dashboard, sink.reason)})"
    return Finding("down", "Not alive", cause, "Find the cause:", DOCTOR)


def _sink_off(dashboard: Dashboard) -> Finding | None:
    if dashboard.event_sink.status != "off":
        return None
    cause = "events are accepted and thrown away, because NEXUS_BACKEND is noop"
    return Finding("off", "Switched off", cause, "To keep events:", KEEP_EVENTS)


def _sink_unknown(dashboard: Dashboard) -> Finding | None:
    sink = dashboard.event_sink
    if sink.status != "unknown":
        return None
    return Finding(
        "unknown",
        "Cannot tell",
        f"the sink was not probed ({_said(dashboard, sink.reason)})",
        "Look:",
        DOCTOR,
    )


def _missing(dashboard: Dashboard) -> Finding | None:
    sink = dashboard.event_sink
    if sink.missing is None:
        return None
    command = f"./scripts/verify events --tenant {dashboard.tenant_id} --env {dashboard.env}"
    return Finding("warn", "Events missing", missing_words(dashboard), "See the hours:", command)


def _sink_degraded(dashboard: Dashboard) -> Finding | None:
    sink = dashboard.event_sink
    if sink.status != "degraded":
        return None
    cause = _said(dashboard, sink.reason)
    return Finding("warn", "Struggling", cause, "Look at the last hour:", LOGS)


def _refused(dashboard: Dashboard) -> Finding | None:
    count = dead_letters(dashboard)
    if not count:
        return None
    return Finding("warn", "Losing some", f"{count:,} events could not be stored", "Look at why:", LOGS)


def _stale(dashboard: Dashboard) -> Finding | None:
    late = list(_named(dashboard, "stale"))
    if not late:
        return None
    if dashboard.freshness["events"].status == "stale":
        cause = f"no event for longer than its limit; stale: {', '.join(late)}"
        return Finding("stale", "Gone quiet", cause, "Send one to see whether the way is open:", FIRST_EVENT)
    return Finding("stale", "Out of date", f"stale: {', '.join(late)}", "See the tiles for what to do.")


def _unknown(dashboard: Dashboard) -> Finding | None:
    unread = list(_named(dashboard, "unknown"))
    if not unread:
        return None
    return Finding("unknown", "Cannot tell", f"not readable: {', '.join(unread)}", "Find the cause:", DOCTOR)


def _waiting(dashboard: Dashboard) -> Finding | None:
    if dashboard.freshness["events"].status != "never":
        return None
    if dashboard.health.freshness == "stale":
        cause = "older than a day, and no event ever arrived"
        return Finding("stale", "Never started", cause, "Send the first one:", FIRST_EVENT)
    return Finding("never", "Waiting", "no event has arrived yet", "Send the first one:", FIRST_EVENT)


def _overdue(dashboard: Dashboard) -> Finding | None:
    if dashboard.health.freshness != "stale":
        return None
    due = [
        NAMES[name]
        for name, record in dashboard.freshness.items()
        if record.status == "never" and record.error_after_seconds is not None
    ]
    cause = f"events arrive, but after a day there is still nothing of: {', '.join(due)}"
    return Finding("warn", "Alive, half set up", cause, "See the tiles for what to do.")


def _warned(dashboard: Dashboard) -> Finding | None:
    late = list(_named(dashboard, "warn"))
    if not late:
        return None
    cause = f"getting old: {', '.join(late)}"
    return Finding("warn", "Alive, slowing", cause, "Watch it; nothing to do yet.")


def _fine(_: Dashboard) -> Finding | None:
    return Finding("fresh", "Alive", "events arrive and all that is set up is in time", "Nothing to do.")


RULES: tuple[Callable[[Dashboard], Finding | None], ...] = (
    _state_store,
    _not_kept,
    _sink_down,
    _restored,
    _sink_off,
    _sink_unknown,
    _missing,
    _sink_degraded,
    _refused,
    _stale,
    _clocks_apart,
    _unknown,
    _nearly_full,
    _waiting,
    _overdue,
    _warned,
    _fine,
)
"""Worst first; the last one always applies."""


def _named(dashboard: Dashboard, status: str) -> Iterator[str]:
    return (NAMES[name] for name in NAMES if dashboard.freshness[name].status == status)


def _check(dashboard: Dashboard, name: str, status: CheckStatus) -> str | None:
    """What the first check of the name and status says; None when there is none."""
    checks = dashboard.health.checks.get(name, [])
    found = next((check for check in checks if check.status == status), None)
    return _said(dashboard, found.output) if found else None


def _said(dashboard: Dashboard, reason: str | None) -> str:
    """What a store or sink said, about this tenant."""
    return visible((reason or "no reason given").replace("{tenant}", dashboard.tenant_id), 300)

"""The walk, in between: what the dashboard shows of all that was set, of the sink and of health.

A dashboard of the existing engines says nothing of freshness, of health and little of the sink. What only
that could prove is unproven there; what is shown wrong is broken all the same.
"""

from engines.rehearsal import claims
from engines.rehearsal.caller import NotCarriedOut
from engines.rehearsal.claims import Section
from engines.rehearsal.journal import Journal
from engines.rehearsal.receipt import Receipt, SinkSeen
from engines.rehearsal.watching import Dashboard, Watching, freshness_of

NO_FRESHNESS = "this dashboard says nothing of freshness"
SET_BY: dict[Section, tuple[str, ...]] = {
    "strategy_locks": ("/strategy-locks",),
    "temperature": ("/temperature/",),
    "kpi": ("/kpi/",),
    "budget": ("/budget/",),
    "firearms": ("/firearms/licences",),
    "analytics": ("/analytics/config", "/seo/"),
    "training_prefs": ("/privacy/",),
    "kill_switch": ("/kill-switches",),
}
"""In the paths of the routes that set a section."""


def judge_shown(watching: Watching, journal: Journal, receipt: Receipt) -> Dashboard:
    """Judge each section by when it was seen. Raises NotCarriedOut without any dashboard."""
    shown = watching.last
    if not shown:
        raise NotCarriedOut(f"no dashboard to look at: {watching.answer}")
    for section in claims.SECTIONS:
        seconds = watching.seconds(section)
        record = freshness_of(shown, section)
        if record is None:
            _judge_unsaid(journal, section, seconds)
            continue
        receipt.time_to_first_fresh[section] = seconds
        words = f"{record['status']}, {record['reason']}, but not complete"
        told = words if seconds is None else f"fresh after {seconds:.2f} s"
        journal.judge(claims.visible(section), seconds is not None, told, seconds)
    _judge_sink(journal, receipt, shown)
    return shown


def _judge_unsaid(journal: Journal, section: Section, seconds: float | None) -> None:
    """A section of a dashboard that says nothing of freshness: it may be shown, never proven fresh."""
    name = claims.visible(section)
    if seconds is not None:
        journal.leave(name, f"shown after {seconds:.2f} s; {NO_FRESHNESS}")
    elif section == "events":
        journal.leave(name, f"nothing says when the newest event was stored; {NO_FRESHNESS}")
    else:
        journal.judge_where(name, SET_BY[section], False, "not complete")


def _judge_sink(journal: Journal, receipt: Receipt, shown: Dashboard) -> None:
    if "status" not in shown["event_sink"] or "health" not in shown:
        journal.leave(claims.SINK_UP, f"event_sink says {', '.join(shown['event_sink'])} and no more")
        journal.leave(claims.HEALTHY, "this dashboard says nothing of health")
        return
    sink, health = shown["event_sink"], shown["health"]
    kind = "stand-in" if sink["stand_in"] else "cloud"
    named = {name: sink[name] for name in ("backend", "backend_class", "target")}
    receipt.sink = SinkSeen.model_validate(named | {"kind": kind})
    waiting, refused = sink["backlog"]["depth"], sink["dead_letters"]
    words = f"{sink['status']}, {sink['reason'] or 'no reason'}, {waiting} waiting, {refused or 0} refused"
    up = (sink["status"], waiting) == ("up", 0) and not refused
    journal.judge(claims.SINK_UP, up, words)
    healthy = (health["status"], health["freshness"]) == ("pass", "fresh")
    journal.judge(claims.HEALTHY, healthy, f"{health['status']}, {health['freshness']}")

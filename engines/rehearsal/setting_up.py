"""The walk, first half: an owner signs up and sets the tenant up, as the runbook tells it."""

from typing import Any

from engines.rehearsal import claims
from engines.rehearsal.caller import Caller, is_absent, json_of, words_of
from engines.rehearsal.claims import Section
from engines.rehearsal.visible import BLOCKED, COST, KPI, MEASUREMENT, METRIC, PROVIDER, SURFACE
from engines.rehearsal.watching import Watching

LOCK = {"scope": "other", "title": "Rehearsal", "surface": SURFACE, "allowed_actions": ["*"]}
AGENT = "rehearsal-agent"

Request = tuple[str, str, dict[str, Any], Section]


async def set_up(owner: Caller, watching: Watching, made: dict[str, str]) -> None:
    """Lock, settings, licence and switch; ``made`` gets the ids."""
    await _lock(owner, watching, made)
    await _settings(owner, watching, made)
    await _licence(owner)
    await _switch(owner)


async def _lock(owner: Caller, watching: Watching, made: dict[str, str]) -> None:
    journal = owner.journal
    journal.begin(claims.GATED)
    refused = [await _try_floors(owner)]
    asked = await owner.call("POST", "/strategy-locks", LOCK)
    if is_absent(asked):
        for name in (claims.GATED, claims.LOCK):
            journal.leave(name, "not there: POST /strategy-locks")
        return
    made["lock"] = str(json_of(asked, "id"))
    watching.wrote("strategy_locks", "events")  # each lock is audited, and an audit is an event
    refused.append(await _try_floors(owner))
    gated = set(refused) == {"409 strategy_lock_required"}
    journal.judge_where(claims.GATED, ("/temperature/floors",), gated, ", ".join(refused))
    journal.begin(claims.LOCK)
    approved = await owner.call("POST", f"/strategy-locks/{made['lock']}/approve")
    watching.wrote("strategy_locks")
    went = json_of(asked, "status"), json_of(approved, "status")
    journal.judge(claims.LOCK, went == ("draft", "approved"), ", then ".join(went))


async def _try_floors(owner: Caller) -> str:
    _, path, body, _ = requests(owner)[0]
    return words_of(await owner.call("PUT", path, body))


def requests(owner: Caller) -> list[Request]:
    """Everything that is set once the lock is approved, in order, and the section that shows it."""
    of_tenant = {"tenant_id": owner.tenant_id, "env": owner.env}
    own = of_tenant | {"surface": SURFACE}
    usage = {"provider": PROVIDER, "cost": COST, "metadata": {METRIC: 7}}
    corridor = {"kpi_name": KPI, "floor": 1, "ceiling": 9}
    page = {"page_type": "home", "title": "Rehearsal", "description": "Start"}
    config = f"/tenants/{owner.tenant_id}/analytics/config"
    licence = of_tenant | {"subject_type": "agent", "subject_id": AGENT, "level": "medium"}
    return [
        ("PUT", "/temperature/floors", own | {"performance_floors": {METRIC: 5}}, "temperature"),
        ("PUT", "/temperature/ceilings", own | {"ceilings": {METRIC: 50}}, "temperature"),
        ("PUT", "/temperature/weights", own | {"weights": {METRIC: 2}}, "temperature"),
        ("POST", "/kpi/definitions", own | {"name": KPI}, "kpi"),
        ("PUT", "/kpi/corridors", own | corridor, "kpi"),
        ("POST", "/budget/usage", own | usage, "budget"),
        ("GET", f"/temperature/current?surface={SURFACE}", {}, "temperature"),
        ("POST", "/firearms/licences", licence, "firearms"),
        ("PUT", config, own | {"ga4_measurement_id": MEASUREMENT}, "analytics"),
        ("PUT", "/seo/pages", own | page, "analytics"),
        ("POST", "/privacy/train-prefs/tenant", {"opt_out": False}, "training_prefs"),
        ("PUT", "/kill-switches", {"disable_providers": [BLOCKED]}, "kill_switch"),
    ]


async def _settings(owner: Caller, watching: Watching, made: dict[str, str]) -> None:
    journal = owner.journal
    journal.begin(claims.SET_UP)
    wanted, refused = requests(owner), []
    for method, path, body, section in wanted:
        answer = await owner.call(method, path, body or None)
        watching.wrote(section)
        if is_absent(answer):
            continue
        if answer.status_code != 200:
            refused.append(f"{method} {path}: {words_of(answer)}")
        elif section == "firearms":
            made["licence"] = str(json_of(answer, "id"))
    lacking = journal.lacking(*(path for _, path, _, _ in wanted))
    if lacking and not refused:
        journal.leave(claims.SET_UP, f"not there: {lacking}; all others 200")
    else:
        journal.judge(claims.SET_UP, not refused, "; ".join(refused) or f"{len(wanted)} requests, all 200")


async def _licence(owner: Caller) -> None:
    owner.journal.begin(claims.LICENCE)
    demo = "/firearms/licences/dangerous-demo/agent"
    seen = [
        words_of(await owner.call("POST", f"{demo}/{agent}")) for agent in (AGENT, "agent-without-licence")
    ]
    held = seen == ["200", "403 firearms_licence_required"]
    owner.journal.judge_where(claims.LICENCE, ("/firearms/",), held, ", then ".join(seen))


async def _switch(owner: Caller) -> None:
    owner.journal.begin(claims.SWITCH)
    body = {"tenant_id": owner.tenant_id, "env": owner.env, "surface": SURFACE, "provider": BLOCKED}
    seen = words_of(await owner.call("POST", "/budget/usage", body))
    blocked = seen == "403 kill_switch_blocked"
    owner.journal.judge_where(claims.SWITCH, ("/kill-switches", "/budget/"), blocked, seen)

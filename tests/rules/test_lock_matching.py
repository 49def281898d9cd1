"""domain.md section 1, matching: which lock decides, seen through the writes that need one."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from tests.support.callers import Caller
from tests.support.rules import Rules, Scenario, ago, ahead

CORRIDOR = "kpi:corridor_upsert"
REQUIRED = {"error": "strategy_lock_required", "action": CORRIDOR}

rules = Rules()


async def allowed(caller: Caller, surface: str | None = "squared") -> None:
    await caller.put("/kpi/corridors", caller.scoped(kpi_name="visits", surface=surface))


async def refused(caller: Caller, detail: Any = REQUIRED, surface: str | None = "squared") -> None:
    body = caller.scoped(kpi_name="visits", surface=surface)
    await caller.put("/kpi/corridors", body, 409, detail=detail)


async def three_wise(caller: Caller, **fields: Any) -> dict[str, str]:
    """Approve a lock that waits for a three-wise verdict; returns the refusal it causes."""
    lock = await caller.approved(CORRIDOR, three_wise_id="w_1", **fields)
    return {"error": "three_wise_verdict_required", "action": CORRIDOR, "lock_id": lock["id"]}


@rules("domain-1-match-01 no lock: refused, with action and without lock_id")
async def _(owner: Caller) -> None:
    await refused(owner)


@rules("domain-1-match-02 a draft decides nothing")
async def _(owner: Caller) -> None:
    await owner.lock(CORRIDOR)
    await refused(owner)


@rules("domain-1-match-03 a rejected lock decides nothing")
async def _(owner: Caller) -> None:
    lock = await owner.approved(CORRIDOR)
    await owner.post(f"/strategy-locks/{lock['id']}/reject")
    await refused(owner)


@rules("domain-1-match-04 an approved lock with the exact action allows")
async def _(owner: Caller) -> None:
    await owner.approved("other", CORRIDOR)
    await allowed(owner)


@rules("domain-1-match-05 the whole-word star allows every action")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    await allowed(owner)


@rules("domain-1-match-06 gap: kpi:* is a plain string, no wildcard")
async def _(owner: Caller) -> None:
    await owner.approved("kpi:*", "*:corridor_upsert", "**")
    await refused(owner)


@rules("domain-1-match-07 no allowed actions match nothing")
async def _(owner: Caller) -> None:
    await owner.approved()
    await refused(owner)


@rules("domain-1-match-08 an action in another case or with blanks is another action")
async def _(owner: Caller) -> None:
    await owner.approved(CORRIDOR.upper(), f" {CORRIDOR}", "kpi")
    await refused(owner)


@rules("domain-1-match-09 a lock that begins later is skipped")
async def _(owner: Caller) -> None:
    await owner.approved(CORRIDOR, valid_from=ahead(hours=1))
    await refused(owner)


@rules("domain-1-match-10 a lock that has ended is skipped")
async def _(owner: Caller) -> None:
    await owner.approved(CORRIDOR, valid_from=ago(days=2), valid_until=ago(seconds=1))
    await refused(owner)


@rules("domain-1-match-11 a lock within its window allows")
async def _(owner: Caller) -> None:
    await owner.approved(CORRIDOR, valid_from=ago(days=2), valid_until=ahead(hours=1))
    await allowed(owner)


@rules("domain-1-match-12 a window in another timezone is the same window")
async def _(owner: Caller) -> None:
    # Three hours from now on the clock of the wall, one hour ago in fact.
    ended = datetime.now(UTC) - timedelta(hours=1)
    await owner.approved(CORRIDOR, valid_until=ended.astimezone(timezone(timedelta(hours=4))).isoformat())
    await refused(owner)


@rules("domain-1-match-13 gap: a lock made for one surface authorises another")
async def _(owner: Caller) -> None:
    await owner.approved(CORRIDOR, surface="round")
    await allowed(owner, "squared")


@rules("domain-1-match-14 a lock without surface authorises any surface")
async def _(owner: Caller) -> None:
    await owner.approved(CORRIDOR)
    await allowed(owner, "squared")


@rules("domain-1-match-15 gap: a lock with a surface authorises an action without one")
async def _(owner: Caller) -> None:
    await owner.approved("*", surface="squared")
    await allowed(owner, None)
    await owner.put("/kill-switches", {"disable_autonomy": True})


@rules("domain-1-match-16 the scope plays no part")
async def _(owner: Caller) -> None:
    await owner.approved(CORRIDOR, scope="code_deploy")
    await allowed(owner)


@rules("domain-1-match-17 gap: constraints are never evaluated")
async def _(owner: Caller) -> None:
    await owner.approved(CORRIDOR, constraints={"max_writes": 0, "deny": [CORRIDOR]})
    await allowed(owner)


@rules("domain-1-match-18 a lock of another env does not count")
async def _(owner: Caller) -> None:
    await owner.within("prod").approved("*")
    await refused(owner)


@rules("domain-1-match-19 a lock of stage counts in staging")
async def _(owner: Caller) -> None:
    await owner.within("stage").approved("*")
    await allowed(owner.within("staging"))


@rules("domain-1-match-20 a lock of another tenant does not count")
async def _(owner: Caller) -> None:
    await (await owner.neighbour()).approved("*")
    await refused(owner)


@rules("domain-1-match-21 gap: a patch widens an approved lock")
async def _(owner: Caller) -> None:
    lock = await owner.approved("other")
    await refused(owner)
    await owner.patch(f"/strategy-locks/{lock['id']}", {"allowed_actions": [CORRIDOR]})
    await allowed(owner)


@rules("domain-1-match-22 a patched end counts")
async def _(owner: Caller) -> None:
    lock = await owner.approved(CORRIDOR, valid_until=ahead(hours=1))
    await allowed(owner)
    await owner.patch(f"/strategy-locks/{lock['id']}", {"valid_until": ago(seconds=1)})
    await refused(owner)


@rules("domain-1-match-23 a lock rejected and approved again counts")
async def _(owner: Caller) -> None:
    lock = await owner.approved(CORRIDOR)
    await owner.post(f"/strategy-locks/{lock['id']}/reject")
    await owner.post(f"/strategy-locks/{lock['id']}/approve")
    await allowed(owner)


@rules("domain-1-match-24 a refused write stores nothing")
async def _(owner: Caller) -> None:
    await refused(owner)
    assert await owner.get("/kpi/corridors") == []


@rules("domain-1-match-25 one lock allows many writes")
async def _(owner: Caller) -> None:
    await owner.approved(CORRIDOR)
    for _ in range(3):
        await allowed(owner)


@rules("domain-1-first-1 a three-wise lock refuses, naming itself and no verdict")
async def _(owner: Caller) -> None:
    await refused(owner, await three_wise(owner))


@rules("domain-1-first-2 gap: later locks are not tried after a three-wise refusal")
async def _(owner: Caller) -> None:
    detail = await three_wise(owner)
    await owner.approved("*")
    await refused(owner, detail)


@rules("domain-1-first-3 the lock inserted first decides, not the one approved first")
async def _(owner: Caller) -> None:
    first = await owner.lock(CORRIDOR)
    await three_wise(owner)
    await owner.post(f"/strategy-locks/{first['id']}/approve")
    await allowed(owner)


@rules("domain-1-first-4 locks of the asked surface come before all others")
async def _(owner: Caller) -> None:
    await three_wise(owner)
    await three_wise(owner, surface="round")
    await owner.approved(CORRIDOR, surface="squared")
    await allowed(owner, "squared")


@rules("domain-1-first-5 a three-wise lock of the asked surface beats an older one without")
async def _(owner: Caller) -> None:
    await owner.approved(CORRIDOR)
    detail = await three_wise(owner, surface="squared")
    await refused(owner, detail, "squared")
    await allowed(owner, "round")


@rules("domain-1-first-6 without an asked surface plain insertion order decides")
async def _(owner: Caller) -> None:
    detail = await three_wise(owner, surface="squared")
    await owner.approved(CORRIDOR)
    await refused(owner, detail, None)


@rules("domain-1-first-7 a three-wise lock outside its window is skipped")
async def _(owner: Caller) -> None:
    await three_wise(owner, valid_until=ago(seconds=1))
    await three_wise(owner, valid_from=ahead(hours=1))
    await owner.approved(CORRIDOR)
    await allowed(owner)


@rules("domain-1-first-8 a three-wise lock without the action is skipped")
async def _(owner: Caller) -> None:
    await owner.approved("other", three_wise_id="w_1")
    await owner.approved(CORRIDOR)
    await allowed(owner)


@rules("domain-1-first-9 the star on a three-wise lock refuses every action")
async def _(owner: Caller) -> None:
    lock = await owner.approved("*", three_wise_id="w_1")
    error = {"error": "three_wise_verdict_required", "lock_id": lock["id"]}
    action = "safety:kill_switch_update"
    await owner.put("/kill-switches", {}, 409, detail=error | {"action": action})
    await refused(owner, error | {"action": CORRIDOR})


@rules.table()
async def test_rule(scenario: Scenario, owner: Caller) -> None:
    await scenario(owner)

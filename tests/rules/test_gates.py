"""http.md section 13: which write needs which lock action, on which surface, from which role."""

from dataclasses import dataclass
from typing import Any

from engines.common.identity import ENVS
from tests.support.callers import Caller
from tests.support.rules import Rules, Scenario

rules = Rules()


@dataclass(frozen=True)
class Gated:
    """A write that needs a lock: path, action, body beside tenant and env, order of the role check."""

    name: str
    path: str
    action: str
    body: dict[str, Any]
    role_first: bool = False
    has_surface: bool = True

    def at(self, caller: Caller) -> str:
        return self.path.format(tenant=caller.tenant_id)

    def sent(self, caller: Caller, **other: Any) -> dict[str, Any]:
        return caller.scoped(**self.body) | other


HERE = {"surface": "squared"}
SEO_BODY = {"page_type": "home", "title": "t", "description": "d"}
GATED = [
    Gated("floors", "/temperature/floors", "temperature:upsert_floors", HERE),
    Gated("ceilings", "/temperature/ceilings", "temperature:upsert_ceilings", HERE),
    Gated("weights", "/temperature/weights", "temperature:upsert_weights", HERE),
    Gated("corridor", "/kpi/corridors", "kpi:corridor_upsert", HERE | {"kpi_name": "visits"}, True),
    Gated("analytics", "/tenants/{tenant}/analytics/config", "analytics:config_upsert", HERE),
    Gated("seo", "/seo/pages", "seo_page_config_update", HERE | SEO_BODY, True),
    Gated("kill-switch", "/kill-switches", "safety:kill_switch_update", {}, True, has_surface=False),
]


def needs_its_action(write: Gated) -> Scenario:
    async def scenario(owner: Caller) -> None:
        await owner.approved(*(other.action for other in GATED if other != write))
        detail = {"error": "strategy_lock_required", "action": write.action}
        await owner.put(write.at(owner), write.sent(owner), 409, detail=detail)
        await owner.approved(write.action)
        await owner.put(write.at(owner), write.sent(owner))

    return scenario


def asks_with_its_surface(write: Gated) -> Scenario:
    async def scenario(owner: Caller) -> None:
        await owner.approved("*", three_wise_id="w_1")
        await owner.approved(write.action, surface="squared")
        # Only a lock of the asked surface is tried before the older one that waits for a verdict.
        expected = 200 if write.has_surface else 409
        await owner.put(write.at(owner), write.sent(owner), expected)

    return scenario


def needs_owner_or_admin(write: Gated) -> Scenario:
    async def scenario(owner: Caller) -> None:
        await owner.approved("*")
        for role in ("member", "viewer"):
            refusal = "insufficient role for tenant"
            await owner.having(role).put(write.at(owner), write.sent(owner), 403, detail=refusal)
        await owner.having("admin").put(write.at(owner), write.sent(owner))

    return scenario


def looks_at_the_role_before_the_lock(write: Gated) -> Scenario:
    async def scenario(owner: Caller) -> None:
        await owner.having("member").put(write.at(owner), write.sent(owner), 403)

    return scenario


def compares_the_body(write: Gated) -> Scenario:
    async def scenario(owner: Caller) -> None:
        await owner.approved("*")
        env = "env mismatch with request context"
        for other in (*ENVS[1:], "qa"):
            await owner.put(write.at(owner), write.sent(owner, env=other), 400, detail=env)
        tenant = "tenant_id mismatch with request context"
        if "{tenant}" in write.path:
            tenant = "tenant mismatch in payload"
        await owner.put(write.at(owner), write.sent(owner, tenant_id="t_other"), 400, detail=tenant)

    return scenario


def has_its_order_of_body_and_role(write: Gated) -> Scenario:
    async def scenario(owner: Caller) -> None:
        foreign = write.sent(owner, env="prod")
        expected = 403 if write.role_first else 400
        await owner.having("viewer").put(write.at(owner), foreign, expected)

    return scenario


def compares_the_body_before_the_lock(write: Gated) -> Scenario:
    async def scenario(owner: Caller) -> None:
        await owner.put(write.at(owner), write.sent(owner, env="prod"), 400)

    return scenario


def validates_before_the_role(write: Gated) -> Scenario:
    async def scenario(owner: Caller) -> None:
        await owner.having("viewer").put(write.at(owner), {"disable_autonomy": "perhaps", "env": []}, 422)

    return scenario


for write in GATED:
    rules(f"http-13-{write.name}-1 needs a lock for {write.action}")(needs_its_action(write))
    asks = "its surface" if write.has_surface else "no surface"
    rules(f"http-13-{write.name}-2 asks with {asks}")(asks_with_its_surface(write))
    rules(f"http-13-{write.name}-3 needs owner or admin")(needs_owner_or_admin(write))
    rules(f"http-13-{write.name}-4 role before lock")(looks_at_the_role_before_the_lock(write))
    rules(f"http-13-{write.name}-8 body validation before role")(validates_before_the_role(write))
    if write.name != "kill-switch":
        order = "role before body match" if write.role_first else "body match before role"
        rules(f"http-13-{write.name}-5 other tenant or env in the body is 400")(compares_the_body(write))
        rules(f"http-13-{write.name}-6 {order}")(has_its_order_of_body_and_role(write))
        rules(f"http-13-{write.name}-7 body match before lock")(compares_the_body_before_the_lock(write))


UNGATED: list[tuple[str, str, dict[str, Any]]] = [
    ("budget usage", "/budget/usage", {"provider": "p"}),
    ("KPI definitions", "/kpi/definitions", {"name": "visits"}),
    ("locks", "/strategy-locks", {"scope": "other", "title": "t"}),
    ("licences", "/firearms/licences", {"subject_type": "agent", "subject_id": "a"}),
    ("train prefs", "/privacy/train-prefs/tenant", {"opt_out": True}),
    ("analytics events", "/analytics/events/pageview", {"surface": "squared"}),
]


def needs_no_lock(path: str, body: dict[str, Any]) -> Scenario:
    async def scenario(owner: Caller) -> None:
        await owner.post(path, owner.scoped(**body))

    return scenario


for number, (name, path, body) in enumerate(UNGATED, start=1):
    rules(f"http-13-ungated-{number} {name} need no lock")(needs_no_lock(path, body))


@rules.table()
async def test_rule(scenario: Scenario, owner: Caller) -> None:
    await scenario(owner)

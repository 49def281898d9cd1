"""Audit events: how a request becomes one, and what happens when it cannot be stored."""

from typing import Any

import pytest

from engines.common.errors import Unavailable
from engines.common.identity import RequestContext
from engines.dataset.events.schemas import DatasetEvent
from engines.logging.audit import Audit
from tests.support.records import PERSON, PipelineKit, stored_events


@pytest.fixture
def parts() -> PipelineKit:
    return PipelineKit()


def context(user_id: str | None = PERSON) -> RequestContext:
    return RequestContext(request_id="r-1", tenant_id="t_acme", env="staging", user_id=user_id)


@pytest.mark.parametrize(
    ("user_id", "agent", "actor"), [(PERSON, PERSON, "human"), (None, "system", "system")]
)
async def test_a_request_becomes_an_audit_event(
    parts: PipelineKit, user_id: str | None, agent: str, actor: str
) -> None:
    event_id = await Audit(parts.pipeline).emit(context(user_id), "strategy_lock.create")
    stored = await parts.only_event(env="staging")
    assert stored.event_id == event_id
    set_by_audit = {"analytics_event_type", "analytics_platform", "traceId", "requestId", "actorType"}
    unset = {
        name: None
        for name, info in DatasetEvent.model_fields.items()
        if info.annotation == str | None and name not in set_by_audit
    }
    assert len(unset) == 9
    assert stored.event.model_dump() == unset | {
        "tenantId": "t_acme",
        "env": "staging",
        "surface": "audit",
        "agentId": agent,
        "input": {},
        "output": {},
        "pii_flags": {"flags": [], "policy_reason": "no_pii_detected"},
        "train_ok": True,
        "metadata": {
            "action": "strategy_lock.create",
            "actor_type": actor,
            "request_id": "r-1",
            "trace_id": "r-1",
        },
        "analytics_event_type": "audit",
        "analytics_platform": "internal",
        "traceId": "r-1",
        "requestId": "r-1",
        "actorType": actor,
    }


async def test_surface_input_and_output_are_the_callers(parts: PipelineKit) -> None:
    given: dict[str, Any] = {"surface": "squared", "input": {"a": 1}, "output": {"b": 2}}
    await Audit(parts.pipeline).emit(context(), "firearms.issue", **given)
    event = (await parts.only_event(env="staging")).event
    assert {name: getattr(event, name) for name in given} == given


async def test_gap_d3_the_callers_metadata_overrides_action_and_ids(parts: PipelineKit) -> None:
    mine = {"action": "mine", "request_id": "mine", "actor_type": "mine", "more": 1}
    await Audit(parts.pipeline).emit(context(), "gate_chain.check", mine)
    event = (await parts.only_event(env="staging")).event
    assert event.metadata == mine | {"trace_id": "r-1"}
    assert (event.requestId, event.actorType) == ("r-1", "human")


async def test_the_callers_metadata_is_left_as_it_was(parts: PipelineKit) -> None:
    mine = {"more": 1}
    await Audit(parts.pipeline).emit(context(), "keys.upsert", mine)
    assert mine == {"more": 1}


@pytest.mark.parametrize("kind", ["retryable", "permanent", "misconfigured"])
async def test_an_audit_event_that_is_not_stored_is_503(parts: PipelineKit, kind: Any) -> None:
    parts.sink.faults["write"] = parts.fault(kind)
    with pytest.raises(Unavailable) as caught:
        await Audit(parts.pipeline).emit(context(), "firearms.revoke")
    assert caught.value.detail == {
        "error": "audit_not_stored",
        "action": "firearms.revoke",
        "reason": f"memory/events: {kind} failure",
    }
    assert (caught.value.status, caught.value.headers) == (503, {"Retry-After": "5"})
    assert await stored_events(parts.sink, env="staging") == []

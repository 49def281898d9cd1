"""What a lock opens through the gate, and the audit events of its life."""

from typing import Any

import pytest

from engines.common.documents import SYSTEM, StoreUnavailable
from engines.common.errors import Conflict
from engines.common.identity import Env, RequestContext
from engines.logging.audit import OUTBOX
from engines.storage.memory import MemoryDocumentStore
from engines.strategy_lock.models import STRATEGY_LOCKS, LockBody, StrategyLock
from engines.strategy_lock.service import StrategyLockService
from tests.support.app import MemoryKit, running
from tests.support.faults import FaultySink, FaultyStore
from tests.support.records import PERSON, PipelineKit, login_as, stored_events, stored_fields

ACTION = "kpi:corridor_upsert"


def context(tenant_id: str = "t_acme", env: Env = "dev") -> RequestContext:
    return RequestContext(tenant_id=tenant_id, env=env, user_id=PERSON)


async def approved(locks: StrategyLockService, **values: Any) -> StrategyLock:
    """A stored approved lock for ACTION, changed by ``values``."""
    defaults = {"scope": "other", "title": "a lock", "allowed_actions": [ACTION]}
    lock, _ = await locks.create(context(), LockBody.model_validate(defaults | values))
    return (await locks.approve(context(), lock.id))[0]


async def refusal(locks: StrategyLockService, asked: RequestContext, surface: str | None = None) -> Any:
    """What the gate says when it refuses ACTION."""
    with pytest.raises(Conflict) as caught:
        await locks.require(asked, ACTION, surface)
    return caught.value.detail


REQUIRED = {"error": "strategy_lock_required", "action": ACTION}


async def test_the_gate_is_closed_until_a_lock_is_approved_and_after_it_is_rejected(kit: MemoryKit) -> None:
    locks = kit.services.strategy_locks
    body = LockBody(scope="other", title="t", allowed_actions=[ACTION])
    lock, _ = await locks.create(context(), body)
    assert await refusal(locks, context()) == REQUIRED
    await locks.approve(context(), lock.id)
    await locks.require(context(), ACTION, "squared")
    await locks.reject(context(), lock.id)
    assert await refusal(locks, context()) == REQUIRED


async def test_the_gate_follows_the_clock(kit: MemoryKit) -> None:
    locks, opens = kit.services.strategy_locks, kit.clock.now.replace(hour=13)
    await approved(locks, valid_from=opens, valid_until=opens)
    assert await refusal(locks, context()) == REQUIRED
    kit.clock.now = opens
    await locks.require(context(), ACTION, None)
    kit.clock.advance(seconds=1)
    assert await refusal(locks, context()) == REQUIRED


@pytest.mark.parametrize(("tenant", "env"), [("t_globex", "dev"), ("t_acme", "staging")])
async def test_a_lock_opens_nothing_in_another_scope(kit: MemoryKit, tenant: str, env: Env) -> None:
    await approved(kit.services.strategy_locks, allowed_actions=["*"])
    assert await refusal(kit.services.strategy_locks, context(tenant, env)) == REQUIRED


async def test_a_lock_that_needs_a_verdict_refuses_and_is_named(kit: MemoryKit) -> None:
    locks = kit.services.strategy_locks
    lock = await approved(locks, three_wise_id="w_1")
    expected = {"error": "three_wise_verdict_required", "action": ACTION, "lock_id": lock.id}
    assert await refusal(locks, context()) == expected


async def test_locks_are_tried_by_creation_and_then_by_id(kit: MemoryKit) -> None:
    locks = kit.services.strategy_locks
    same_moment = [await approved(locks, three_wise_id="w_1") for _ in range(4)]
    kit.clock.advance(seconds=-1)
    older = await approved(locks, three_wise_id="w_1", surface="a")
    kit.clock.advance(seconds=1)
    assert (await refusal(locks, context()))["lock_id"] == older.id
    assert (await refusal(locks, context(), "b"))["lock_id"] == older.id
    await locks.reject(context(), older.id)
    assert (await refusal(locks, context()))["lock_id"] == min(lock.id for lock in same_moment)


async def test_a_store_outage_never_opens_the_gate() -> None:
    store = FaultyStore(MemoryDocumentStore())
    async with running(MemoryKit(store=store)) as kit:
        await approved(kit.services.strategy_locks)
        store.faults["scan"] = StoreUnavailable("memory: away")
        with pytest.raises(StoreUnavailable):
            await kit.services.strategy_locks.require(context(), ACTION, None)


async def test_creation_and_judgements_are_audited_and_the_answer_says_so(kit: MemoryKit) -> None:
    headers = login_as(kit, "owner").headers()
    answer = await kit.client.post("/strategy-locks", json={"scope": "other", "title": "t"}, headers=headers)
    path = f"/strategy-locks/{answer.json()['id']}"
    answers = [
        answer,
        *[await kit.client.post(f"{path}/{v}", headers=headers) for v in ("approve", "reject")],
    ]
    assert [one.headers["x-audit-status"] for one in answers] == ["stored"] * 3
    events = [stored.event for stored in await stored_events(kit.sink)]
    assert [(event.surface, event.agentId) for event in events] == [("strategy_lock", PERSON)] * 3
    assert [(event.metadata["action"], event.metadata["lock_id"]) for event in events] == [
        (f"strategy_lock.{verb}", answer.json()["id"]) for verb in ("create", "approve", "reject")
    ]


async def test_a_refused_request_is_not_audited(kit: MemoryKit) -> None:
    headers = login_as(kit, "owner").headers()
    answer = await kit.client.post("/strategy-locks/none/approve", headers=headers)
    assert answer.status_code == 404
    assert "x-audit-status" not in answer.headers
    assert await stored_events(kit.sink) == []


async def test_with_the_sink_down_the_change_stands_and_its_audit_waits() -> None:
    sink = FaultySink()
    async with running(MemoryKit(sink=sink)) as kit:
        sink.faults["write"] = PipelineKit.fault("retryable")
        headers = login_as(kit, "owner").headers()
        body = {"scope": "other", "title": "t"}
        answer = await kit.client.post("/strategy-locks", json=body, headers=headers)
        path = f"/strategy-locks/{answer.json()['id']}/approve"
        approval = await kit.client.post(path, headers=headers)
        for one in (answer, approval):
            assert (one.status_code, one.headers["x-audit-status"]) == (200, "pending")
        assert approval.json()["status"] == "approved"
        assert len(await kit.store.scan(OUTBOX, SYSTEM)) == 2
        sink.faults.clear()
        assert await kit.services.audit.drain(kit.store) == 2
        actions = [stored.event.metadata["action"] for stored in await stored_events(sink)]
        assert sorted(actions) == ["strategy_lock.approve", "strategy_lock.create"]


@pytest.mark.parametrize("fault", [f"put_all {OUTBOX.name}", f"put_all {STRATEGY_LOCKS.name}"])
async def test_a_lock_is_never_stored_without_its_audit_nor_the_other_way(fault: str) -> None:
    store = FaultyStore(MemoryDocumentStore())
    async with running(MemoryKit(store=store)) as kit:
        store.faults[fault] = StoreUnavailable("memory: away")
        headers = login_as(kit, "owner").headers()
        body = {"scope": "other", "title": "t"}
        assert (await kit.client.post("/strategy-locks", json=body, headers=headers)).status_code == 503
        assert await stored_fields(kit.store, STRATEGY_LOCKS) == []
        assert await kit.store.scan(OUTBOX, SYSTEM) == []
        assert await stored_events(kit.sink) == []

"""Audit events: how a request becomes one, and what happens when it cannot be stored."""

from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import BaseModel

from engines.common.collection import Collection
from engines.common.documents import SYSTEM, Address, KeyTaken, Scope, StoreRefused, StoreUnavailable
from engines.common.identity import RequestContext
from engines.dataset.events.schemas import DatasetEvent
from engines.logging.audit import OUTBOX, Audit, Change, PendingAudit, audit_event
from engines.logging.events import EventPipeline
from engines.nexus.backends.sink import Envelope, WriteReceipt
from engines.nexus.delivery import Delivery, Undelivered
from tests.support.app import QUICK
from tests.support.faults import FaultySink
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
    result = await parts.pipeline.log(audit_event(context(user_id), "strategy_lock.create", {}))
    stored = await parts.only_event(env="staging")
    assert stored.event_id == result.event_id
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
    await parts.pipeline.log(audit_event(context(), "firearms.issue", {}, **given))
    event = (await parts.only_event(env="staging")).event
    assert {name: getattr(event, name) for name in given} == given


async def test_gap_d3_the_callers_metadata_overrides_action_and_ids(parts: PipelineKit) -> None:
    mine = {"action": "mine", "request_id": "mine", "actor_type": "mine", "more": 1}
    await parts.pipeline.log(audit_event(context(), "gate_chain.check", mine))
    event = (await parts.only_event(env="staging")).event
    assert event.metadata == mine | {"trace_id": "r-1"}
    assert (event.requestId, event.actorType) == ("r-1", "human")


def test_the_callers_metadata_is_left_as_it_was() -> None:
    mine = {"more": 1}
    audit_event(context(), "keys.upsert", mine)
    assert mine == {"more": 1}


NOTES = Address("notes")
SCOPE = Scope("t_acme", "staging")


class Note(BaseModel):
    n: int


async def waiting(parts: PipelineKit) -> int:
    return len(await parts.store.scan(OUTBOX, SYSTEM))


async def test_a_change_and_its_audit_are_stored_together(parts: PipelineKit) -> None:
    notes = Collection(parts.store, NOTES, Note)
    writes = [notes.write(SCOPE, "x", Note(n=1), create=True)]
    change = Change(context(), "strategy_lock.create", {"lock_id": "x"})
    assert await Audit(parts.pipeline).put_all(parts.store, writes, change) == "stored"
    assert (await parts.only_event(env="staging")).event.metadata["lock_id"] == "x"
    assert await waiting(parts) == 0


@pytest.mark.parametrize("kind", ["retryable", "permanent", "misconfigured"])
async def test_with_the_sink_down_the_change_stands_and_its_audit_waits(
    parts: PipelineKit, kind: Any
) -> None:
    audit, notes = Audit(parts.pipeline), Collection(parts.store, NOTES, Note)
    parts.sink.faults["write"] = parts.fault(kind)
    change = Change(context(), "strategy_lock.approve", {"lock_id": "x"})
    record, status = await audit.mutate(parts.store, notes, "x", lambda _: Note(n=2), change)
    assert (record, status) == (Note(n=2), "pending")
    assert await waiting(parts) == 1
    assert await audit.drain(parts.store) == 0
    parts.sink.faults.clear()
    assert await audit.drain(parts.store) == 1
    assert (await parts.only_event(env="staging")).event.metadata["action"] == "strategy_lock.approve"
    assert await waiting(parts) == 0


async def test_a_refused_audit_that_is_a_dead_letter_stops_no_other(parts: PipelineKit) -> None:
    delivery = Delivery(parts.sink, parts.clock, letters=parts.store, limits=QUICK)
    audit = Audit(EventPipeline(parts.privacy, delivery, parts.clock), parts.clock)
    notes = Collection(parts.store, NOTES, Note)
    change = Change(context(), "firearms.issue", {})
    parts.sink.faults["write"] = parts.fault("permanent")
    parts.store.faults["put nexus_dead_letters"] = StoreUnavailable("memory: away")
    assert (await audit.mutate(parts.store, notes, "x", lambda _: Note(n=1), change))[1] == "pending"
    assert await waiting(parts) == 1
    parts.store.faults.clear()
    assert await audit.drain(parts.store) == 1
    assert (await waiting(parts), await delivery.undelivered(SCOPE)) == (0, Undelivered(0, None, 1))


async def test_a_change_that_is_refused_is_not_audited(parts: PipelineKit) -> None:
    notes = Collection(parts.store, NOTES, Note)
    await notes.put(SCOPE, "x", Note(n=1))
    again = [notes.write(SCOPE, "x", Note(n=2), create=True)]
    with pytest.raises(KeyTaken):
        await Audit(parts.pipeline).put_all(parts.store, again, Change(context(), "firearms.issue", {}))
    assert await waiting(parts) == 0
    assert await stored_events(parts.sink, env="staging") == []


async def test_an_audit_that_could_not_leave_the_outbox_is_sent_again_and_stored_once(
    parts: PipelineKit,
) -> None:
    audit, notes = Audit(parts.pipeline), Collection(parts.store, NOTES, Note)
    parts.store.faults[f"delete {OUTBOX.name}"] = StoreUnavailable("memory: away")
    change = Change(context(), "firearms.issue", {})
    await audit.put_all(parts.store, [notes.write(SCOPE, "x", Note(n=1), create=True)], change)
    assert await waiting(parts) == 1
    parts.store.faults.clear()
    assert await audit.drain(parts.store) == 1
    assert len(await stored_events(parts.sink, env="staging")) == 1


class Choosy(FaultySink):
    """Fails, as if it were away, for one event."""

    async def write(self, batch: Sequence[Envelope]) -> list[WriteReceipt]:
        if any(envelope.event.metadata.get("lock_id") == "bad" for envelope in batch):
            raise PipelineKit.fault("retryable")
        return await super().write(batch)


async def test_an_audit_that_fails_again_and_again_holds_up_no_other(parts: PipelineKit) -> None:
    parts.sink = Choosy()
    delivery = Delivery(parts.sink, parts.clock, limits=QUICK)
    audit = Audit(EventPipeline(parts.privacy, delivery, parts.clock), parts.clock)
    notes = Collection(parts.store, NOTES, Note)
    for lock_id in ("bad", "good"):
        parts.sink.faults["write"] = parts.fault("retryable")
        change = Change(context(), "strategy_lock.create", {"lock_id": lock_id})
        await audit.mutate(parts.store, notes, lock_id, lambda _: Note(n=1), change)
        parts.clock.advance(seconds=1)
    parts.sink.faults.clear()
    assert [await audit.drain(parts.store) for _ in range(2)] == [0, 1]
    assert (await parts.only_event(env="staging")).event.metadata["lock_id"] == "good"
    assert await waiting(parts) == 1


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"x": float("nan")}, "metadata is not a finite number"),
        ({"x": "\ud800"}, "metadata is not valid Unicode text"),
        ({str(key): 0 for key in range(60_000)}, "metadata holds too many values"),
    ],
    ids=["nan", "surrogate", "keys"],
)
async def test_a_change_whose_audit_no_sink_could_hold_is_refused_whole(
    parts: PipelineKit, metadata: dict[str, Any], words: str
) -> None:
    notes = Collection(parts.store, NOTES, Note)
    audit, change = Audit(parts.pipeline), Change(context(), "firearms.issue", metadata)
    with pytest.raises(StoreRefused, match=words):
        await audit.put_all(parts.store, [notes.write(SCOPE, "x", Note(n=1), create=True)], change)
    assert (await notes.get(SCOPE, "x"), await waiting(parts)) == (None, 0)


@pytest.mark.parametrize("kept", [True, False], ids=["letters", "no_letters"])
async def test_an_audit_accepted_before_that_no_sink_holds_stops_no_other(
    parts: PipelineKit, kept: bool
) -> None:
    letters = parts.store if kept else None
    delivery = Delivery(parts.sink, parts.clock, letters=letters, limits=QUICK)
    audit = Audit(EventPipeline(parts.privacy, delivery, parts.clock), parts.clock)
    outbox = Collection(parts.store, OUTBOX, PendingAudit)
    for name, value in (("bad", float("nan")), ("good", 1.0)):
        event = audit_event(context(), "firearms.issue", {"x": value})
        await outbox.put(SYSTEM, name, PendingAudit(event_id=name, created_at=parts.clock.now, event=event))
        parts.clock.advance(seconds=1)
    assert await audit.drain(parts.store) == (2 if kept else 1)
    assert (await parts.only_event(env="staging")).event_id == "good"
    assert (await delivery.undelivered(SCOPE)).dead_letters == (1 if kept else None)
    assert await waiting(parts) == (0 if kept else 1)

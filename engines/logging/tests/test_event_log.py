"""The event-log helper: the mapping of an entry, its ids, and its one kind of failure."""

import re
from typing import Any

import pytest
from pydantic import ValidationError

from engines.logging.event_log import EventLog, EventLogEntry, EventLogError, to_event
from tests.support.app import MemoryKit, running
from tests.support.records import PERSON, PipelineKit, stored_events


@pytest.fixture
def parts() -> PipelineKit:
    return PipelineKit()


def entry(**values: Any) -> EventLogEntry:
    defaults = {
        "event_type": "raw_asset_registered",
        "asset_type": "raw_asset",
        "asset_id": "a-1",
        "tenant_id": "t_acme",
    }
    return EventLogEntry.model_validate(defaults | values)


def test_a_full_entry_is_mapped_field_by_field() -> None:
    full = entry(
        user_id=PERSON,
        request_id="r-1",
        trace_id="x-1",
        actor_type="robot",
        origin_ref={"from": "upload"},
        episode_id="ep-1",
        metadata={"mine": 1},
        surface="media",
    )
    event = to_event(full, "prod")
    assert event.model_dump(exclude_none=True) == {
        "tenantId": "t_acme",
        "env": "prod",
        "surface": "media",
        "agentId": PERSON,
        "input": {
            "event_type": "raw_asset_registered",
            "asset_type": "raw_asset",
            "origin_ref": {"from": "upload"},
        },
        "output": {"asset_id": "a-1"},
        "pii_flags": {},
        "train_ok": True,
        "metadata": {
            "actor_type": "robot",
            "mine": 1,
            "request_id": "r-1",
            "trace_id": "x-1",
            "event_type": "raw_asset_registered",
            "asset_type": "raw_asset",
            "asset_id": "a-1",
            "origin_ref": {"from": "upload"},
            "episode_id": "ep-1",
        },
        "traceId": "x-1",
        "requestId": "r-1",
        "actorType": "robot",
    }


def test_a_bare_entry_has_the_contracts_defaults() -> None:
    event = to_event(entry(), "dev")
    assert (event.surface, event.agentId, event.actorType) == ("event", "system", "system")
    assert (event.requestId, event.traceId) == (None, None)
    assert event.metadata == {
        "actor_type": "system",
        "event_type": "raw_asset_registered",
        "asset_type": "raw_asset",
        "asset_id": "a-1",
        "origin_ref": {},
        "episode_id": None,
    }


@pytest.mark.parametrize(
    ("given", "actor"),
    [
        ({}, "system"),
        ({"user_id": PERSON}, "human"),
        ({"user_id": PERSON, "actor_type": "robot"}, "robot"),
        ({"actor_type": "robot"}, "robot"),
        ({"actor_type": ""}, "system"),
    ],
    ids=str,
)
def test_the_actor_is_given_or_human_with_a_user_or_system(given: dict[str, str], actor: str) -> None:
    event = to_event(entry(**given), "dev")
    assert (event.actorType, event.metadata["actor_type"]) == (actor, actor)


@pytest.mark.parametrize(
    "name", ["event_type", "asset_type", "asset_id", "origin_ref", "episode_id", "request_id", "trace_id"]
)
def test_gap_d3_the_entrys_own_fields_override_the_callers_metadata(name: str) -> None:
    full = entry(metadata={name: "mine"}, request_id="r-1", trace_id="x-1")
    assert to_event(full, "dev").metadata[name] == getattr(full, name)


def test_an_id_the_entry_does_not_have_stays_the_callers() -> None:
    assert to_event(entry(metadata={"request_id": "mine"}), "dev").metadata["request_id"] == "mine"


def test_gap_d4_the_two_actor_types_can_differ() -> None:
    event = to_event(entry(metadata={"actor_type": "mine"}), "dev")
    assert (event.metadata["actor_type"], event.actorType) == ("mine", "system")


@pytest.mark.parametrize("env", ["dev", "stage", "PROD", "local"])
async def test_the_env_is_the_process_env_as_it_is_written(env: str) -> None:
    async with running(MemoryKit(), ENV=env) as kit:
        await kit.services.event_log.write(entry())
        [stored] = await stored_events(kit.sink, env=env)
        assert stored.event.env == env


async def test_the_event_id_is_the_idempotency_key(parts: PipelineKit) -> None:
    log = EventLog(parts.pipeline, "dev")
    first, second = entry(event_id="e-1"), entry(event_id="e-1", asset_id="a-2")
    results = [await log.write(first), await log.write(second)]
    assert [(result.status, result.event_id) for result in results] == [("accepted", "e-1")] * 2
    assert (await parts.only_event()).event.output == {"asset_id": "a-1"}


def test_a_generated_event_id_is_a_new_uuid() -> None:
    ids = {entry().event_id for _ in range(5)}
    assert len(ids) == 5
    assert all(re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", event_id) for event_id in ids)


@pytest.mark.parametrize("event_id", ["a", "A.b_c:d-1", "0" * 128])
def test_event_ids_that_every_sink_can_store(event_id: str) -> None:
    assert entry(event_id=event_id).event_id == event_id


@pytest.mark.parametrize(
    "event_id", ["", " ", "a b", "a/b", ".", "..", "-a", "_a", "__a__", "é", "a\n", "0" * 129], ids=ascii
)
def test_another_event_id_is_refused(event_id: str) -> None:
    with pytest.raises(ValidationError) as caught:
        entry(event_id=event_id)
    assert [error["loc"] for error in caught.value.errors()] == [("event_id",)]


@pytest.mark.parametrize("tenant_id", ["", "system", "t_", "T_A", "t_a/b", "t_a\n", "t_é"], ids=ascii)
def test_another_tenant_id_is_refused(tenant_id: str) -> None:
    with pytest.raises(ValidationError) as caught:
        entry(tenant_id=tenant_id)
    assert [error["loc"] for error in caught.value.errors()] == [("tenant_id",)]


@pytest.mark.parametrize("kind", ["retryable", "permanent", "misconfigured"])
async def test_an_entry_that_is_not_stored_raises(parts: PipelineKit, kind: Any) -> None:
    parts.sink.faults["write"] = parts.fault(kind)
    with pytest.raises(EventLogError) as caught:
        await EventLog(parts.pipeline, "dev").write(entry())
    assert isinstance(caught.value, RuntimeError)
    assert str(caught.value) == f"event logging failed: memory/events: {kind} failure"
    assert await stored_events(parts.sink) == []


async def test_gap_c6_the_entrys_time_is_not_stored(parts: PipelineKit) -> None:
    written = entry(created_at="2020-01-01T00:00:00Z")
    await EventLog(parts.pipeline, "dev").write(written)
    stored = await parts.only_event()
    assert stored.ingested_at == parts.clock.now
    assert "2020" not in stored.model_dump_json()


async def test_an_entry_that_no_sink_holds_is_refused_with_its_place(parts: PipelineKit) -> None:
    with pytest.raises(EventLogError, match=r"input\[1\] is not a finite number"):
        await EventLog(parts.pipeline, "dev").write(entry(origin_ref={"x": [1, float("nan")]}))
    assert await stored_events(parts.sink) == []

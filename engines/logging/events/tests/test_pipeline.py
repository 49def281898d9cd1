"""The way of an event: what is scanned, what is decided, what is stored and what the caller gets."""

from datetime import timedelta
from typing import Any

import pytest

from engines.common.documents import Scope
from engines.dataset.events.schemas import DatasetEvent
from engines.logging.events import PipelineResult
from engines.logging.events.scan import scanned_text
from tests.support.records import PERSON, PipelineKit, dataset_event, stored_events

SCOPE = Scope("t_acme", "dev")


@pytest.fixture
def parts() -> PipelineKit:
    return PipelineKit()


def test_text_is_scanned_in_the_order_input_output_metadata() -> None:
    event = dataset_event(
        metadata={"m1": "five", "m2": "six"},
        output={"o": "four"},
        input={"b": "one", "a": "two", "c": "three"},
    )
    assert scanned_text(event) == "one two three four five six"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "text"),
        ("", ""),
        (12345, ""),
        (None, ""),
        (True, ""),
        (b"text", ""),
        (["text"], ""),
        ({"text": "text"}, ""),
    ],
    ids=repr,
)
def test_only_strings_at_the_top_level_are_scanned(value: Any, expected: str) -> None:
    assert scanned_text(dataset_event(input={"key": value})) == expected


def test_empty_text_keeps_its_space() -> None:
    assert scanned_text(dataset_event(input={"a": "", "b": ""}, output={"c": "x"})) == "  x"


@pytest.mark.parametrize("where", ["input", "output", "metadata"])
@pytest.mark.parametrize(
    ("text", "flags"),
    [("all clear", []), ("a@b.co", ["email"]), ("12345 4111111111111111", ["phone", "card", "postal"])],
)
async def test_flags_are_stored_with_their_reason_and_returned(
    parts: PipelineKit, where: str, text: str, flags: list[str]
) -> None:
    result = await parts.pipeline.log(dataset_event(**{where: {"text": text}}))
    stored = (await parts.only_event()).event
    assert stored.pii_flags == {
        "flags": flags,
        "policy_reason": "pii_masked" if flags else "no_pii_detected",
    }
    assert stored.train_ok is (not flags)
    assert result.pii_flags == flags


async def test_the_result_of_an_accepted_event(parts: PipelineKit) -> None:
    result = await parts.pipeline.log(dataset_event(), "e-1")
    assert result == PipelineResult(
        status="accepted", tenantId="t_acme", pii_flags=[], event_id="e-1", durable_in="sink"
    )
    assert result.model_dump(exclude_none=True) == {
        "status": "accepted",
        "tenantId": "t_acme",
        "pii_flags": [],
        "event_id": "e-1",
        "durable_in": "sink",
    }


async def test_the_stored_envelope_has_id_time_and_schema_version(parts: PipelineKit) -> None:
    result = await parts.pipeline.log(dataset_event())
    stored = await parts.only_event()
    assert (stored.event_id, stored.ingested_at, stored.schema_version) == (
        result.event_id,
        parts.clock.now,
        1,
    )


async def test_generated_ids_differ(parts: PipelineKit) -> None:
    ids = {(await parts.pipeline.log(dataset_event())).event_id for _ in range(20)}
    assert len(ids) == 20
    assert len(await stored_events(parts.sink)) == 20


async def test_every_field_is_stored_as_it_came(parts: PipelineKit) -> None:
    text_fields = [name for name, info in DatasetEvent.model_fields.items() if info.annotation == str | None]
    assert len(text_fields) == 14
    event = dataset_event(
        input={"n": 1, "nested": {"list": [1, {"x": None}]}},
        output={"text": "grüße 🚀"},
        metadata={"flag": True, "ratio": 0.5},
        **{name: f"value of {name}" for name in text_fields},
    )
    await parts.pipeline.log(event)
    decided = {"pii_flags": {"flags": [], "policy_reason": "no_pii_detected"}, "train_ok": True}
    assert (await parts.only_event()).event.model_dump() == event.model_dump() | decided


async def test_the_callers_flags_and_eligibility_are_replaced(parts: PipelineKit) -> None:
    claims: dict[str, Any] = {"pii_flags": {"flags": ["email"], "mine": 1}, "train_ok": False}
    await parts.pipeline.log(dataset_event(**claims))
    stored = (await parts.only_event()).event
    assert stored.pii_flags == {"flags": [], "policy_reason": "no_pii_detected"}
    assert stored.train_ok is True


@pytest.mark.parametrize("fails", [False, True])
async def test_the_event_passed_in_stays_as_it_was(parts: PipelineKit, fails: bool) -> None:
    event = dataset_event(input={"mail": "a@b.co", "list": [1, {"x": 1}]}, train_ok=True, metadata={"m": 1})
    before = event.model_copy(deep=True)
    if fails:
        parts.sink.faults["write"] = parts.fault("retryable")
    await parts.pipeline.log(event)
    assert event == before


async def test_what_the_caller_changes_later_is_not_what_is_stored(parts: PipelineKit) -> None:
    event = dataset_event(input={"list": [1]})
    await parts.pipeline.log(event)
    event.input["list"].append(2)
    assert (await parts.only_event()).event.input == {"list": [1]}


async def test_the_same_id_twice_is_one_record_and_both_are_accepted(parts: PipelineKit) -> None:
    first = await parts.pipeline.log(dataset_event(surface="first"), "e-1")
    parts.clock.advance(seconds=1)
    second = await parts.pipeline.log(dataset_event(surface="second"), "e-1")
    assert (first.status, second.status) == ("accepted", "accepted")
    stored = await parts.only_event()
    assert stored.event.surface == "first"
    assert stored.ingested_at == parts.clock.now - timedelta(seconds=1)


async def test_two_tenants_may_use_the_same_id(parts: PipelineKit) -> None:
    for tenant in ("t_acme", "t_globex"):
        await parts.pipeline.log(dataset_event(tenantId=tenant), "e-1")
    assert (await parts.only_event("t_acme")).event.tenantId == "t_acme"
    assert (await parts.only_event("t_globex")).event.tenantId == "t_globex"


@pytest.mark.parametrize(
    ("user_opt_out", "tenant_opt_out", "expected"),
    [(None, None, True), (True, None, False), (None, True, False), (True, False, False)],
)
async def test_eligibility_follows_the_preferences_of_the_agent(
    parts: PipelineKit, user_opt_out: bool | None, tenant_opt_out: bool | None, expected: bool
) -> None:
    for user, opt_out in ((PERSON, user_opt_out), (None, tenant_opt_out)):
        if opt_out is not None:
            await parts.privacy.set_preference(SCOPE, user, opt_out)
    await parts.pipeline.log(dataset_event(agentId=PERSON))
    assert (await parts.only_event()).event.train_ok is expected


@pytest.mark.parametrize("other", [{"tenantId": "t_globex"}, {"env": "prod"}], ids=["tenant", "env"])
async def test_preferences_of_another_scope_do_not_count(parts: PipelineKit, other: dict[str, str]) -> None:
    await parts.privacy.set_preference(SCOPE, None, opt_out=True)
    event = dataset_event(**other)
    await parts.pipeline.log(event)
    assert (await parts.only_event(event.tenantId, event.env)).event.train_ok is True

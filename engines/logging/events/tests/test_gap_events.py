"""Known gaps of train_ok and pii_flags, kept as they are; listed in docs/workflows/88mph/PHASE_04_GAPS.md."""

import random
from typing import Any

import pytest

from engines.common.documents import Scope
from engines.common.identity import RequestContext
from engines.dataset.events.schemas import DatasetEvent
from engines.logging.audit import audit_event
from engines.logging.event_log import EventLog, EventLogEntry
from engines.nexus.backends.sink import Envelope
from tests.support.records import PERSON, PipelineKit, dataset_event, stored_events

SCOPE = Scope("t_acme", "dev")


@pytest.fixture
def parts() -> PipelineKit:
    return PipelineKit()


async def stored(parts: PipelineKit, **values: Any) -> DatasetEvent:
    """The event as it is stored after the pipeline."""
    result = await parts.pipeline.log(dataset_event(**values))
    found = await stored_events(parts.sink, values.get("tenantId", "t_acme"), values.get("env", "dev"))
    return next(envelope.event for envelope in found if envelope.event_id == result.event_id)


async def test_gap_a1_the_request_id_decides_whether_an_audit_event_is_eligible(parts: PipelineKit) -> None:
    source = random.Random(20_260_115)
    for _ in range(1_000):
        context = RequestContext(
            request_id=f"{source.getrandbits(128):032x}", tenant_id="t_acme", env="dev", user_id=PERSON
        )
        await parts.pipeline.log(audit_event(context, "strategy_lock.create", {}))
    events = [envelope.event for envelope in await stored_events(parts.sink)]
    blocked = sum(not event.train_ok for event in events) / len(events)
    # Two copies of the id (request and trace) stand in the metadata.
    assert 0.15 <= blocked <= 0.27


@pytest.mark.parametrize(
    ("text", "flag"), [("2025-01-01", "phone"), ("10.20.30.40", "phone"), ("invoice 10001", "postal")]
)
async def test_gap_a2_a_date_or_number_in_metadata_blocks_training(
    parts: PipelineKit, text: str, flag: str
) -> None:
    event = await stored(parts, metadata={"when": text})
    assert (event.pii_flags["flags"], event.train_ok) == ([flag], False)


async def test_gap_a3_pii_is_made_across_fields(parts: PipelineKit) -> None:
    event = await stored(parts, input={"x": "1234"}, output={"y": "56789"})
    assert event.pii_flags["flags"] == ["phone", "postal"]


async def test_gap_a4_a_callers_refusal_to_be_trained_on_is_overwritten(parts: PipelineKit) -> None:
    assert (await stored(parts, train_ok=False)).train_ok is True


async def test_gap_a5_an_event_written_without_the_pipeline_is_trainable(parts: PipelineKit) -> None:
    event = dataset_event(input={"mail": "a@b.co"})
    await parts.sink.write([Envelope(event_id="e-1", ingested_at=parts.clock.now, event=event)])
    assert (await parts.only_event()).event.train_ok is True


@pytest.mark.parametrize("env", ["stage", "STAGING", "Staging"])
async def test_gap_a6_an_events_raw_env_misses_the_preference(parts: PipelineKit, env: str) -> None:
    await parts.privacy.set_preference(Scope("t_acme", "staging"), None, opt_out=True)
    assert (await stored(parts, env=env)).train_ok is True
    assert (await stored(parts, env="staging")).train_ok is False


async def test_gap_a6_the_event_log_uses_the_process_env_as_it_is_written(parts: PipelineKit) -> None:
    await parts.privacy.set_preference(Scope("t_acme", "staging"), None, opt_out=True)
    entry = EventLogEntry(event_type="t", asset_type="a", asset_id="x", tenant_id="t_acme")
    await EventLog(parts.pipeline, "stage").write(entry)
    assert (await parts.only_event(env="stage")).event.train_ok is True


@pytest.mark.parametrize("agent", ["system", "web", "media-upload", "any-client-chosen-name"])
async def test_gap_a7_a_fixed_agent_never_matches_the_users_opt_out(parts: PipelineKit, agent: str) -> None:
    await parts.privacy.set_preference(SCOPE, PERSON, opt_out=True)
    assert (await stored(parts, agentId=agent, metadata={"user_id": PERSON})).train_ok is True
    assert (await stored(parts, agentId=PERSON)).train_ok is False


async def test_gap_a8_a_users_opt_in_beats_the_tenants_opt_out(parts: PipelineKit) -> None:
    await parts.privacy.set_preference(SCOPE, None, opt_out=True)
    await parts.privacy.set_preference(SCOPE, PERSON, opt_out=False)
    assert (await stored(parts, agentId=PERSON)).train_ok is True


async def test_gap_a11_an_audit_event_is_trainable_like_user_content(parts: PipelineKit) -> None:
    context = RequestContext(request_id="r", tenant_id="t_acme", env="dev")
    await parts.pipeline.log(audit_event(context, "firearms.issue", {}))
    event = (await parts.only_event()).event
    assert (event.analytics_event_type, event.train_ok) == ("audit", True)


async def test_gap_a12_an_opt_out_changes_no_stored_event(parts: PipelineKit) -> None:
    assert (await stored(parts)).train_ok is True
    await parts.privacy.set_preference(SCOPE, PERSON, opt_out=True)
    assert (await parts.only_event()).event.train_ok is True


async def test_gap_a13_preferences_say_eligible_while_every_event_of_the_user_is_not(
    parts: PipelineKit,
) -> None:
    assert await parts.privacy.train_ok(SCOPE, PERSON, has_pii=False) is True
    assert (await stored(parts, input={"mail": "a@b.co"})).train_ok is False


@pytest.mark.parametrize(
    "content",
    [
        {"t": {"x": "a@b.co"}},
        {"t": ["a@b.co"]},
        {"t": {"deep": [{"er": "4111111111111111"}]}},
    ],
    ids=["map", "list", "deeper"],
)
async def test_gap_b1_nested_values_are_not_scanned(parts: PipelineKit, content: dict[str, Any]) -> None:
    event = await stored(parts, input=content)
    assert (event.pii_flags["flags"], event.train_ok) == ([], True)


@pytest.mark.parametrize(
    "content", [{"phone": 491234567890}, {"a@b.co": True}, {"card": 4.111e15}], ids=["int", "key", "float"]
)
async def test_gap_b2_numbers_and_keys_are_not_scanned(parts: PipelineKit, content: dict[str, Any]) -> None:
    assert (await stored(parts, metadata=content)).train_ok is True


@pytest.mark.parametrize(
    "name", ["agentId", "surface", "seo_slug", "seo_title", "utm_source", "asset_alt_text", "actorType"]
)
async def test_gap_b3_text_fields_of_the_event_are_not_scanned(parts: PipelineKit, name: str) -> None:
    event = await stored(parts, **{name: "a@b.co"})
    assert (event.pii_flags["flags"], event.train_ok) == ([], True)


async def test_gap_b4_stored_text_is_raw_although_the_reason_says_masked(parts: PipelineKit) -> None:
    event = await stored(parts, input={"mail": "a@b.co"})
    assert event.input == {"mail": "a@b.co"}
    assert event.pii_flags["policy_reason"] == "pii_masked"


async def test_gap_b5_flags_have_three_shapes(parts: PipelineKit) -> None:
    event = dataset_event(input={"mail": "a@b.co"})
    result = await parts.pipeline.log(event)
    assert event.pii_flags == {}
    assert result.pii_flags == ["email"]
    expected = {"flags": ["email"], "policy_reason": "pii_masked"}
    assert (await parts.only_event()).event.pii_flags == expected


async def test_gap_b6_the_callers_flags_are_discarded(parts: PipelineKit) -> None:
    assert (await stored(parts, pii_flags={"flags": ["email"]})).pii_flags["flags"] == []


async def test_gap_b7_an_error_carries_no_flags(parts: PipelineKit) -> None:
    parts.sink.faults["write"] = parts.fault("retryable")
    result = await parts.pipeline.log(dataset_event(input={"mail": "a@b.co"}))
    assert (result.status, result.pii_flags) == ("error", None)
    assert "pii_flags" not in result.model_dump(exclude_none=True)


@pytest.mark.parametrize(
    ("text", "flags"),
    [("+49 30 12345 678", ["phone", "postal"]), ("card 4111111111111111 thanks", ["phone", "card"])],
)
async def test_gap_b9_b10_overlapping_matches_are_flagged_and_the_text_is_kept_whole(
    parts: PipelineKit, text: str, flags: list[str]
) -> None:
    event = await stored(parts, input={"text": text})
    assert (event.pii_flags["flags"], event.input) == (flags, {"text": text})

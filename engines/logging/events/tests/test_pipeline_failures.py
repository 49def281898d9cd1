"""What cannot be stored is said by the result: never accepted, never raised, never half-stored."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from engines.common.documents import (
    Scope,
    StoreDenied,
    StoreError,
    StoreRefused,
    StoreTimeout,
    StoreUnavailable,
    Write,
)
from engines.dataset.events.schemas import DatasetEvent
from engines.logging.events import PipelineResult
from engines.logging.events.pipeline import EVERY_SINK
from engines.privacy.models import TRAINING_PREFERENCES
from tests.support.records import PERSON, PipelineKit, dataset_event, stored_events

NAIVE = datetime(2026, 1, 1, 12)  # noqa: DTZ001 - the missing timezone is the point


@pytest.fixture
def parts() -> PipelineKit:
    return PipelineKit()


def failure(error: str, kind: Any) -> PipelineResult:
    return PipelineResult(status="error", tenantId="t_acme", error=error, kind=kind, event_id="e-1")


@pytest.mark.parametrize("kind", ["retryable", "permanent", "misconfigured"])
async def test_a_sink_error_is_the_result(parts: PipelineKit, kind: Any) -> None:
    parts.sink.faults["write"] = parts.fault(kind)
    result = await parts.pipeline.log(dataset_event(), "e-1")
    assert result == failure(f"memory/events: {kind} failure", kind)
    assert await stored_events(parts.sink) == []


async def test_what_was_accepted_before_is_judged_by_the_sink_alone(parts: PipelineKit) -> None:
    event = dataset_event(input={"x": [[1]]})
    result = await parts.pipeline.log(event, "e-1", judged=True)
    expected = "process memory: input holds a list directly inside a list"
    assert result == failure(expected, "permanent")
    assert await stored_events(parts.sink) == []


async def test_row_18_a_tenant_whose_name_no_object_can_hold_is_refused(parts: PipelineKit) -> None:
    tenant = "t_" + "x" * 299
    result = await parts.pipeline.log(dataset_event(tenantId=tenant), "e-1")
    assert (result.status, result.kind) == ("error", "permanent")
    assert result.error == f"tenantId is longer than 300 bytes: {EVERY_SINK}"
    assert (await parts.pipeline.log(dataset_event(tenantId=tenant[:-1]), "e-2")).status == "accepted"


async def test_a_hanging_sink_is_a_retryable_failure(parts: PipelineKit) -> None:
    parts.sink.hanging.add("write")
    result = await parts.pipeline.log(dataset_event(), "e-1")
    assert result == failure("memory/events_{tenant}: no answer in time", "retryable")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (StoreUnavailable("memory: away"), "retryable"),
        (StoreTimeout("memory: away"), "retryable"),
        (StoreDenied("memory: away"), "retryable"),
        (StoreRefused("memory: away"), "permanent"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_a_preferences_outage_is_the_result_and_nothing_is_written(
    parts: PipelineKit, error: StoreError, kind: Any
) -> None:
    parts.store.faults["get"] = error
    result = await parts.pipeline.log(dataset_event(), "e-1")
    assert result == failure("training preferences: memory: away", kind)
    assert await stored_events(parts.sink) == []


async def test_a_retry_with_the_same_id_succeeds_after_the_fault(parts: PipelineKit) -> None:
    parts.sink.faults["write"] = parts.fault("retryable", "unreachable")
    first = await parts.pipeline.log(dataset_event(), "e-1")
    parts.sink.faults.clear()
    second = await parts.pipeline.log(dataset_event(), "e-1")
    assert (first.status, second.status) == ("error", "accepted")
    assert (await parts.only_event()).event_id == "e-1"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime(2026, 1, 1, 12, tzinfo=UTC), "2026-01-01T12:00:00Z"),
        (NAIVE, "2026-01-01T12:00:00"),
        (Decimal("10.50"), "10.50"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ({7}, [7]),
        (frozenset({"x"}), ["x"]),
        ((1, "a"), [1, "a"]),
        (b"bytes", "bytes"),
        ({1: {2: 3}}, {"1": {"2": 3}}),
    ],
    ids=repr,
)
@pytest.mark.parametrize("where", ["input", "output", "metadata"])
async def test_a_python_value_is_stored_in_its_json_form(
    parts: PipelineKit, where: str, value: Any, expected: Any
) -> None:
    result = await parts.pipeline.log(dataset_event(**{where: {"value": value}}))
    assert result.status == "accepted"
    assert getattr((await parts.only_event()).event, where) == {"value": expected}


def circular() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["self"] = value
    return value


def deep(levels: int) -> Any:
    value: Any = "leaf"
    for _ in range(levels):
        value = {"m": value}
    return value


NOT_JSON: dict[str, Any] = {
    "object": object(),
    "function": deep,
    "class": PipelineKit,
    "range": range(3),
    "bytes_not_utf8": b"\xff",
    "key_not_utf8": {b"\xff": 1},
}


@pytest.mark.parametrize("value", NOT_JSON.values(), ids=NOT_JSON.keys())
async def test_a_value_without_a_json_form_is_a_permanent_failure_and_nothing_is_written(
    parts: PipelineKit, value: Any
) -> None:
    result = await parts.pipeline.log(dataset_event(input={"value": value}), "e-1")
    assert result == failure("the event or its id cannot be written as JSON", "permanent")
    assert await stored_events(parts.sink) == []


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("\ud800", "input is not valid Unicode text"),
        (float("nan"), "input is not a finite number"),
        ([1, {"x": float("-inf")}], "input[1] is not a finite number"),
        ({float("inf")}, "input[0] is not a finite number"),
        (2**70, "input is an integer beyond 64 bits"),
        ([[1]], "input holds a list directly inside a list"),
        ({"": 1}, "a key in input is empty or reserved (__…__)"),
        ({"__x__": 1}, "a key in input is empty or reserved (__…__)"),
        (deep(30), "input is nested more than 20 levels deep"),
        (deep(400), "input is nested more than 20 levels deep"),
        (circular(), "input is nested more than 20 levels deep"),
        (
            {str(key): 0 for key in range(60_000)},
            "input holds too many values: more than 40000 index entries",
        ),
        ([0] * 45_000, "input holds too many values: more than 40000 index entries"),
        ("x" * 1_050_000, "input makes the record too large: more than 1048576 bytes"),
    ],
    ids=lambda value: ascii(value)[:20],
)
async def test_a_value_that_no_sink_holds_is_refused_at_the_door_with_its_place(
    parts: PipelineKit, value: Any, error: str
) -> None:
    parts.sink.faults["write"] = AssertionError("it reached the sink")
    result = await parts.pipeline.log(dataset_event(input={"value": value}), "e-1")
    assert result == failure(f"{error}: {EVERY_SINK}", "permanent")


TEXTS = [name for name, info in DatasetEvent.model_fields.items() if info.annotation in (str, str | None)]


@pytest.mark.parametrize("field", [name for name in TEXTS if name != "tenantId"])
async def test_text_outside_unicode_is_refused_in_every_field(parts: PipelineKit, field: str) -> None:
    result = await parts.pipeline.log(dataset_event(**{field: "a\ud800"}), "e-1")
    assert result == failure(f"{field} is not valid Unicode text: {EVERY_SINK}", "permanent")


@pytest.mark.parametrize("env", ["", "__dev__"])
async def test_an_env_that_cannot_name_a_field_is_refused(parts: PipelineKit, env: str) -> None:
    result = await parts.pipeline.log(dataset_event(env=env), "e-1")
    assert result == failure(f"env is empty or reserved (__…__): {EVERY_SINK}", "permanent")


async def test_what_a_caller_puts_into_pii_flags_is_not_judged(parts: PipelineKit) -> None:
    result = await parts.pipeline.log(dataset_event(pii_flags={"x": float("nan")}))
    assert result.status == "accepted"


async def test_a_preference_record_of_another_shape_is_a_failure_and_never_raised(parts: PipelineKit) -> None:
    scope = Scope("t_acme", "dev")
    malformed = {"user_id": PERSON, "opt_out": "perhaps"}
    await parts.store.put(Write(TRAINING_PREFERENCES, scope, PERSON, malformed))
    result = await parts.pipeline.log(dataset_event(agentId=PERSON), "e-1")
    assert result.status == "error"
    assert await stored_events(parts.sink) == []


@pytest.mark.parametrize("event_id", ["has spaces", "a/b", "x" * 129], ids=ascii)
async def test_an_event_id_that_no_sink_can_store_is_a_permanent_failure(
    parts: PipelineKit, event_id: str
) -> None:
    result = await parts.pipeline.log(dataset_event(), event_id)
    assert (result.status, result.kind, result.event_id) == ("error", "permanent", event_id)
    assert await stored_events(parts.sink) == []


async def test_a_cancelled_caller_is_not_answered_as_accepted(parts: PipelineKit) -> None:
    parts.sink.hanging.add("write")
    task = asyncio.ensure_future(parts.pipeline.log(dataset_event(), "e-1"))
    await parts.sink.asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await stored_events(parts.sink) == []

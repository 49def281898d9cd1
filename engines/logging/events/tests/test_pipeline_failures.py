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
from engines.logging.events import PipelineResult
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


async def test_a_sink_that_refuses_the_event_is_a_permanent_failure(parts: PipelineKit) -> None:
    result = await parts.pipeline.log(dataset_event(input={"x": [[1]]}), "e-1")
    expected = "process memory: input holds a list directly inside a list"
    assert result == failure(expected, "permanent")
    assert await stored_events(parts.sink) == []


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
        (float("nan"), None),
        (float("inf"), None),
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
    "circular": circular(),
    "too_deep": deep(400),
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
        ("\ud800", "process memory: input is not valid Unicode text"),
        (2**70, "process memory: input is an integer beyond 64 bits"),
        ({"": 1}, "process memory: a key in input is empty or reserved (__…__)"),
        (deep(30), "process memory: input is nested more than 20 levels deep"),
    ],
    ids=["surrogate", "int", "key", "deep"],
)
async def test_a_value_that_no_sink_holds_is_a_permanent_failure(
    parts: PipelineKit, value: Any, error: str
) -> None:
    result = await parts.pipeline.log(dataset_event(input={"value": value}), "e-1")
    assert result == failure(error, "permanent")


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

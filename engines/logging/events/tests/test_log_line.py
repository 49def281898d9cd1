"""What the pipeline says in the log: which event, never what it carried."""

import json
import logging
from typing import Any

import pytest

from engines.common.logs import JsonLines
from engines.dataset.events.schemas import DatasetEvent
from tests.support.records import PipelineKit, dataset_event

SHOWN = ("env", "surface", "analytics_event_type", "requestId", "traceId")
"""Fields that name an event in the log line. They are the caller's text, see the gap test below."""


@pytest.fixture
def parts() -> PipelineKit:
    return PipelineKit()


def secret(name: str) -> str:
    """A secret of its own for each field, with an address, a phone and a card in it."""
    return f"hunter2-{name}-{name.lower()}@example.com +49 30 1234567 4111111111111111"


def full_event(**values: Any) -> DatasetEvent:
    """An event with a secret in every field that holds content."""
    text = {
        name: secret(name)
        for name, info in DatasetEvent.model_fields.items()
        if info.annotation == str | None and name not in SHOWN
    }
    content = {
        name: {"text": secret(name), "nested": {"list": [secret(f"{name}nested")]}, secret(f"{name}key"): 1}
        for name in ("input", "output", "metadata", "pii_flags")
    }
    return dataset_event(agentId=secret("agentId"), **text | content | values)


def everything_logged(caplog: pytest.LogCaptureFixture) -> str:
    formatted = [f"{record.getMessage()} {record.exc_text} {record.__dict__}" for record in caplog.records]
    return "\n".join(formatted)


async def test_a_stored_event_is_one_line_with_exactly_these_fields(
    parts: PipelineKit, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await parts.pipeline.log(
        full_event(analytics_event_type="pageview", requestId="r", traceId="t", surface="squared"), "e-1"
    )
    [record] = caplog.records
    assert (record.name, record.levelname) == ("engines.events", "INFO")
    assert record.getMessage() == "event e-1 stored"
    assert record.__dict__["fields"] == {
        "tenantId": "t_acme",
        "event": {
            "event_id": "e-1",
            "env": "dev",
            "surface": "squared",
            "analytics_event_type": "pageview",
            "pii_flags": ["email", "phone", "card"],
            "train_ok": False,
            "requestId": "r",
            "traceId": "t",
        },
    }


@pytest.mark.parametrize(
    "outcome", ["stored", "retryable", "permanent", "misconfigured", "refused", "no_json"]
)
async def test_no_content_reaches_any_log(
    parts: PipelineKit, caplog: pytest.LogCaptureFixture, outcome: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    values: dict[str, Any] = {}
    if outcome in ("retryable", "permanent", "misconfigured"):
        parts.sink.faults["write"] = parts.fault(outcome)
    elif outcome == "refused":
        values["output"] = {"value": [[secret("output")]]}
    elif outcome == "no_json":
        values["output"] = {"value": object(), "text": secret("output")}
    result = await parts.pipeline.log(full_event(**values), "e-1")
    assert result.status == ("accepted" if outcome == "stored" else "error")
    assert "hunter2" not in everything_logged(caplog)
    assert "example.com" not in everything_logged(caplog)
    assert "4111111111111111" not in everything_logged(caplog)
    # Libraries that the same worker has loaded may say something of their own.
    assert len([record for record in caplog.records if record.name.startswith("engines")]) == 1


async def test_a_failure_is_one_warning_that_names_event_tenant_and_cause(
    parts: PipelineKit, caplog: pytest.LogCaptureFixture
) -> None:
    parts.sink.faults["write"] = parts.fault("retryable")
    await parts.pipeline.log(dataset_event(), "e-1")
    [record] = caplog.records
    assert (record.name, record.levelname) == ("engines.logging.events.pipeline", "WARNING")
    assert record.getMessage() == "event e-1 of t_acme not stored: memory/events: retryable failure"


async def test_a_key_of_the_event_never_reaches_a_log(
    parts: PipelineKit, caplog: pytest.LogCaptureFixture
) -> None:
    result = await parts.pipeline.log(dataset_event(input={secret("key"): [[1]]}), "e-1")
    assert result.status == "error"
    assert "hunter2" not in everything_logged(caplog)


async def test_a_line_break_in_an_event_never_makes_a_second_line(
    parts: PipelineKit, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await parts.pipeline.log(dataset_event(surface="a\nb", requestId="c\r\nd"), "e-1")
    [record] = caplog.records
    assert not {"\n", "\r"} & set(JsonLines().format(record))


@pytest.mark.parametrize("name", SHOWN)
async def test_gap_free_text_of_the_fields_that_name_an_event_is_shown(
    parts: PipelineKit, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    caplog.set_level(logging.INFO)
    await parts.pipeline.log(dataset_event(**{name: "a@b.co"}))
    assert json.loads(JsonLines().format(caplog.records[0]))["event"][name] == "a@b.co"

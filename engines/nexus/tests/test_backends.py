"""The choice of the sink, and the one that discards."""

import pytest

from engines.nexus.backends import get_backend
from engines.nexus.backends.noop import NoopSink
from engines.nexus.backends.sink import (
    Envelope,
    SinkDescription,
    SinkError,
    SinkMisconfigured,
    SinkPermanent,
    SinkRetryable,
    WriteReceipt,
)
from tests.support.app import MovableClock, settings
from tests.support.records import dataset_event


def test_noop_is_chosen_by_its_name() -> None:
    assert type(get_backend(settings(NEXUS_BACKEND="noop"), None)) is NoopSink


def test_firestore_without_a_client_is_never_replaced_by_something_else() -> None:
    wanted = settings(NEXUS_BACKEND="firestore", GCP_PROJECT_ID="p")
    with pytest.raises(AssertionError, match="refuse the firestore sink without a project"):
        get_backend(wanted, None)


def test_noop_says_that_it_discards() -> None:
    assert NoopSink().describe() == SinkDescription(
        "noop", "NoopSink", "nowhere", stand_in=False, discards=True
    )


async def test_noop_takes_everything_and_keeps_nothing() -> None:
    sink, now = NoopSink(), MovableClock().now
    batch = [Envelope(event_id=f"e-{n}", ingested_at=now, event=dataset_event()) for n in range(3)]
    assert await sink.write(batch) == [WriteReceipt(f"e-{n}", "stored") for n in range(3)]
    await sink.probe()
    assert await sink.latest("t_acme", "dev") is None
    assert [stored async for stored in sink.scan("t_acme", "dev")] == []
    await sink.close()
    await sink.close()


@pytest.mark.parametrize(
    ("error", "kind"),
    [(SinkRetryable, "retryable"), (SinkPermanent, "permanent"), (SinkMisconfigured, "misconfigured")],
)
def test_a_sink_error_names_target_cause_kind_and_reason(error: type[SinkError], kind: str) -> None:
    raised = error("project/events", "it is away", "unreachable")
    assert str(raised) == "project/events: it is away"
    assert (raised.target, raised.cause, raised.reason, raised.kind) == (
        "project/events",
        "it is away",
        "unreachable",
        kind,
    )
    assert error("t", "c").reason == "error"

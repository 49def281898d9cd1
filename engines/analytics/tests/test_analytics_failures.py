"""Analytics events that cannot be stored: an honest status, and no half of them left."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from engines.analytics.models import ANALYTICS_EVENTS, PageviewBody
from engines.common.documents import StoreDenied, StoreError, StoreRefused, StoreTimeout, StoreUnavailable
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import UNKNOWN_OUTCOME, WITHOUT_KEY, MemoryKit, running
from tests.support.faults import FaultySink, FaultyStore
from tests.support.records import PipelineKit, login_as, stored_events, stored_fields

BOTH = pytest.mark.parametrize("path", ["pageview", "cta-click"])
TEXTS = sorted(set(PageviewBody.model_fields) - {"metadata"})
"""Every text of a body."""
BODY = {"surface": "squared", "url": "https://shop.invalid/"}


@pytest.fixture
async def faulty() -> AsyncIterator[MemoryKit]:
    """A running app whose store and sink fail on demand."""
    kit = MemoryKit(sink=FaultySink(), store=FaultyStore(MemoryDocumentStore()))
    async with running(kit):
        yield kit


def nested(levels: int) -> Any:
    """A value below ``levels`` maps."""
    return json.loads('{"m":' * levels + "1" + "}" * levels)


async def post(kit: MemoryKit, path: str, **body: Any) -> Any:
    headers = login_as(kit, "member").headers()
    return await kit.client.post(f"/analytics/events/{path}", json=BODY | body, headers=headers)


async def left_behind(kit: MemoryKit) -> tuple[int, int]:
    """How many raw records and events are stored."""
    return len(await stored_fields(kit.store, ANALYTICS_EVENTS)), len(await stored_events(kit.sink))


@BOTH
@pytest.mark.parametrize(
    ("kind", "status", "retry_after"),
    [("retryable", 503, "5"), ("misconfigured", 503, "5"), ("permanent", 422, None)],
)
async def test_a_failing_sink_is_an_error_and_the_raw_record_is_taken_back(
    faulty: MemoryKit, path: str, kind: Any, status: int, retry_after: str | None
) -> None:
    faulty.sink.faults["write"] = PipelineKit.fault(kind)
    answer = await post(faulty, path)
    assert answer.status_code == status
    assert answer.headers.get("retry-after") == retry_after
    body = answer.json()
    assert body == {
        "status": "error",
        "tenantId": "t_acme",
        "error": f"memory/events: {kind} failure" + (f"; {WITHOUT_KEY}" if status == 503 else ""),
        "event_id": body["event_id"],
    }
    assert await left_behind(faulty) == (0, 0)


@BOTH
async def test_a_hanging_sink_is_503_in_bounded_time(faulty: MemoryKit, path: str) -> None:
    faulty.sink.hanging.add("write")
    answer = await post(faulty, path)
    said = f"memory/events_{{tenant}}: no answer in time; {WITHOUT_KEY}"
    assert (answer.status_code, answer.json()["error"]) == (503, said)
    assert await left_behind(faulty) == (0, 0)


@BOTH
async def test_a_retry_after_the_fault_stores_one_of_each(faulty: MemoryKit, path: str) -> None:
    faulty.sink.faults["write"] = PipelineKit.fault("retryable")
    await post(faulty, path)
    faulty.sink.faults.clear()
    assert (await post(faulty, path)).status_code == 200
    assert await left_behind(faulty) == (1, 1)


@BOTH
@pytest.mark.parametrize("error", [StoreUnavailable, StoreTimeout, StoreDenied, StoreError])
async def test_a_store_that_fails_first_is_503_and_no_event_is_sent(
    faulty: MemoryKit, path: str, error: type[StoreError]
) -> None:
    faulty.store.faults["put analytics_events"] = error("memory: away")
    answer = await post(faulty, path)
    detail = {"error": "state_store_unavailable", "reason": "memory: away"} | UNKNOWN_OUTCOME
    assert (answer.status_code, answer.json()) == (503, {"detail": detail})
    assert answer.headers["retry-after"] == "5"
    assert await left_behind(faulty) == (0, 0)


@BOTH
async def test_a_store_that_refuses_the_record_is_422_and_no_event_is_sent(
    faulty: MemoryKit, path: str
) -> None:
    faulty.store.faults["put analytics_events"] = StoreRefused("memory: why")
    answer = await post(faulty, path)
    expected = {"detail": "the store cannot hold this record: memory: why"}
    assert (answer.status_code, answer.json()) == (422, expected)
    assert await left_behind(faulty) == (0, 0)


@BOTH
async def test_a_preferences_outage_is_503_and_nothing_is_left(faulty: MemoryKit, path: str) -> None:
    faulty.store.faults["get training_preferences"] = StoreUnavailable("memory: away")
    answer = await post(faulty, path)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert answer.json()["error"] == f"training preferences: memory: away; {WITHOUT_KEY}"
    assert await left_behind(faulty) == (0, 0)


@BOTH
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"metadata": {"x": [[1]]}}, "metadata holds a list directly inside a list"),
        ({"metadata": {"x": [0, 2**63]}}, "metadata[1] is an integer beyond 64 bits"),
        ({"metadata": {"": 1}}, "a key in metadata is empty or reserved"),
        ({"metadata": {"__x__": 1}}, "a key in metadata is empty or reserved"),
        ({"metadata": nested(25)}, "metadata is nested more than 20 levels"),
        ({"metadata": nested(18)}, "metadata is nested more than 20 levels"),
        ({"metadata": nested(300)}, "metadata is nested more than 20 levels"),
        ({"metadata": {"x": [{"y": float("nan")}]}}, "metadata[0] is not a finite number"),
        ({"metadata": {"x": float("inf")}}, "metadata is not a finite number"),
        ({"metadata": {"x": -float("inf")}}, "metadata is not a finite number"),
        ({"metadata": {"x": "\ud800"}}, "metadata is not valid Unicode text"),
        ({"metadata": {"\ud800": 1}}, "a key in metadata is not valid Unicode text"),
        ({"metadata": dict.fromkeys(map(str, range(60_000)), 0)}, "metadata holds too many values"),
        ({"metadata": {"x": [0] * 45_000}}, "metadata holds too many values"),
        # Each of these would fit once; an event has its metadata in its input too.
        ({"metadata": {"x": [0] * 21_000}}, "metadata holds too many values"),
        ({"metadata": {"x": "x" * 530_000}}, "metadata makes the record too large"),
        *(({name: "\ud800"}, f"{name} is not valid Unicode text") for name in TEXTS),
    ],
    ids=lambda value: ascii(value)[:40],
)
async def test_what_no_sink_holds_is_422_with_its_place_and_nothing_is_written(
    faulty: MemoryKit, path: str, body: dict[str, Any], words: str
) -> None:
    faulty.store.faults["put analytics_events"] = StoreRefused("it reached the store")
    headers = login_as(faulty, "member").headers() | {"Content-Type": "application/json"}
    # As json.dumps writes them: httpx would refuse to send NaN and what is not Unicode.
    content = json.dumps(BODY | body).encode()
    answer = await faulty.client.post(f"/analytics/events/{path}", content=content, headers=headers)
    assert (answer.status_code, answer.json()["status"]) == (422, "error")
    assert answer.json()["error"].startswith(words)
    assert await left_behind(faulty) == (0, 0)


async def test_a_raw_record_that_cannot_be_taken_back_is_deleted_later(
    faulty: MemoryKit, caplog: pytest.LogCaptureFixture
) -> None:
    faulty.sink.faults["write"] = PipelineKit.fault("retryable")
    faulty.store.faults["delete"] = StoreUnavailable("memory: away")
    answer = await post(faulty, "pageview")
    assert answer.status_code == 503
    assert await left_behind(faulty) == (1, 0)
    expected = f"analytics event {answer.json()['event_id']} could not be taken back yet: memory: away"
    assert expected in [record.getMessage() for record in caplog.records]
    faulty.store.faults.clear()
    await faulty.services.analytics.raw_records.settle()
    assert await left_behind(faulty) == (0, 0)


@BOTH
async def test_row_12_a_refusal_says_whose_limit_it_is_and_what_is_kept(faulty: MemoryKit, path: str) -> None:
    answer = await post(faulty, path, metadata={"a": [[1, 2], [3]]})
    assert answer.status_code == 422
    said = "metadata holds a list directly inside a list: the limits of JSON and of a Firestore document"
    assert answer.json()["error"] == f"{said} hold on every sink; nothing of it is kept"
    assert await left_behind(faulty) == (0, 0)

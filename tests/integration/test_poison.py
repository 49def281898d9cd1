"""Poison of eight kinds on each sink, beside a healthy tenant: nobody waits for it, and each is told."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import httpx
import pytest

from engines.analytics.models import ANALYTICS_EVENTS
from engines.common.clock import utc_now
from engines.common.documents import SYSTEM, Scope
from engines.nexus.backends.sink import Envelope
from engines.nexus.delivery import Delivered, Delivery, Refused
from engines.nexus.delivery.dead_letters import DEAD_LETTERS, DeadLetters
from engines.nexus.delivery.outbox_records import OUTBOX
from engines.storage.firestore import FirestoreDocumentStore
from engines.storage.firestore_client import close_client, open_client
from tests.integration.conftest import PROJECT
from tests.support.app import Login, sign_up
from tests.support.bossman import Bossman, bossman
from tests.support.delivery import AWAY, WatchedSink
from tests.support.docker import Firestore
from tests.support.far_ends import KINDS, FarEnd, far_end
from tests.support.records import dataset_event, stored_events

ARRIVES_SECONDS = 60.0
"""Long enough for a machine that does much else."""
PAGEVIEW = "/analytics/events/pageview"

POISON: dict[str, tuple[dict[str, Any], str]] = {
    "surrogate": ({"surface": "a\ud800"}, "surface"),
    "surrogate_in_a_key": ({"metadata": {"x": [{"\udfff": 1}]}}, "metadata[0]"),
    "nan": ({"metadata": {"x": [0, float("nan")]}}, "metadata[1]"),
    "infinity": ({"metadata": {"x": float("-inf")}}, "metadata"),
    "integer": ({"metadata": {"x": 2**64}}, "metadata"),
    "nested_list": ({"metadata": {"x": [[1]]}}, "metadata"),
    "reserved_key": ({"metadata": {"__x__": 1}}, "metadata"),
    "many_keys": ({"metadata": {str(key): 0 for key in range(60_000)}}, "metadata"),
}
"""Kind → what a body holds beside its surface, and the place that the answer names."""

BELOW: dict[str, dict[str, Any]] = {
    "surrogate": {"surface": "a\ud800"},
    "surrogate_in_an_optional_field": {"utm_source": "\udfff"},
    "surrogate_in_a_key": {"metadata": {"x": [{"\ud800": 1}]}},
    "surrogate_in_the_env": {"env": "\ud800"},
    "nan": {"input": {"x": [float("nan")]}},
    "infinity": {"output": {"x": float("inf")}},
    "negative_infinity": {"metadata": {"x": {"y": float("-inf")}}},
    "surrogate_in_a_value": {"input": {"x": "\ud800"}},
}
"""What no sink takes, accepted before the door judged it."""


@pytest.fixture(scope="module", params=KINDS)
def end(request: pytest.FixtureRequest, emulator: Firestore) -> Iterator[FarEnd]:
    with far_end(request.param, emulator) as running:
        yield running


@pytest.fixture(scope="module")
def process(end: FarEnd) -> Iterator[Bossman]:
    with bossman(end.variables) as running:
        yield running


@pytest.fixture
async def http(process: Bossman) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=process.url, timeout=30) as client:
        yield client


@pytest.fixture
async def store(emulator: Firestore) -> AsyncIterator[FirestoreDocumentStore]:
    client = open_client(PROJECT, emulator.host)
    yield FirestoreDocumentStore(client)
    await close_client(client)


async def post(http: httpx.AsyncClient, who: Login, body: dict[str, Any]) -> httpx.Response:
    # As json.dumps writes it: httpx would refuse to send NaN and what is not Unicode.
    headers = who.headers() | {"Content-Type": "application/json"}
    return await http.post(PAGEVIEW, content=json.dumps({"surface": "s"} | body).encode(), headers=headers)


async def post_until_taken(http: httpx.AsyncClient, who: Login) -> httpx.Response:
    """A clean event, sent again while a busy machine has no room for it."""
    for _ in range(100):
        answer = await post(http, who, {})
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            break
        await asyncio.sleep(0.2)
    return answer


async def test_poison_is_422_with_its_place_and_a_healthy_tenants_events_arrive(
    http: httpx.AsyncClient, end: FarEnd, store: FirestoreDocumentStore
) -> None:
    healthy, poisoner = [await sign_up(http, f"{name}{uuid4().hex}") for name in ("healthy", "poisoner")]
    bodies = [body for body, _ in POISON.values()]
    answers = await asyncio.gather(
        *(post(http, poisoner, body) for body in bodies),
        *(post_until_taken(http, healthy) for _ in range(20)),
    )
    for (kind, (_, place)), answer in zip(POISON.items(), answers, strict=False):
        assert (kind, answer.status_code) == (kind, 422)
        assert place in answer.json()["error"]
    accepted = [answer.json()["event_id"] for answer in answers[len(POISON) :]]
    await _until(lambda: _holds(end, healthy.tenant_id, accepted), "the healthy tenant's events")
    scope = Scope(poisoner.tenant_id, "dev")
    left = [await store.count(address, scope) for address in (ANALYTICS_EVENTS, OUTBOX, DEAD_LETTERS)]
    assert left == [0, 0, 0]
    assert await end.raw_ids(poisoner.tenant_id) == []


async def test_poison_that_was_accepted_before_is_a_dead_letter_and_the_others_arrive(
    end: FarEnd, store: FirestoreDocumentStore
) -> None:
    tenant, healthy = f"t_{uuid4().hex}", f"t_{uuid4().hex}"
    poison = [_envelope(tenant, kind, **event) for kind, event in BELOW.items()]
    good = [_envelope(healthy, f"good-{number}") for number in range(8)]
    mixed = [item for pair in zip(poison, good, strict=True) for item in pair]
    async with AsyncExitStack() as stack:
        sink = await stack.enter_async_context(end.sink())
        if end.has_outbox:
            await _wait_in_the_outbox(store, mixed)
            process = Delivery(sink, outbox=store, letters=store)
            await _until(lambda: _drained(process, store, tenant, healthy), "an empty outbox")
        else:
            process = Delivery(sink, letters=store)
            answers = await asyncio.gather(*map(process.deliver, mixed), return_exceptions=True)
            assert [type(answer) for answer in answers] == [Refused, Delivered] * 8
        arrived = await stored_events(sink, healthy)
    assert sorted(item.event_id for item in arrived) == [item.event_id for item in good]
    letters = await DeadLetters(store).page(50, tenant)
    assert sorted(letter.event_id for letter in letters) == sorted(BELOW)
    assert await end.raw_ids(tenant) == []


async def _wait_in_the_outbox(store: FirestoreDocumentStore, batch: list[Envelope]) -> None:
    """Events in the outbox, as a process left them that judged nothing."""
    away = WatchedSink()
    away.faults["write"] = AWAY
    before = Delivery(away, outbox=store, letters=store)
    answers = await asyncio.gather(*map(before.deliver, batch))
    assert {answer.durable_in for answer in answers} == {"outbox"}


async def _drained(process: Delivery, store: FirestoreDocumentStore, *tenants: str) -> bool:
    """Whether nothing of the tenants waits; Bossman, which has the same outbox, may be the one who drains."""
    await process.drain()
    return not any(item.fields["tenant_id"] in tenants for item in await store.scan(OUTBOX, SYSTEM))


async def _holds(end: FarEnd, tenant: str, event_ids: list[str]) -> bool:
    return sorted(await end.raw_ids(tenant)) == sorted(event_ids)


async def _until(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    until = time.monotonic() + ARRIVES_SECONDS
    while not await holds():
        assert time.monotonic() < until, f"not within {ARRIVES_SECONDS} s: {what}"
        await asyncio.sleep(0.2)


def _envelope(tenant: str, event_id: str, **event: Any) -> Envelope:
    return Envelope(event_id=event_id, ingested_at=utc_now(), event=dataset_event(tenantId=tenant, **event))

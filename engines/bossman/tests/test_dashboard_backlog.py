"""A sink that is down beside an outbox: events are accepted, the tenant's dashboard says that they wait."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from engines.bossman import health
from engines.common.documents import SYSTEM, StoreUnavailable
from engines.logging.audit import OUTBOX as AUDIT_OUTBOX
from engines.nexus.backends.sink import SinkPermanent, SinkRetryable
from engines.nexus.delivery.dead_letters import DEAD_LETTERS
from engines.nexus.delivery.outbox_records import QUEUES
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import (
    WITHOUT_KEY,
    Login,
    MemoryKit,
    dashboard,
    running,
    send_pageview,
    sign_up,
)
from tests.support.faults import FaultySink, FaultyStore
from tests.support.records import stored_events

AWAY = SinkRetryable("memory/events", "away", "unreachable")


@pytest.fixture
async def kit(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MemoryKit]:
    """A running app with an outbox in another store than its state, and probes that are not kept."""
    monkeypatch.setattr(health, "TTL_SECONDS", 0.0)
    kit = MemoryKit(sink=FaultySink())
    kit.outbox = kit.letters = FaultyStore(MemoryDocumentStore(kit.clock))
    async with running(kit):
        yield kit


@pytest.fixture
async def acme(kit: MemoryKit) -> Login:
    return await sign_up(kit.client, "acme")


async def indicator(kit: MemoryKit, who: Login, env: str = "dev") -> dict[str, Any]:
    shown: dict[str, Any] = (await dashboard(kit.client, who, env))["event_sink"]
    return shown


async def create_lock(kit: MemoryKit, who: Login) -> httpx.Response:
    body = {"scope": "other", "title": "t"}
    return await kit.client.post("/strategy-locks", json=body, headers=who.headers())


async def test_an_event_is_accepted_and_waits_then_arrives_by_itself(kit: MemoryKit, acme: Login) -> None:
    kit.sink.faults["write"] = AWAY
    taken_at = kit.clock.now
    answer = await send_pageview(kit.client, acme)
    assert (answer.status_code, answer.json()["durable_in"]) == (200, "outbox")
    kit.clock.advance(seconds=2)
    shown = await indicator(kit, acme)
    assert (shown["status"], shown["reason"]) == ("degraded", "events wait for the sink")
    assert shown["backlog"] == {"depth": 1, "oldest_at": taken_at.isoformat().replace("+00:00", "Z")}
    assert (shown["consecutive_failures"], shown["last_error"]["kind"]) == (1, "unreachable")
    kit.sink.faults.clear()
    assert await kit.services.delivery.drain() == 1
    shown = await indicator(kit, acme)
    assert (shown["status"], shown["reason"]) == ("up", None)
    assert shown["backlog"] == {"depth": 0, "oldest_at": None}
    assert len(await stored_events(kit.sink, acme.tenant_id)) == 1


async def test_a_dead_sink_is_down_and_its_backlog_still_shows(kit: MemoryKit, acme: Login) -> None:
    kit.sink.faults |= {"write": AWAY, "probe": AWAY}
    await send_pageview(kit.client, acme)
    shown = await indicator(kit, acme)
    assert (shown["status"], shown["backlog"]["depth"]) == ("down", 1)


async def test_the_backlog_is_the_tenants_own(kit: MemoryKit, acme: Login) -> None:
    globex = await sign_up(kit.client, "globex")
    kit.sink.faults["write"] = AWAY
    await send_pageview(kit.client, acme)
    assert (await indicator(kit, globex))["backlog"]["depth"] == 0
    assert (await indicator(kit, acme, "staging"))["backlog"]["depth"] == 0
    assert (await indicator(kit, acme))["backlog"]["depth"] == 1


@pytest.mark.parametrize("fault", [f"get {QUEUES.name}", f"scan {DEAD_LETTERS.name}"])
async def test_what_cannot_be_read_is_unknown_and_never_zero(kit: MemoryKit, acme: Login, fault: str) -> None:
    kit.outbox.faults[fault] = StoreUnavailable("memory: away")
    shown = await indicator(kit, acme)
    reason = "the outbox could not be read: memory: away"
    assert (shown["status"], shown["reason"]) == ("degraded", reason)
    assert shown["backlog"] == {"depth": None, "oldest_at": None}
    assert shown["dead_letters"] is None


async def test_a_refused_event_shows_as_a_dead_letter_and_the_caller_is_told(
    kit: MemoryKit, acme: Login
) -> None:
    kit.sink.faults["write"] = SinkPermanent("memory/events", "cannot hold it", "refused")
    assert (await send_pageview(kit.client, acme)).status_code == 422
    shown = await indicator(kit, acme)
    assert (shown["status"], shown["dead_letters"]) == ("up", 1)


async def test_sink_and_outbox_down_is_a_503_that_may_be_tried_again(kit: MemoryKit, acme: Login) -> None:
    kit.sink.faults["write"] = AWAY
    kit.outbox.faults["mutate"] = StoreUnavailable("memory: away")
    answer = await send_pageview(kit.client, acme)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    said = "memory/events: away; nor does the outbox take it: memory: away"
    assert answer.json()["error"] == f"{said}; {WITHOUT_KEY}"


async def test_a_stopping_process_is_a_503_that_may_be_tried_again(kit: MemoryKit, acme: Login) -> None:
    await kit.services.delivery.stop()
    answer = await send_pageview(kit.client, acme)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


async def test_the_audit_of_a_change_leaves_its_own_outbox_for_deliverys(kit: MemoryKit, acme: Login) -> None:
    kit.sink.faults["write"] = AWAY
    answer = await create_lock(kit, acme)
    assert (answer.status_code, answer.headers["X-Audit-Status"]) == (200, "pending")
    assert await kit.store.scan(AUDIT_OUTBOX, SYSTEM) == []
    assert (await indicator(kit, acme))["backlog"]["depth"] == 1
    kit.sink.faults.clear()
    await kit.services.delivery.drain()
    [event] = await stored_events(kit.sink, acme.tenant_id)
    assert event.event.metadata["action"] == "strategy_lock.create"
    assert (await create_lock(kit, acme)).headers["X-Audit-Status"] == "stored"

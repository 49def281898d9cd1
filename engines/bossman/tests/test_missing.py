"""Events that are missing: what indicator, page, metrics and health say of them, and when."""

import math

import pytest

from engines.bossman import health
from engines.common.documents import Scope, StoreUnavailable
from engines.nexus.backends.sink import SinkRetryable
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import Login, MemoryKit, dashboard, running, send_pageview, sign_up
from tests.support.faults import FaultySink, FaultyStore
from tests.support.page_client import hold


async def lossy(kit: MemoryKit, lost: int) -> Login:
    """A tenant that lost some of its five events."""
    acme = await sign_up(kit.client, "acme")
    for _ in range(5):
        await send_pageview(kit.client, acme)
    await kit.services.arrivals.flush()
    held = kit.sink.inner._tenants[acme.tenant_id]
    for event_id in list(held)[:lost]:
        del held[event_id]
    kit.clock.advance(minutes=2)
    await compare(kit)
    await compare(kit)
    return acme


async def compare(kit: MemoryKit) -> None:
    await kit.services.reconciler.round()
    kit.clock.advance(seconds=21)


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> MemoryKit:
    monkeypatch.setattr(health, "TTL_SECONDS", 0.0)
    kit = MemoryKit(sink=FaultySink())
    kit.store = FaultyStore(MemoryDocumentStore(kit.clock))
    return kit


async def gauge(kit: MemoryKit) -> float:
    [line] = [
        line
        for line in (await kit.client.get("/metrics")).text.splitlines()
        if line.startswith("northstar_events_missing ")
    ]
    return float(line.split()[1])


async def test_a_loss_shows_everywhere_and_names_no_tenant_in_public(parts: MemoryKit) -> None:
    async with running(parts) as kit:
        assert math.isnan(await gauge(kit))
        acme = await lossy(kit, 3)
        sink = (await dashboard(kit.client, acme))["event_sink"]
        since, until = "2026-01-15T12:00:00Z", "2026-01-15T13:00:00Z"
        assert sink["missing"] == {"events": 3, "since": since, "until": until}
        words = "acknowledged but missing: 3, between 2026-01-15 12:00 and 13:00 UTC"
        assert (sink["status"], sink["reason"], sink["not_compared"]) == ("degraded", words, None)
        hold(kit.client, acme.token, parts.clock)
        page = (await kit.client.get("/bossman/?env=dev")).text
        assert f"<strong>Events missing:</strong> {words}." in page
        assert f"./scripts/verify events --tenant {acme.tenant_id} --env dev" in page
        assert f"./scripts/verify acknowledge --tenant {acme.tenant_id} --env dev" in page
        assert await gauge(kit) == 3
        answer = await kit.client.get("/healthz")
        [check] = answer.json()["checks"]["event-sink:missingEvents"]
        assert (answer.status_code, answer.json()["status"]) == (200, "warn")
        assert (check["observedValue"], check["output"]) == (3, "acknowledged but missing: 3")
        assert acme.tenant_id not in answer.text


async def test_another_env_and_another_tenant_miss_nothing(parts: MemoryKit) -> None:
    async with running(parts) as kit:
        acme = await lossy(kit, 3)
        other = await sign_up(kit.client, "other")
        for who, env in ((acme, "prod"), (other, "dev")):
            sink = (await dashboard(kit.client, who, env))["event_sink"]
            assert (sink["missing"], sink["not_compared"]) == (None, "not compared yet")


async def test_a_sink_that_cannot_be_counted_is_not_said_to_miss_nothing(parts: MemoryKit) -> None:
    async with running(parts) as kit:
        acme = await lossy(kit, 0)
        assert (await dashboard(kit.client, acme))["event_sink"]["not_compared"] is None
        away = SinkRetryable("memory/events_{tenant}", "not reachable", "unreachable")
        kit.sink.faults["count"] = away
        kit.clock.advance(minutes=1)
        await compare(kit)
        sink = (await dashboard(kit.client, acme))["event_sink"]
        said = f"memory/events_{acme.tenant_id}: not reachable"
        assert (sink["missing"], sink["not_compared"], sink["status"]) == (None, said, "up")
        assert sink["compared_at"] is not None
        assert math.isnan(await gauge(kit))
        [check] = (await kit.client.get("/healthz")).json()["checks"]["event-sink:missingEvents"]
        assert (check["status"], check["observedValue"]) == ("warn", None)


async def test_a_result_that_cannot_be_read_is_said(parts: MemoryKit) -> None:
    async with running(parts) as kit:
        acme = await lossy(kit, 0)
        kit.store.faults["get event_reconciliation"] = StoreUnavailable("memory: away")
        sink = (await dashboard(kit.client, acme))["event_sink"]
        assert sink["not_compared"] == "the result could not be read: memory: away"


async def test_a_look_is_enough_to_be_compared(parts: MemoryKit) -> None:
    async with running(parts) as kit:
        acme = await sign_up(kit.client, "acme")
        await dashboard(kit.client, acme, "staging")
        kit.clock.advance(seconds=21)
        await compare(kit)
        sink = (await dashboard(kit.client, acme, "staging"))["event_sink"]
        assert (sink["missing"], sink["not_compared"]) == (None, None)
        assert await kit.services.reconciler.result(Scope(acme.tenant_id, "staging")) is not None

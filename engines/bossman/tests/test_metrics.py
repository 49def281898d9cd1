"""What /metrics says: each number from what really happened, and nothing that names a tenant."""

import math
import platform
import re
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from engines.common.documents import StoreTimeout
from engines.nexus.backends.sink import SinkPermanent, SinkRetryable
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import MemoryKit, dashboard, running, send_pageview, sign_up
from tests.support.faults import FaultySink, FaultyStore

ROOT = Path(__file__).resolve().parents[3]

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Seen:
    """The samples of one scrape."""

    def __init__(self, text: str) -> None:
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self._samples: Samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def get(self, name: str, **labels: str) -> float | None:
        return self._samples.get((name, frozenset(labels.items())))


async def scrape(client: httpx.AsyncClient) -> Seen:
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return Seen(answer.text)


def events(seen: Seen, result: str) -> float | None:
    return seen.get("northstar_events_total", result=result, sink="memory")


@pytest.fixture
def parts() -> MemoryKit:
    kit = MemoryKit(sink=FaultySink())
    kit.outbox = kit.letters = FaultyStore(MemoryDocumentStore(kit.clock))
    return kit


async def test_events_batches_and_requests_are_counted(parts: MemoryKit) -> None:
    async with running(parts) as kit:
        before = await scrape(kit.client)
        assert [events(before, result) for result in ("stored", "outbox", "refused")] == [0, 0, 0]
        acme = await sign_up(kit.client, "acme")
        for _ in range(3):
            await send_pageview(kit.client, acme)
        await dashboard(kit.client, acme)
        seen = await scrape(kit.client)
    assert events(seen, "stored") == 3
    assert seen.get("northstar_batch_events_sum", sink="memory") == 3
    assert seen.get("northstar_batch_seconds_count", sink="memory", outcome="taken") == 3
    route = {"method": "GET", "route": "/bossman/tenant-dashboard", "status": "200"}
    assert seen.get("northstar_http_request_seconds_count", **route) == 1
    assert seen.get("northstar_probe_up", check="event-sink", of="memory") == 1
    assert seen.get("northstar_probe_up", check="document-store", of="memory") == 1
    assert (seen.get("northstar_outbox_events"), seen.get("northstar_dead_letters")) == (0, 0)
    build = {"version": "0.1.0", "python": platform.python_version()}
    assert seen.get("northstar_build_info", **build) == 1


async def test_a_sink_that_fails_shows_as_backlog_retries_and_a_probe_that_is_down(parts: MemoryKit) -> None:
    async with running(parts) as kit:
        acme = await sign_up(kit.client, "acme")
        kit.sink.faults["write"] = SinkRetryable("memory/events", "connection refused", "unreachable")
        kit.sink.faults["probe"] = SinkRetryable("memory/events", "connection refused", "unreachable")
        await send_pageview(kit.client, acme)
        await send_pageview(kit.client, acme)
        seen = await scrape(kit.client)
    assert events(seen, "outbox") == 2
    assert seen.get("northstar_outbox_events") == 2
    assert seen.get("northstar_probe_up", check="event-sink", of="memory") == 0
    failed = seen.get("northstar_batch_seconds_count", sink="memory", outcome="retryable")
    assert failed is not None
    assert failed >= 1
    assert seen.get("northstar_batch_retries_total", sink="memory") is not None


async def test_a_retry_is_counted(parts: MemoryKit) -> None:
    async with running(parts) as kit:
        observer = kit.services.metrics.of_sink("memory")
        observer.retried()
        assert (await scrape(kit.client)).get("northstar_batch_retries_total", sink="memory") == 1


async def test_a_refused_event_is_a_dead_letter(parts: MemoryKit) -> None:
    async with running(parts) as kit:
        acme = await sign_up(kit.client, "acme")
        kit.sink.faults["write"] = SinkPermanent("memory/events", "too large", "refused")
        await send_pageview(kit.client, acme)
        seen = await scrape(kit.client)
    assert (events(seen, "refused"), seen.get("northstar_dead_letters")) == (1, 1)


async def test_what_cannot_be_counted_is_not_zero(parts: MemoryKit) -> None:
    async with running(parts) as kit:
        kit.outbox.faults["scan nexus_outbox_queues"] = StoreTimeout("memory: slow")
        seen = await scrape(kit.client)
    for name in ("northstar_outbox_events", "northstar_dead_letters"):
        value = seen.get(name)
        assert value is not None
        assert math.isnan(value)


async def test_two_apps_count_apart() -> None:
    async with running(MemoryKit()) as one, running(MemoryKit()) as other:
        await send_pageview(one.client, await sign_up(one.client, "acme"))
        assert events(await scrape(one.client), "stored") == 1
        assert events(await scrape(other.client), "stored") == 0


async def test_nothing_names_a_tenant_and_no_caller_makes_up_labels(parts: MemoryKit) -> None:
    async with running(parts) as kit:
        acme = await sign_up(kit.client, "acme")
        await send_pageview(kit.client, acme)
        await kit.client.get(f"/tenants/{acme.tenant_id}/analytics/config", headers=acme.headers())
        await kit.client.request("MADE-UP", "/made/up")
        text = (await kit.client.get("/metrics")).text
    assert acme.tenant_id not in text
    assert acme.email not in text
    assert "MADE-UP" not in text
    assert "/made/up" not in text
    assert 'method="other",route="other",status="404"' in text


async def test_the_runbook_names_every_metric_with_its_type_and_labels() -> None:
    async with running(MemoryKit()) as kit:
        acme = await sign_up(kit.client, "acme")
        await send_pageview(kit.client, acme)
        seen = await scrape(kit.client)
    text = (ROOT / "docs/infra/PRODISH_DEV_RUNBOOK.md").read_text()
    rows = re.findall(r"^\| (`northstar_[^|]*) \| (\w+) \| ([^|]*)\|", text, re.MULTILINE)
    documented = {
        name.removesuffix("_total"): (kind, frozenset(re.findall(r"`(\w+)`", labels)))
        for names, kind, labels in rows
        for name in re.findall(r"`(\w+)`", names)
    }
    served = {
        name: (family.type, frozenset(family.samples[0].labels) - {"le"})
        for name, family in seen.families.items()
        if name.startswith("northstar_") and not name.endswith("_created")
    }
    assert documented == served

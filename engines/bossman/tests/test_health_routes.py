"""/livez, /readyz and /healthz: public, without tenant data, and honest about what is down."""

import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from engines.bossman import health
from engines.common import release
from engines.common.documents import StoreUnavailable
from engines.nexus.backends.noop import NoopSink
from engines.nexus.backends.sink import SinkRetryable
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import Login, MemoryKit, running, sign_up
from tests.support.faults import FaultySink, FaultyStore


@pytest.fixture
async def faulty(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MemoryKit]:
    """A running app whose store and sink fail on demand, and whose probes are not kept."""
    monkeypatch.setattr(health, "TTL_SECONDS", 0.0)
    parts = MemoryKit(sink=FaultySink())
    parts.store = FaultyStore(MemoryDocumentStore(parts.clock))
    async with running(parts) as kit:
        yield kit


def break_store(kit: MemoryKit) -> None:
    kit.store.faults["ping"] = StoreUnavailable("memory: connection refused")


def break_sink(kit: MemoryKit) -> None:
    kit.sink.faults["probe"] = SinkRetryable("memory/events", "connection refused", "unreachable")


async def statuses(kit: MemoryKit) -> dict[str, int]:
    paths = ("/livez", "/readyz", "/healthz")
    return {path: (await kit.client.get(path)).status_code for path in paths}


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        ((), {"/livez": 200, "/readyz": 200, "/healthz": 200}),
        ((break_store,), {"/livez": 200, "/readyz": 503, "/healthz": 503}),
        ((break_sink,), {"/livez": 200, "/readyz": 200, "/healthz": 503}),
        ((break_store, break_sink), {"/livez": 200, "/readyz": 503, "/healthz": 503}),
    ],
    ids=["all_well", "store_down", "sink_down", "both_down"],
)
async def test_each_route_depends_on_what_it_says(
    faulty: MemoryKit, broken: tuple[Any, ...], expected: dict[str, int]
) -> None:
    for break_it in broken:
        break_it(faulty)
    assert await statuses(faulty) == expected
    faulty.store.faults.clear()
    faulty.sink.faults.clear()
    assert set((await statuses(faulty)).values()) == {200}


async def test_hanging_dependencies_are_bounded(faulty: MemoryKit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PROBE_SECONDS", 0.01)
    faulty.sink.hanging.add("probe")
    answer = await faulty.client.get("/healthz")
    [check] = answer.json()["checks"]["event-sink:responseTime"]
    assert (answer.status_code, check["output"]) == (503, "no answer within 0.01 s")


def checks_of(answer: httpx.Response) -> dict[str, Any]:
    """The checks without their latency, which no test can know."""
    checks: dict[str, list[dict[str, Any]]] = answer.json()["checks"]
    for check in (item for group in checks.values() for item in group):
        assert isinstance(check.pop("observedValue"), float | None)
    return checks


CLOCKS = {
    "componentType": "component",
    "componentId": "clocks",
    "observedUnit": "s",
    "status": "pass",
    "time": "2026-01-15T12:00:00Z",
    "output": None,
}


def check(component: str, status: str, output: str | None = None) -> dict[str, Any]:
    return {
        "componentType": "datastore",
        "componentId": component,
        "observedUnit": "ms",
        "status": status,
        "time": "2026-01-15T12:00:00Z",
        "output": output,
    }


def missing(status: str, output: str | None = None) -> dict[str, Any]:
    component = {"componentType": "component", "observedUnit": "events"}
    return check("memory", status, output) | component


NOT_YET = missing("pass", "not compared: nothing was compared yet")


async def test_healthz_is_health_json(kit: MemoryKit) -> None:
    answer = await kit.client.get("/healthz")
    assert answer.headers["content-type"] == "application/health+json"
    assert list(answer.json()) == ["status", "checks", "version", "releaseId"]
    assert answer.json()["status"] == "pass"
    assert checks_of(answer) == {
        "document-store:responseTime": [check("memory", "pass")],
        "event-sink:responseTime": [check("memory", "pass")],
        "clock:skew": [CLOCKS],
        "event-sink:missingEvents": [NOT_YET],
    }


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (None, None),
        ("", None),
        ("unknown", None),
        ("1a2b3c4d5e6f7890" * 2 + "12345678\n", "1a2b3c4d5e6f7890" * 2 + "12345678"),
        ("1a2b3c4-dirty", "1a2b3c4-dirty"),
    ],
)
async def test_healthz_says_what_runs(
    kit: MemoryKit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str | None, shown: str | None
) -> None:
    file = tmp_path / "COMMIT"
    if said is not None:
        file.write_text(said)
    monkeypatch.setattr(release, "COMMIT_FILE", file)
    release.commit.cache_clear()
    found = (await kit.client.get("/healthz")).json()
    release.commit.cache_clear()
    project = tomllib.loads((Path(release.__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert (found["version"], found["releaseId"]) == (project["version"], shown)


async def test_healthz_says_what_failed(faulty: MemoryKit) -> None:
    break_sink(faulty)
    answer = await faulty.client.get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (503, "fail")
    assert answer.headers["content-type"] == "application/health+json"
    assert checks_of(answer) == {
        "document-store:responseTime": [check("memory", "pass")],
        "event-sink:responseTime": [check("memory", "fail", "memory/events: connection refused")],
        "clock:skew": [CLOCKS],
        "event-sink:missingEvents": [NOT_YET],
    }


async def test_readyz_asks_the_stores_alone(faulty: MemoryKit) -> None:
    break_sink(faulty)
    break_store(faulty)
    answer = await faulty.client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "fail")
    assert checks_of(answer) == {
        "document-store:responseTime": [check("memory", "fail", "memory: connection refused")]
    }


async def test_livez_says_alive(kit: MemoryKit) -> None:
    assert (await kit.client.get("/livez")).json() == {"status": "alive"}


async def test_a_sink_that_discards_is_a_warning_and_no_failure() -> None:
    async with running(MemoryKit(sink=NoopSink())) as kit:
        answer = await kit.client.get("/healthz")
        assert (answer.status_code, answer.json()["status"]) == (200, "warn")
        expected = check("noop", "warn", "events are discarded (NEXUS_BACKEND=noop)")
        assert checks_of(answer)["event-sink:responseTime"] == [expected]


async def test_health_is_public_and_shows_no_tenant(kit: MemoryKit, acme: Login) -> None:
    await sign_up(kit.client, "hidden")
    headers = {"Authorization": "Bearer nonsense", "X-Tenant-Id": "NONE", "X-Env": "qa"}
    for path in ("/livez", "/readyz", "/healthz"):
        answer = await kit.client.get(path, headers=headers)
        assert answer.status_code == 200
        assert acme.tenant_id not in answer.text
        assert "hidden" not in answer.text


async def test_a_failing_probe_is_not_repeated_within_two_seconds(kit: MemoryKit) -> None:
    first = (await kit.client.get("/healthz")).json()
    kit.clock.advance(seconds=1)
    assert (await kit.client.get("/healthz")).json() == first


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], "pass"),
        (["pass"], "pass"),
        (["pass", "warn"], "warn"),
        (["warn", "fail", "pass"], "fail"),
        (["fail"], "fail"),
    ],
)
def test_the_worst_status_wins(statuses: list[Any], expected: str) -> None:
    assert health.worst(statuses) == expected

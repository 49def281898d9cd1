"""A dashboard of which something fails: it reports that and serves the rest."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from engines.analytics.models import ANALYTICS_EVENTS
from engines.bossman import health
from engines.common.documents import (
    SYSTEM,
    Address,
    Scope,
    StoreDenied,
    StoreError,
    StoreTimeout,
    StoreUnavailable,
    Write,
)
from engines.identity.models import Tenant
from engines.nexus.backends.sink import SinkMisconfigured, SinkPermanent, SinkRetryable
from engines.privacy.models import TRAINING_PREFERENCES
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import Login, MemoryKit, running
from tests.support.faults import FaultySink, FaultyStore
from tests.support.records import login_as

PATH = "/bossman/tenant-dashboard"
SCOPE = Scope("t_acme", "dev")


@pytest.fixture
async def faulty(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MemoryKit]:
    """A running app whose store and sink fail on demand, and whose probes are not kept."""
    monkeypatch.setattr(health, "TTL_SECONDS", 0.0)
    kit = MemoryKit(sink=FaultySink())
    kit.store = FaultyStore(MemoryDocumentStore(kit.clock))
    async with running(kit):
        yield kit


@pytest.fixture
async def owner(faulty: MemoryKit) -> Login:
    now = faulty.clock()
    tenant = Tenant(id=SCOPE.tenant_id, name="Acme", created_at=now, updated_at=now)
    await faulty.services.identity.tenants.put(SYSTEM, tenant.id, tenant)
    return login_as(faulty, "owner")


async def dashboard(kit: MemoryKit, who: Login) -> dict[str, Any]:
    answer = await kit.client.get(PATH, headers=who.headers())
    assert answer.status_code == 200
    return dict(answer.json())


async def send(kit: MemoryKit, who: Login, **body: Any) -> int:
    answer = await kit.client.post(
        "/analytics/events/pageview", json={"surface": "squared"} | body, headers=who.headers()
    )
    return answer.status_code


def verdicts(shown: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """The verdicts of the sections that these tests use."""
    used = ("events", "analytics", "training_prefs")
    return {name: (shown["freshness"][name]["status"], shown["freshness"][name]["reason"]) for name in used}


def sink_status(shown: dict[str, Any]) -> tuple[str, str | None]:
    return shown["event_sink"]["status"], shown["event_sink"]["reason"]


PERMANENT = SinkPermanent("memory/events", "cannot hold it", "refused")
FRESH, NEVER = ("fresh", "within_slo"), ("never", "no_records")

STORE_ERRORS = pytest.mark.parametrize(
    ("error", "reason"),
    [(StoreUnavailable, "read_error"), (StoreTimeout, "read_timeout"), (StoreDenied, "read_denied")],
)


@STORE_ERRORS
@pytest.mark.parametrize(
    ("section", "collection"),
    [("analytics", "analytics_events"), ("training_prefs", "training_preferences")],
)
async def test_a_section_that_cannot_be_read_is_unknown_and_the_rest_is_served(
    faulty: MemoryKit,
    owner: Login,
    section: str,
    collection: str,
    error: type[StoreError],
    reason: str,
) -> None:
    await send(faulty, owner)
    faulty.store.faults[f"scan {collection}"] = error("memory: away")
    shown = await dashboard(faulty, owner)
    expected = {"events": FRESH, "analytics": FRESH, "training_prefs": NEVER}
    assert verdicts(shown) == expected | {section: ("unknown", reason)}
    assert shown["event_sink"]["status"] == "up"
    assert (shown["health"]["status"], shown["health"]["freshness"]) == ("warn", "unknown")


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("timeout", "read_timeout"), ("denied", "read_denied"), ("unreachable", "read_error")],
)
async def test_events_that_cannot_be_read_are_unknown_and_degrade_the_sink(
    faulty: MemoryKit, owner: Login, reason: Any, expected: str
) -> None:
    await send(faulty, owner)
    faulty.sink.faults["latest"] = SinkRetryable("memory/events", "away", reason)
    shown = await dashboard(faulty, owner)
    assert verdicts(shown) == {
        "events": ("unknown", expected),
        "analytics": FRESH,
        "training_prefs": NEVER,
    }
    reason_shown = "the newest event could not be read: memory/events: away"
    assert sink_status(shown) == ("degraded", reason_shown)
    assert shown["event_sink"]["last_write_at"] is None


async def test_a_dead_sink_is_down_and_the_dashboard_stays_up(faulty: MemoryKit, owner: Login) -> None:
    for operation in ("write", "latest", "probe"):
        faulty.sink.faults[operation] = SinkRetryable("memory/events", "refused", "unreachable")
    assert await send(faulty, owner) == 503
    shown = await dashboard(faulty, owner)
    assert sink_status(shown) == ("down", "memory/events: refused")
    assert shown["event_sink"]["target"] == "memory/events_t_acme"
    assert shown["event_sink"]["consecutive_failures"] == 1
    assert shown["event_sink"]["last_error"] == {
        "at": "2026-01-15T12:00:00Z",
        "kind": "unreachable",
        "message": "memory/events: refused",
    }
    assert verdicts(shown)["events"] == ("unknown", "read_error")
    assert shown["health"]["status"] == "fail"


async def test_a_sink_that_takes_no_writes_is_degraded_until_one_succeeds(
    faulty: MemoryKit, owner: Login
) -> None:
    faulty.sink.faults["write"] = SinkMisconfigured("memory/events", "no right to write", "denied")
    assert await send(faulty, owner) == 503
    faulty.clock.advance(minutes=5)
    assert sink_status(await dashboard(faulty, owner)) == ("degraded", "the last write failed")
    faulty.sink.faults.clear()
    assert await send(faulty, owner) == 200
    assert sink_status(await dashboard(faulty, owner)) == ("up", None)


async def test_a_sink_that_comes_back_is_up_with_the_next_probe(faulty: MemoryKit, owner: Login) -> None:
    faulty.sink.faults["write"] = SinkRetryable("memory/events", "refused", "unreachable")
    assert await send(faulty, owner) == 503
    faulty.sink.faults.clear()
    faulty.clock.advance(seconds=1)
    assert sink_status(await dashboard(faulty, owner)) == ("up", None)


async def test_a_refused_event_alone_leaves_the_sink_up(faulty: MemoryKit, owner: Login) -> None:
    faulty.sink.faults["write"] = PERMANENT
    assert await send(faulty, owner) == 422
    assert sink_status(await dashboard(faulty, owner)) == ("up", None)


async def test_a_refused_event_after_an_outage_does_not_hold_up_the_recovery(
    faulty: MemoryKit, owner: Login
) -> None:
    faulty.sink.faults["write"] = SinkRetryable("memory/events", "refused", "unreachable")
    assert await send(faulty, owner) == 503
    faulty.sink.faults["write"] = PERMANENT
    assert await send(faulty, owner) == 422
    faulty.sink.faults.clear()
    faulty.clock.advance(seconds=10)
    # The sink answered a write and its probe: nothing is wrong with it any more.
    assert sink_status(await dashboard(faulty, owner)) == ("up", None)


async def test_a_hanging_sink_bounds_write_and_probe(
    faulty: MemoryKit, owner: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PROBE_SECONDS", 0.01)
    faulty.sink.hanging |= {"write", "probe"}
    assert await send(faulty, owner) == 503
    assert sink_status(await dashboard(faulty, owner)) == ("down", "no answer within 0.01 s")


@pytest.mark.parametrize("error", [StoreUnavailable, StoreTimeout, StoreDenied])
async def test_an_unreadable_tenant_store_is_503(
    faulty: MemoryKit, owner: Login, error: type[StoreError]
) -> None:
    faulty.store.faults["get identity_tenants"] = error("memory: away")
    answer = await faulty.client.get(PATH, headers=owner.headers())
    detail = {"error": "state_store_unavailable", "reason": "memory: away"}
    assert (answer.status_code, answer.json()) == (503, {"detail": detail})
    assert answer.headers["retry-after"] == "5"


async def test_a_tenant_that_is_not_stored_gets_no_grace(faulty: MemoryKit, owner: Login) -> None:
    await faulty.services.identity.tenants.delete(SYSTEM, SCOPE.tenant_id)
    shown = await dashboard(faulty, owner)
    assert (shown["health"]["status"], shown["health"]["freshness"]) == ("fail", "stale")


@pytest.mark.parametrize(
    ("address", "fields", "section"),
    [
        (TRAINING_PREFERENCES, {"user_id": "u_1", "opt_out": None}, "training_prefs"),
        (ANALYTICS_EVENTS, {"event_type": "pageview", "created_at": None}, "analytics"),
        (ANALYTICS_EVENTS, {"event_type": "pageview", "created_at": "no time", "id": "x"}, "analytics"),
    ],
    ids=["preference", "null_timestamp", "text_timestamp"],
)
async def test_a_record_of_another_shape_makes_its_section_unknown_and_the_rest_is_served(
    faulty: MemoryKit, owner: Login, address: Address, fields: dict[str, Any], section: str
) -> None:
    await faulty.store.put(Write(address, SCOPE, "malformed", fields))
    shown = await dashboard(faulty, owner)
    assert verdicts(shown)[section] == ("unknown", "read_error")
    assert shown["event_sink"]["status"] == "up"


async def test_a_fault_and_its_recovery_show_two_seconds_after_a_shared_reading(
    faulty: MemoryKit, owner: Login
) -> None:
    async def status() -> str:
        return str((await dashboard(faulty, owner))["freshness"]["training_prefs"]["reason"])

    seen = [await status()]
    faulty.store.faults[f"scan {TRAINING_PREFERENCES.name}"] = StoreTimeout("memory: away")
    seen.append(await status())
    faulty.clock.advance(seconds=2)
    seen.append(await status())
    faulty.store.faults.clear()
    seen.append(await status())
    assert seen == ["no_records", "no_records", "read_timeout", "no_records"]


async def test_a_sink_whose_probe_failed_is_not_waited_for(faulty: MemoryKit, owner: Login) -> None:
    faulty.sink.faults["probe"] = SinkRetryable("memory/events", "no answer in time", "timeout")
    faulty.sink.hanging.add("latest")
    async with asyncio.timeout(1):
        shown = await dashboard(faulty, owner)
    assert shown["event_sink"]["status"] == "down"
    assert (shown["freshness"]["events"]["status"], shown["freshness"]["events"]["reason"]) == (
        "unknown",
        "read_timeout",
    )

"""What the stand-in says of itself, as health, readiness, metrics and page show it."""

import math
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from engines.bossman.dashboard import build
from engines.bossman.pages.answers import html
from engines.bossman.pages.verdict import ACKNOWLEDGE, DOCTOR
from engines.bossman.pages.view import View, view
from engines.common.documents import Scope
from tests.support.app import Login, MemoryKit, running, send_pageview, sign_up
from tests.support.stand_in import KILLED, SaidStandIn

DURABILITY, RESTORED = "document-store:durability", "document-store:restored"
FULL = "disk: the volume of the state store is full; make room on it, writes continue by themselves"
REFUSED = {"writes": "refused", "refused_because": FULL, "saving": "failing"}
FAILING = {
    "saving": "failing",
    "save_error": "No space left on device",
    "save_failing_since": "2026-01-15T11:59:58Z",
}
MIB = 1024 * 1024


@pytest.fixture
async def kept() -> AsyncIterator[MemoryKit]:
    """A running app whose state store is a stand-in of this kit."""
    async with running(MemoryKit(stand_in=SaidStandIn())) as kit:
        yield kit


async def check(kit: MemoryKit, name: str, path: str = "/healthz") -> tuple[int, Any]:
    answer = await kit.client.get(path)
    [found] = answer.json()["checks"].get(name, [None])
    return answer.status_code, found


async def metric(kit: MemoryKit, name: str) -> float:
    families = text_string_to_metric_families((await kit.client.get("/metrics")).text)
    [value] = [sample.value for family in families for sample in family.samples if sample.name == name]
    return value


async def page(kit: MemoryKit, who: Login) -> View:
    shown = await build(kit.services.dashboard, Scope(who.tenant_id, "dev"), "squared", 7)
    return view(shown, None, "http://localhost")


async def test_a_stand_in_in_good_order_passes_and_its_save_has_an_age(kept: MemoryKit) -> None:
    status, found = await check(kept, DURABILITY)
    assert (status, found["status"], found["output"]) == (200, "pass", None)
    assert (found["componentId"], found["observedValue"], found["observedUnit"]) == ("firestore", 5.0, "s")
    assert await check(kept, RESTORED) == (200, None)


async def test_nothing_is_said_of_a_store_that_is_no_stand_in(kept: MemoryKit, kit: MemoryKit) -> None:
    kept.stand_in.said = None
    for one in (kept, kit):
        assert await check(one, DURABILITY) == (200, None)
        assert math.isnan(await metric(one, "northstar_state_writes_refused"))
        assert math.isnan(await metric(one, "northstar_state_losses_open"))


async def test_refused_writes_fail_health_and_readiness_with_the_reason(kept: MemoryKit) -> None:
    acme = await sign_up(kept.client, "acme")
    kept.stand_in.set(**REFUSED)
    for path in ("/healthz", "/readyz"):
        status, found = await check(kept, DURABILITY, path)
        assert (status, found["status"], found["output"]) == (503, "fail", f"writes are refused: {FULL}")
    assert await metric(kept, "northstar_state_writes_refused") == 1
    verdict = (await page(kept, acme)).verdict
    assert (verdict.level, verdict.word, verdict.cause) == ("down", "State store refuses writes", FULL)
    assert verdict.command == DOCTOR
    kept.stand_in.set()
    assert (await kept.client.get("/readyz")).status_code == 200
    assert await metric(kept, "northstar_state_writes_refused") == 0


async def test_a_failing_save_fails_health_and_not_yet_readiness(kept: MemoryKit) -> None:
    acme = await sign_up(kept.client, "acme")
    kept.stand_in.set(**FAILING)
    status, found = await check(kept, DURABILITY)
    said = "saving fails since 11:59:58 UTC: No space left on device"
    assert (status, found["status"], found["output"]) == (503, "fail", said)
    assert (await kept.client.get("/readyz")).status_code == 200
    assert await metric(kept, "northstar_state_saving_failed") == 1
    assert (await page(kept, acme)).verdict.word == "State store cannot save"


@pytest.mark.parametrize(
    ("said", "output"),
    [
        ({"memory_used_bytes": 299 * MIB}, None),
        (
            {"memory_used_bytes": 300 * MIB},
            "memory: 75% of 400 MiB in use; at its limit writes are refused",
        ),
        ({"memory_used_bytes": None, "memory_limit_bytes": None, "disk_free_bytes": None}, None),
        ({"disk_free_bytes": 32 * MIB}, None),
        (
            {"disk_free_bytes": 31 * MIB},
            "disk: 31 MiB free on its volume; when a save no longer fits, writes are refused",
        ),
        (
            {"disk_free_bytes": 299 * MIB, "saved_bytes": 100 * MIB},
            "disk: 299 MiB free on its volume; when a save no longer fits, writes are refused",
        ),
    ],
)
async def test_memory_and_disk_are_said_before_they_end(
    kept: MemoryKit, said: dict[str, Any], output: str | None
) -> None:
    kept.stand_in.set(**said)
    status, found = await check(kept, DURABILITY)
    assert (status, found["status"], found["output"]) == (200, "warn" if output else "pass", output)


async def test_a_store_that_came_back_older_is_said_in_all_places_until_acknowledged(kept: MemoryKit) -> None:
    acme = await sign_up(kept.client, "acme")
    await send_pageview(kept.client, acme)
    assert (await page(kept, acme)).verdict.word == "Alive"
    kept.stand_in.set(generation="20260115T115900.000000Z", **KILLED)
    losses = kept.services.state_losses
    assert losses is not None
    await losses.look()
    status, found = await check(kept, RESTORED)
    gone = "what was stored after it until 2026-01-15 11:49:58 UTC is gone"
    assert (status, found["status"], found["observedValue"]) == (200, "warn", 7.0)
    assert found["output"] == f"came back as of 2026-01-15 11:49:51 UTC, {gone}"
    assert await metric(kept, "northstar_state_losses_open") == 1
    assert await metric(kept, "northstar_state_restored_as_of_seconds") == 1768477791
    seen = await page(kept, acme)
    assert (seen.verdict.level, seen.verdict.cause, seen.verdict.command) == ("warn", gone, ACKNOWLEDGE)
    assert seen.verdict.word == "State store came back as of 2026-01-15 11:49:51 UTC"
    drawn = bytes(html("live.html", view=seen, tenant_name="Acme", window_days=7).body).decode()
    assert "<strong>start of the state store</strong>" in drawn
    assert (await kept.client.get("/readyz")).status_code == 200
    await losses.acknowledge()
    assert await check(kept, RESTORED) == (200, None)
    assert await metric(kept, "northstar_state_losses_open") == 0
    assert (await page(kept, acme)).verdict.word == "Alive"

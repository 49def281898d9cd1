"""Processes whose clocks differ: what sums or filters by a clock is never called fresh, and it is said."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from engines.bossman.dashboard import build
from engines.bossman.pages.answers import html
from engines.bossman.pages.verdict import judge
from engines.bossman.pages.view import view
from engines.common.documents import Scope
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import Login, MemoryKit, MovableClock, dashboard, running, sign_up

UNSURE = ("unknown", "clock_skew")


def ahead(clock: MovableClock, seconds: float) -> MovableClock:
    """A clock that goes ahead of ``clock``; behind it for a negative number."""
    other = MovableClock()
    other.now = clock.now + timedelta(seconds=seconds)
    return other


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


async def on_one_store(stack: AsyncExitStack, *skews: float) -> list[MemoryKit]:
    """Apps on one store, whose clocks are ahead of the store's by so many seconds."""
    true = MovableClock()
    store = MemoryDocumentStore(true)
    kits = [MemoryKit(clock=ahead(true, seconds), store=store) for seconds in skews]
    for kit in kits:
        await stack.enter_async_context(running(kit))
    for kit in kits:  # each has measured at its start, but not yet seen those that came after it
        await kit.services.clocks.beat()
    await kits[0].services.clocks.look()
    return kits


async def skews_seen_by(kit: MemoryKit) -> list[float]:
    clocks = kit.services.clocks
    await clocks.look()
    return [skew.seconds for skew in clocks.state.others] if clocks.state else []


async def use(kit: MemoryKit, who: Login, cost: str) -> None:
    body = {"tenant_id": who.tenant_id, "env": "dev", "surface": "squared", "provider": "p", "cost": cost}
    (await kit.client.post("/budget/usage", json=body, headers=who.headers())).raise_for_status()


async def test_a_partial_sum_is_never_called_fresh(stack: AsyncExitStack) -> None:
    kits = await on_one_store(stack, 0, 600, -600)
    acme = await sign_up(kits[0].client, "acme")
    for kit, cost in zip(kits, ("1", "10", "100"), strict=True):
        await use(kit, acme, cost)
    shown = [await dashboard(kit.client, acme) for kit in kits]
    assert [one["budget"]["by_provider"]["total_cost"] for one in shown] == [101, 111, 100]
    verdicts = [one["freshness"]["budget"] for one in shown]
    assert [(one["status"], one["reason"]) for one in verdicts] == [UNSURE] * 3


async def test_the_skew_is_said_in_health_on_the_page_and_as_a_metric(stack: AsyncExitStack) -> None:
    right, wrong = await on_one_store(stack, 0, 600)
    acme = await sign_up(right.client, "acme")
    for kit, words, skew in (
        (wrong, "the clock of this process is 600.0 s ahead of the state store's", 600.0),
        (right, "the clock of another process is 600.0 s ahead of the state store's", 0.0),
    ):
        answer = await kit.client.get("/healthz")
        [check] = answer.json()["checks"]["clock:skew"]
        assert (answer.status_code, check["status"], check["observedValue"]) == (200, "warn", 600.0)
        assert check["output"].startswith(words)
        text = (await kit.client.get("/metrics")).text
        assert f"northstar_clock_skew_seconds {skew}\n" in text
        assert "northstar_clock_spread_seconds 600.0\n" in text
        shown = await build(kit.services.dashboard, Scope(acme.tenant_id, "dev"), "squared", 7)
        verdict = judge(shown, "curl")
        assert (verdict.level, verdict.word) == ("unknown", "Clocks differ")
        assert words in verdict.cause
        drawn = html("live.html", view=view(shown, None, "http://localhost"), tenant_name="", window_days=7)
        assert "clocks differ, so what it sums" in bytes(drawn.body).decode()
        assert "Strategy locks could not be read" not in bytes(drawn.body).decode()


async def test_clocks_that_agree_to_a_second_say_nothing(stack: AsyncExitStack) -> None:
    kits = await on_one_store(stack, 0, 0.5, -0.4)
    acme = await sign_up(kits[0].client, "acme")
    for kit in kits:
        await use(kit, acme, "1")
        [check] = (await kit.client.get("/healthz")).json()["checks"]["clock:skew"]
        assert (check["status"], check["observedValue"], check["output"]) == ("pass", 0.9, None)
        assert (await dashboard(kit.client, acme))["freshness"]["budget"]["status"] == "fresh"


async def test_locks_are_not_called_fresh_and_what_has_no_clock_in_it_is(stack: AsyncExitStack) -> None:
    right, _ = await on_one_store(stack, 0, 600)
    acme = await sign_up(right.client, "acme")
    lock = {"scope": "other", "title": "set-up", "surface": "squared", "allowed_actions": ["*"]}
    for path, body in (("/strategy-locks", lock), ("/privacy/train-prefs/tenant", {"opt_out": True})):
        (await right.client.post(path, json=body, headers=acme.headers())).raise_for_status()
    verdicts = (await dashboard(right.client, acme))["freshness"]
    assert (verdicts["strategy_locks"]["status"], verdicts["strategy_locks"]["reason"]) == UNSURE
    assert verdicts["training_prefs"]["status"] == "fresh"


async def test_a_process_that_is_corrected_or_gone_is_forgotten(stack: AsyncExitStack) -> None:
    right, wrong = await on_one_store(stack, 0, 600)
    assert await skews_seen_by(right) == [600]
    wrong.clock.now = right.clock.now
    await wrong.services.clocks.beat()
    assert await skews_seen_by(right) == [0]
    await wrong.services.clocks.close()
    assert await skews_seen_by(right) == []

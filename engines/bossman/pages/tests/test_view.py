"""The verdict, the tiles and what the templates make of hostile text."""

from datetime import timedelta
from typing import Any

import pytest

from engines.bossman.dashboard import build
from engines.bossman.models import Dashboard
from engines.bossman.pages.answers import html
from engines.bossman.pages.verdict import DOCTOR, RULES, judge
from engines.bossman.pages.view import MOST_ROWS, View, view
from engines.common.documents import Scope, StoreTimeout
from engines.nexus.backends.noop import NoopSink
from engines.nexus.backends.sink import SinkRetryable
from engines.privacy.models import TrainingPreference
from tests.support.app import Login, MemoryKit, running, send_pageview, sign_up
from tests.support.faults import FaultySink, FaultyStore

HOSTILE = "<script>alert(1)</script>\"'&{{7*7}}\u202e\u200b" + "x" * 5_000


async def shown(kit: MemoryKit, who: Login, surface: str = "squared") -> Dashboard:
    return await build(kit.services.dashboard, Scope(who.tenant_id, "dev"), surface, 7)


async def seen(kit: MemoryKit, who: Login) -> View:
    return view(await shown(kit, who), None, "http://localhost")


def rendered(found: View) -> str:
    answer = html("live.html", view=found, tenant_name=HOSTILE, window_days=7)
    return bytes(answer.body).decode()


async def test_a_tenant_with_fresh_events_is_alive(kit: MemoryKit, acme: Login) -> None:
    await send_pageview(kit.client, acme)
    verdict = (await seen(kit, acme)).verdict
    assert (verdict.level, verdict.word, verdict.command) == ("fresh", "Alive", None)
    assert verdict.rest == (
        "events arrive and all that is set up is in time. Behind it: memory, a local stand-in. Nothing to do."
    )


async def test_a_new_tenant_waits_and_is_told_how_to_send_its_first_event(
    kit: MemoryKit, acme: Login
) -> None:
    verdict = (await seen(kit, acme)).verdict
    assert (verdict.level, verdict.word) == ("never", "Waiting")
    assert verdict.command is not None
    assert verdict.command.startswith("curl -fsS http://localhost/analytics/events/pageview ")
    assert acme.tenant_id in verdict.command


@pytest.mark.parametrize(
    ("hours", "expected"),
    [(0.5, ("fresh", "Alive")), (2, ("warn", "Alive, slowing")), (25, ("stale", "Gone quiet"))],
)
async def test_age_changes_the_verdict(
    kit: MemoryKit, acme: Login, hours: float, expected: tuple[str, str]
) -> None:
    await send_pageview(kit.client, acme)
    kit.clock.advance(hours=hours)
    verdict = (await seen(kit, acme)).verdict
    assert (verdict.level, verdict.word) == expected


async def test_an_old_tenant_without_events_never_started(kit: MemoryKit, acme: Login) -> None:
    kit.clock.advance(days=2)
    assert (await seen(kit, acme)).verdict.word == "Never started"
    await send_pageview(kit.client, acme)
    assert (await seen(kit, acme)).verdict.word == "Alive, half set up"


async def test_a_sink_that_fails_comes_before_everything_else() -> None:
    sink = FaultySink()
    async with running(MemoryKit(sink=sink)) as kit:
        acme = await sign_up(kit.client, "acme")
        sink.faults["probe"] = SinkRetryable("memory/events", "connection refused", "unreachable")
        found = await seen(kit, acme)
        assert (found.verdict.level, found.verdict.command, found.sink_level) == ("down", DOCTOR, "down")
        assert "connection refused" in found.verdict.cause


async def test_a_write_that_failed_and_discarded_events_and_unread_sections_show() -> None:
    sink, parts = FaultySink(), MemoryKit()
    parts.sink, parts.store = sink, (store := FaultyStore(parts.store))
    async with running(parts) as kit:
        acme = await sign_up(kit.client, "acme")
        sink.faults["write"] = SinkRetryable("memory/events", "quota", "error")
        await send_pageview(kit.client, acme)
        assert (await seen(kit, acme)).verdict.word == "Struggling"
        sink.faults.clear()
        await send_pageview(kit.client, acme)
        store.faults["scan strategy_locks"] = StoreTimeout("memory: slow")
        kit.clock.advance(seconds=3)  # what was read before serves for two
        found = await seen(kit, acme)
        assert (found.verdict.word, found.verdict.cause) == ("Cannot tell", "not readable: Strategy locks")
        [tile] = [tile for tile in found.tiles if tile.name == "strategy_locks"]
        assert (tile.level, tile.reason, tile.command) == (
            "unknown",
            "the source did not answer in time",
            DOCTOR,
        )
        assert "Strategy locks could not be read" in rendered(found)
    async with running(MemoryKit(sink=NoopSink())) as kit:
        acme = await sign_up(kit.client, "acme")
        found = await seen(kit, acme)
        assert (found.verdict.level, found.sink_level, found.tiles[0].level) == ("off", "off", "off")


async def test_every_verdict_says_what_to_do(kit: MemoryKit, acme: Login) -> None:
    dashboard = await shown(kit, acme)
    assert RULES[-1](dashboard) is not None
    assert judge(dashboard, "curl").action


async def test_an_indicator_that_counts_dead_letters_is_shown(kit: MemoryKit, acme: Login) -> None:
    await send_pageview(kit.client, acme)
    dashboard = await shown(kit, acme)
    sink = dashboard.event_sink.model_copy(update={"dead_letters": 3})
    found = view(dashboard.model_copy(update={"event_sink": sink}), None, "http://localhost")
    assert (found.dead_letters, found.verdict.word) == (3, "Losing some")
    assert "<dt>Not storable</dt><dd><strong>3</strong> events</dd>" in rendered(found)


async def test_a_long_list_is_cut_and_says_so(kit: MemoryKit, acme: Login) -> None:
    dashboard = await shown(kit, acme)
    own: dict[str, Any] = {"tenant_id": acme.tenant_id, "env": "dev", "opt_out": True}
    many = [TrainingPreference(user_id=f"u{number}", **own) for number in range(25)]
    found = view(dashboard.model_copy(update={"training_prefs": many}), None, "http://localhost")
    assert (len(found.preferences.rows), found.preferences.rows[0].user_id) == (MOST_ROWS, "u24")
    assert "10 of 25 preferences" in rendered(found)


async def test_hostile_text_is_shown_as_text(kit: MemoryKit, acme: Login) -> None:
    own = {"tenant_id": acme.tenant_id, "env": "dev", "surface": HOSTILE}
    lock = {"scope": "other", "title": HOSTILE, "surface": HOSTILE, "allowed_actions": ["*", HOSTILE]}
    made = (await kit.client.post("/strategy-locks", json=lock, headers=acme.headers())).json()
    await kit.client.post(f"/strategy-locks/{made['id']}/approve", headers=acme.headers())
    sent: list[tuple[str, str, Any]] = [
        ("POST", "/budget/usage", own | {"provider": HOSTILE, "model_or_plan_id": HOSTILE, "cost": "1"}),
        ("POST", "/kpi/definitions", own | {"name": HOSTILE, "unit": HOSTILE}),
        ("PUT", "/kpi/corridors", own | {"kpi_name": HOSTILE}),
        ("PUT", "/temperature/floors", own | {"performance_floors": {HOSTILE[:900]: 1}}),
        ("POST", "/firearms/licences", own | {"subject_type": HOSTILE, "subject_id": HOSTILE}),
        ("PUT", "/kill-switches", {"disable_providers": [HOSTILE], "disabled_actions": [HOSTILE]}),
        ("PUT", "/seo/pages", own | {"page_type": HOSTILE, "title": HOSTILE, "description": HOSTILE}),
        ("POST", "/analytics/events/pageview", {"surface": HOSTILE, "metadata": {HOSTILE[:900]: HOSTILE}}),
    ]
    for method, path, body in sent:
        answer = await kit.client.request(method, path, json=body, headers=acme.headers())
        assert answer.status_code == 200, (path, answer.text[:300])
    page = rendered(view(await shown(kit, acme, HOSTILE), None, "http://localhost"))
    assert "<script" not in page.lower()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "49" not in page.split("{{7*7}}")[0][-20:]
    assert "\u202e" not in page
    assert "\u200b" not in page


async def test_counts_that_cannot_be_read_are_said(kit: MemoryKit, acme: Login) -> None:
    assert "The counts could not be read" in rendered(await seen(kit, acme))
    day = await kit.services.arrivals.reads.last_day(Scope(acme.tenant_id, "dev"))
    page = rendered(view(await shown(kit, acme), day, "http://localhost"))
    assert page.count("<strong>no event</strong> was accepted") == 2


async def test_a_licence_past_its_date_is_marked(kit: MemoryKit, acme: Login) -> None:
    until = (kit.clock.now - timedelta(days=1)).isoformat()
    body = {"tenant_id": acme.tenant_id, "env": "dev", "subject_type": "agent", "subject_id": "a"}
    await kit.client.post("/firearms/licences", json=body | {"expires_at": until}, headers=acme.headers())
    assert "expired</span>" in rendered(await seen(kit, acme))

"""The tenant dashboard over HTTP, on in-memory adapters."""

from typing import Any

import httpx
import pytest

from engines.nexus.backends.noop import NoopSink
from tests.support.app import Login, MemoryKit, running, sign_up
from tests.support.records import login_as

PATH = "/bossman/tenant-dashboard"
NOW = "2026-01-15T12:00:00Z"
KEYS = {
    "dashboard": [
        "tenant_id",
        "env",
        "surface",
        "temperature",
        "budget",
        "cogs",
        "kpi",
        "strategy_locks",
        "firearms",
        "analytics",
        "event_sink",
        "training_prefs",
        "kill_switch",
        "generated_at",
        "freshness",
        "health",
        "lists",
    ],
    "sections": [
        "events",
        "temperature",
        "budget",
        "kpi",
        "strategy_locks",
        "firearms",
        "analytics",
        "training_prefs",
        "kill_switch",
    ],
    "event_sink": [
        "backend",
        "last_write_at",
        "backend_class",
        "target",
        "stand_in",
        "status",
        "reason",
        "latency_ms",
        "observed_at",
        "last_error",
        "consecutive_failures",
        "backlog",
        "dead_letters",
        "missing",
        "compared_at",
        "not_compared",
    ],
    "freshness": [
        "status",
        "reason",
        "last_updated_at",
        "observed_at",
        "evaluated_at",
        "age_seconds",
        "warn_after_seconds",
        "error_after_seconds",
        "source",
    ],
    "check": ["componentType", "componentId", "observedValue", "observedUnit", "status", "time", "output"],
}


async def dashboard(kit: MemoryKit, who: Login, env: str = "dev", **query: Any) -> dict[str, Any]:
    answer = await kit.client.get(PATH, params=query, headers=who.headers(env))
    assert answer.status_code == 200
    return dict(answer.json())


async def pageview(kit: MemoryKit, who: Login, env: str = "dev", path: str = "pageview") -> None:
    answer = await kit.client.post(
        f"/analytics/events/{path}", json={"surface": "squared"}, headers=who.headers(env)
    )
    answer.raise_for_status()


async def opt_out(kit: MemoryKit, who: Login, env: str = "dev") -> None:
    answer = await kit.client.post(
        "/privacy/train-prefs/tenant", json={"opt_out": True}, headers=who.headers(env)
    )
    answer.raise_for_status()


async def test_keys_stand_in_the_contracts_order(kit: MemoryKit, acme: Login) -> None:
    shown = await dashboard(kit, acme)
    assert list(shown) == KEYS["dashboard"]
    assert list(shown["analytics"]) == ["effective_config", "page_seo", "events"]
    assert list(shown["analytics"]["events"]) == ["last_pageview_at", "last_cta_click_at"]
    assert list(shown["event_sink"]) == KEYS["event_sink"]
    assert list(shown["event_sink"]["backlog"]) == ["depth", "oldest_at"]
    assert list(shown["freshness"]) == KEYS["sections"]
    assert [list(section) for section in shown["freshness"].values()] == [KEYS["freshness"]] * 9
    assert list(shown["health"]) == ["status", "freshness", "checks"]
    assert [list(group[0]) for group in shown["health"]["checks"].values()] == [KEYS["check"]] * 4


async def test_an_empty_tenant_is_never_and_not_stale_on_its_first_day(kit: MemoryKit, acme: Login) -> None:
    shown = await dashboard(kit, acme)
    assert shown["analytics"] == {
        "effective_config": None,
        "page_seo": [],
        "events": {"last_pageview_at": None, "last_cta_click_at": None},
    }
    assert shown["training_prefs"] == []
    assert shown["generated_at"] == NOW
    assert list(shown["freshness"]) == KEYS["sections"]
    for section in shown["freshness"].values():
        assert (section["status"], section["reason"]) == ("never", "no_records")
    assert (shown["health"]["status"], shown["health"]["freshness"]) == ("warn", "unknown")


async def test_an_empty_tenant_is_stale_after_its_first_day(kit: MemoryKit, acme: Login) -> None:
    kit.clock.advance(hours=24, minutes=1)
    shown = await dashboard(kit, acme)
    assert shown["freshness"]["events"]["status"] == "never"
    assert (shown["health"]["status"], shown["health"]["freshness"]) == ("fail", "stale")


async def test_what_arrives_is_shown_with_its_time(kit: MemoryKit, acme: Login) -> None:
    await pageview(kit, acme)
    kit.clock.advance(seconds=10)
    await pageview(kit, acme, path="cta-click")
    kit.clock.advance(seconds=10)
    await opt_out(kit, acme)
    kit.clock.advance(seconds=30)
    shown = await dashboard(kit, acme)
    assert shown["analytics"]["events"] == {
        "last_pageview_at": "2026-01-15T12:00:00Z",
        "last_cta_click_at": "2026-01-15T12:00:10Z",
    }
    assert shown["event_sink"]["last_write_at"] == "2026-01-15T12:00:10Z"
    assert shown["training_prefs"] == [
        {"tenant_id": acme.tenant_id, "env": "dev", "user_id": None, "opt_out": True}
    ]
    ages = {name: section["age_seconds"] for name, section in shown["freshness"].items()}
    assert {name: age for name, age in ages.items() if age is not None} == {
        "events": 40.0,
        "analytics": 40.0,
        "training_prefs": 30.0,
    }
    assert (shown["health"]["status"], shown["health"]["freshness"]) == ("pass", "fresh")


@pytest.mark.parametrize(
    ("seconds", "section", "overall"),
    [
        (3_600, ("fresh", "within_slo"), ("pass", "fresh")),
        (3_601, ("warn", "over_warn"), ("warn", "warn")),
        (86_399, ("warn", "over_warn"), ("warn", "warn")),
        (86_401, ("stale", "over_error"), ("fail", "stale")),
    ],
)
async def test_age_turns_a_section_warn_and_stale_while_the_answer_stays_200(
    kit: MemoryKit, acme: Login, seconds: int, section: tuple[str, str], overall: tuple[str, str]
) -> None:
    await pageview(kit, acme)
    kit.clock.advance(seconds=seconds)
    shown = await dashboard(kit, acme)
    for name in ("events", "analytics"):
        record = shown["freshness"][name]
        assert (record["status"], record["reason"], record["age_seconds"]) == (*section, float(seconds))
    assert (shown["health"]["status"], shown["health"]["freshness"]) == overall


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [(5, ("fresh", "within_slo")), (6, ("unknown", "future_timestamp"))],
)
async def test_a_record_of_the_future_is_not_believed(
    kit: MemoryKit, acme: Login, ahead: int, expected: tuple[str, str]
) -> None:
    await pageview(kit, acme)
    kit.clock.advance(seconds=-ahead)
    record = (await dashboard(kit, acme))["freshness"]["events"]
    assert (record["status"], record["reason"], record["age_seconds"]) == (*expected, 0.0)


async def test_the_indicator_of_a_sink_that_works(kit: MemoryKit, acme: Login) -> None:
    await pageview(kit, acme)
    shown = (await dashboard(kit, acme))["event_sink"]
    assert isinstance(shown.pop("latency_ms"), float)
    assert shown == {
        "backend": "memory",
        "last_write_at": NOW,
        "backend_class": "MemorySink",
        "target": "process memory",
        "stand_in": True,
        "status": "up",
        "reason": None,
        "observed_at": NOW,
        "last_error": None,
        "consecutive_failures": 0,
        "backlog": {"depth": 0, "oldest_at": None},
        "dead_letters": None,
        "missing": None,
        "compared_at": None,
        "not_compared": "not compared yet",
    }


async def test_noop_is_off_and_its_events_are_unknown() -> None:
    async with running(MemoryKit(sink=NoopSink())) as kit:
        owner = await sign_up(kit.client, "acme")
        await pageview(kit, owner)
        shown = await dashboard(kit, owner)
        sink, events = shown["event_sink"], shown["freshness"]["events"]
        assert (sink["backend"], sink["backend_class"], sink["status"], sink["reason"]) == (
            "noop",
            "NoopSink",
            "off",
            "events are discarded",
        )
        assert (events["status"], events["source"], sink["last_write_at"]) == ("unknown", "noop", None)
        assert shown["freshness"]["analytics"]["status"] == "fresh"
        assert (shown["health"]["status"], shown["health"]["freshness"]) == ("warn", "unknown")


async def test_two_tenants_and_two_envs_are_apart(kit: MemoryKit, acme: Login, globex: Login) -> None:
    await pageview(kit, acme)
    await opt_out(kit, acme)
    kit.clock.advance(seconds=7)
    await pageview(kit, acme, "staging", "cta-click")
    seen = {}
    for name, who, env in (("acme", acme, "dev"), ("acme", acme, "stage"), ("globex", globex, "dev")):
        shown = await dashboard(kit, who, env)
        assert (shown["tenant_id"], shown["env"]) == (who.tenant_id, env.replace("stage", "staging"))
        events = shown["analytics"]["events"]
        seen[f"{name} {env}"] = (
            shown["event_sink"]["last_write_at"],
            events["last_pageview_at"],
            events["last_cta_click_at"],
            len(shown["training_prefs"]),
        )
    assert seen == {
        "acme dev": (NOW, NOW, None, 1),
        "acme stage": ("2026-01-15T12:00:07Z", None, "2026-01-15T12:00:07Z", 0),
        "globex dev": (None, None, None, 0),
    }


async def test_another_tenants_fresh_events_leave_this_one_stale(
    kit: MemoryKit, acme: Login, globex: Login
) -> None:
    await pageview(kit, acme)
    kit.clock.advance(days=2)
    await pageview(kit, globex)
    assert (await dashboard(kit, acme))["freshness"]["events"]["status"] == "stale"
    assert (await dashboard(kit, globex))["freshness"]["events"]["status"] == "fresh"


async def test_no_id_of_another_tenant_is_anywhere(kit: MemoryKit, acme: Login, globex: Login) -> None:
    for who in (acme, globex):
        await pageview(kit, who)
        await opt_out(kit, who)
    answer = await kit.client.get(PATH, headers=acme.headers())
    assert globex.tenant_id not in answer.text
    assert globex.user_id not in answer.text


@pytest.mark.parametrize(
    ("query", "surface"),
    [({}, "squared"), ({"surface": ""}, "squared"), ({"surface": "blog"}, "blog"), ({"surface": " "}, " ")],
    ids=str,
)
async def test_the_surface_is_echoed_and_empty_means_squared(
    kit: MemoryKit, acme: Login, query: dict[str, str], surface: str
) -> None:
    assert (await dashboard(kit, acme, **query))["surface"] == surface


@pytest.mark.parametrize("window_days", [1, 7, 90])
async def test_window_days_may_be_1_to_90(kit: MemoryKit, acme: Login, window_days: int) -> None:
    assert list(await dashboard(kit, acme, window_days=window_days)) == KEYS["dashboard"]


@pytest.mark.parametrize("window_days", ["0", "91", "x", ""])
async def test_other_window_days_are_422(kit: MemoryKit, acme: Login, window_days: str) -> None:
    answer = await kit.client.get(PATH, params={"window_days": window_days}, headers=acme.headers())
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("role", "status"), [("owner", 200), ("admin", 200), ("member", 403), ("viewer", 403)]
)
async def test_only_owners_and_admins_see_it(kit: MemoryKit, role: Any, status: int) -> None:
    answer: httpx.Response = await kit.client.get(PATH, headers=login_as(kit, role).headers())
    assert answer.status_code == status
    if status == 403:
        assert answer.json() == {"detail": "insufficient role for tenant"}

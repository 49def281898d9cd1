"""The onboarding overview as JSON: whose it is, what it says of a tenant, in which order, page by page."""

import asyncio
import json
import shlex
from typing import Any

import pytest

from engines.common.documents import SYSTEM, Scope, StoreTimeout
from engines.common.identity import ROLES
from engines.identity.models import Tenant
from engines.logging.milestones import NotedMilestones
from engines.logging.progress import MILESTONES
from tests.support.app import SYSTEM_KEY, Login, MemoryKit, running, send_pageview, sign_up
from tests.support.faults import FaultyStore
from tests.support.onboarding import KEY, PATH, listed, row
from tests.support.records import login_as


async def run_command(kit: MemoryKit, who: Login, command: str) -> None:
    """Do over HTTP what the shell would do with the command."""
    lock = ""
    for part in command.removeprefix("lock=$(").split(" && "):
        words = shlex.split(part.split(" | sed ")[0].replace("$token", who.token).replace("$lock", lock))
        assert words[:2] == ["curl", "-fsS"]
        url = next(word for word in words if word.startswith("http"))
        headers = [words[at + 1] for at, word in enumerate(words) if word == "-H"]
        data = words[words.index("-d") + 1] if "-d" in words else None
        method = words[words.index("-X") + 1] if "-X" in words else "POST"
        named = dict(header.split(": ", 1) for header in headers)
        answer = (await kit.client.request(method, url, content=data, headers=named)).raise_for_status()
        lock = answer.json().get("id", "") if isinstance(answer.json(), dict) else ""


@pytest.mark.parametrize("key", [None, "", "wrong", SYSTEM_KEY + "x", "é"])
async def test_a_wrong_or_missing_key_is_403(kit: MemoryKit, acme: Login, key: str | None) -> None:
    headers = acme.headers() | ({} if key is None else {"X-System-Key": key})
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    answer = await kit.client.get(PATH, headers=raw)
    assert (answer.status_code, answer.json()) == (403, {"detail": "invalid system key"})
    assert acme.tenant_id not in answer.text


async def test_no_token_opens_it_whatever_its_role(kit: MemoryKit) -> None:
    for role in ROLES:
        headers = login_as(kit, role, "t_system").headers()
        assert (await kit.client.get(PATH, headers=headers)).status_code == 403


async def test_an_unset_key_closes_it() -> None:
    async with running(MemoryKit(), SYSTEM_BOOTSTRAP_KEY=None) as kit:
        for key in ("", SYSTEM_KEY):
            answer = await kit.client.get(PATH, headers={"X-System-Key": key})
            assert answer.status_code == 403


async def test_a_tenant_is_there_from_its_sign_up_and_knows_what_is_next(kit: MemoryKit, acme: Login) -> None:
    found = await row(kit, acme.tenant_id)
    assert (found["name"], found["env"], found["state"], found["verdict"]) == (
        "acme",
        "dev",
        "no_events",
        "never",
    )
    now = kit.clock().isoformat().replace("+00:00", "Z")
    assert [found["milestones"][name] for name in ("tenant_created", "owner_joined")] == [now, now]
    assert found["missing"] == list(MILESTONES[2:])
    assert found["next"]["milestone"] == "first_event"
    assert (found["events_24h"], found["trainable_share"], found["newest_event_at"]) == (0, None, None)
    kit.clock.advance(hours=25)
    assert (await row(kit, acme.tenant_id))["verdict"] == "stale"


async def test_following_each_next_command_leads_to_complete(kit: MemoryKit, acme: Login) -> None:
    reached = []
    for _ in MILESTONES[2:]:
        found = await row(kit, acme.tenant_id)
        reached.append(found["next"]["milestone"])
        kit.clock.advance(minutes=1)
        await run_command(kit, acme, found["next"]["command"])
    found = await row(kit, acme.tenant_id)
    assert reached == list(MILESTONES[2:])
    assert (found["state"], found["missing"], found["next"]) == ("complete", [], None)
    times = [found["milestones"][name] for name in MILESTONES]
    assert times == sorted(times)
    assert found["at_the_latest"] is False


async def test_events_are_counted_and_judged(kit: MemoryKit, acme: Login) -> None:
    await send_pageview(kit.client, acme)
    await send_pageview(kit.client, acme, metadata={"note": "jo@example.com"})
    found = await row(kit, acme.tenant_id)
    assert (found["events_24h"], found["trainable_share"]) == (2, 0.5)
    assert (found["state"], found["verdict"]) == ("incomplete", "fresh")
    kit.clock.advance(hours=2)
    assert (await row(kit, acme.tenant_id))["verdict"] == "warn"
    kit.clock.advance(days=3)
    found = await row(kit, acme.tenant_id)
    assert (found["verdict"], found["events_24h"]) == ("stale", 0)
    assert found["newest_event_at"] == "2026-01-15T12:00:00Z"


async def test_another_env_shows_from_its_first_milestone_on(kit: MemoryKit, acme: Login) -> None:
    assert [one["env"] for one in (await listed(kit))["tenants"]] == ["dev"]
    await send_pageview(kit.client, acme, "prod")
    found = await row(kit, acme.tenant_id, "prod")
    assert (found["name"], found["missing"][0]) == ("acme", "lock_approved")
    assert found["milestones"]["owner_joined"] is not None
    assert (await row(kit, acme.tenant_id, "dev"))["state"] == "no_events"


async def test_the_first_time_stays_whatever_process_notes_it_later(kit: MemoryKit, acme: Login) -> None:
    scope = Scope(acme.tenant_id, "dev")
    kit.services.milestones.reached(scope, "first_usage")
    before = (await row(kit, acme.tenant_id))["milestones"]["first_usage"]
    kit.clock.advance(hours=1)
    others = [NotedMilestones(kit.store, kit.services.identity.beginning, kit.clock) for _ in range(3)]
    for other in others:
        other.reached(scope, "first_usage")
        other.reached(scope, "kpi_configured")
    await asyncio.gather(*(other.close() for other in others))
    after = (await row(kit, acme.tenant_id))["milestones"]
    assert after["first_usage"] == before
    assert after["kpi_configured"] > before


async def test_worst_first_and_every_page_in_that_order(kit: MemoryKit) -> None:
    logins = []
    for number in range(5):
        logins.append(await sign_up(kit.client, f"tenant{number}"))
        kit.clock.advance(minutes=1)
    await send_pageview(kit.client, logins[0])
    kit.clock.advance(hours=1)
    await send_pageview(kit.client, logins[3])
    expected = [logins[number].tenant_id for number in (1, 2, 4, 0, 3)]
    assert [one["tenant_id"] for one in (await listed(kit))["tenants"]] == expected
    seen: list[str] = []
    cursor: str | None = ""
    for size in (2, 2, 1):
        page = await listed(kit, limit=2, cursor=cursor)
        assert len(page["tenants"]) == size
        seen += [one["tenant_id"] for one in page["tenants"]]
        cursor = page["next_cursor"]
    assert seen == expected
    assert cursor is None
    filtered = await listed(kit, state="incomplete", env="dev")
    assert [one["tenant_id"] for one in filtered["tenants"]] == expected[3:]
    assert (await listed(kit, state="complete"))["tenants"] == []


async def test_search_by_the_beginning_of_name_or_id(kit: MemoryKit) -> None:
    one, two = await sign_up(kit.client, "Straße Outdoor"), await sign_up(kit.client, "strasse indoor")
    await sign_up(kit.client, "other")
    found = await listed(kit, search="STRASSE")
    assert {row["tenant_id"] for row in found["tenants"]} == {one.tenant_id, two.tenant_id}
    assert [row["name"] for row in (await listed(kit, search=one.tenant_id))["tenants"]] == ["Straße Outdoor"]
    assert (await listed(kit, search="outdoor"))["tenants"] == []
    assert (await listed(kit, search="strasse", state="complete"))["tenants"] == []


@pytest.mark.parametrize(
    "query",
    [
        {"env": "qa"},
        {"state": "x"},
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "²"},
        {"limit": "x"},
        {"search": "x" * 301},
        {"search": "\0"},
        {"cursor": "é"},
        {"cursor": "x" * 301},
    ],
    ids=str,
)
async def test_what_no_page_can_be_made_of_is_422(kit: MemoryKit, query: dict[str, str]) -> None:
    assert (await kit.client.get(PATH, params=query, headers=KEY)).status_code == 422
    assert (await kit.client.get(PATH, params=query)).status_code == 403


async def test_a_row_whose_counts_cannot_be_read_says_so_and_the_others_show() -> None:
    kit = MemoryKit()
    kit.store = store = FaultyStore(kit.store)
    async with running(kit) as kit:
        acme = await sign_up(kit.client, "acme")
        store.faults["get event_arrivals/{tenant}_{env}/days"] = StoreTimeout("memory: slow")
        found = await row(kit, acme.tenant_id)
        assert (found["verdict"], found["freshness"]["reason"]) == ("unknown", "read_timeout")
        assert found["events_24h"] is None
        store.faults.clear()
        store.faults["scan onboarding_progress"] = StoreTimeout("memory: slow")
        assert (await kit.client.get(PATH, headers=KEY)).status_code == 503


async def test_a_store_that_fails_loses_no_milestone_and_fails_no_request() -> None:
    kit = MemoryKit()
    kit.store = store = FaultyStore(kit.store)
    async with running(kit) as kit:
        acme = await sign_up(kit.client, "acme")
        store.faults["mutate onboarding_progress"] = StoreTimeout("memory: slow")
        answer = await send_pageview(kit.client, acme)
        assert answer.json()["status"] == "accepted"
        await kit.services.milestones.flush()
        store.faults.clear()
        assert (await row(kit, acme.tenant_id))["state"] == "incomplete"


async def test_a_tenant_without_owner_gets_no_command_that_cannot_work(kit: MemoryKit) -> None:
    await kit.client.post("/auth/bootstrap/tenants", headers=KEY)
    found = await row(kit, "t_system")
    assert (found["name"], found["next"]["milestone"]) == ("System Control Plane", "owner_joined")
    assert found["next"]["command"] is None


async def test_a_token_of_no_tenant_at_all_leaves_no_progress(kit: MemoryKit) -> None:
    await send_pageview(kit.client, login_as(kit, "owner", "t_phantom"))
    assert (await listed(kit))["tenants"] == []


async def test_a_page_costs_no_more_documents_than_its_rows(kit: MemoryKit) -> None:
    for number in range(60):
        await kit.services.identity.tenants.put(SYSTEM, f"t_{number}", Tenant(id=f"t_{number}", name="x"))
    await listed(kit)
    calls: list[tuple[str, int]] = []
    scan = kit.store.scan

    async def counted(address: Any, *rest: Any) -> Any:
        found = await scan(address, *rest)
        calls.append((address.name, len(found)))
        return found

    kit.store.scan = counted
    await kit.client.get(PATH, params={"limit": 5}, headers=KEY)
    assert calls.count(("onboarding_progress", 6)) == 1
    assert len(calls) == 1


async def test_the_key_is_never_logged(kit: MemoryKit, acme: Login, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    for key in (SYSTEM_KEY, "guessed-key-7351"):
        await kit.client.get(PATH, headers={"X-System-Key": key})
    logged = json.dumps([str(record.__dict__) for record in caplog.records])
    assert SYSTEM_KEY not in logged
    assert "guessed-key-7351" not in logged

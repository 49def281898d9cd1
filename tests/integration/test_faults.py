"""Firestore stopped and paused under a running process: said clearly, in time, and healed by itself."""

import asyncio
import time
from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest

from engines.bossman.readings import TTL
from tests.support.app import Login, dashboard, send_pageview, sign_up
from tests.support.docker import Firestore

NOTICE_SECONDS = 10
ANSWER_SECONDS = 5

Fault = tuple[Callable[[Firestore], None], Callable[[Firestore], None]]
FAULTS: list[Fault] = [(Firestore.stop, Firestore.start), (Firestore.pause, Firestore.unpause)]
each_fault = pytest.mark.parametrize(("break_it", "repair_it"), FAULTS, ids=["stopped", "paused"])


async def sink_status(client: httpx.AsyncClient, login: Login) -> str:
    status: str = (await dashboard(client, login))["event_sink"]["status"]
    return status


async def until_sink_is(client: httpx.AsyncClient, login: Login, status: str) -> None:
    started = time.monotonic()
    while (seen := await sink_status(client, login)) != status:
        assert time.monotonic() - started < NOTICE_SECONDS, f"still {seen}, not {status}"
        await asyncio.sleep(0.2)


async def until_ready_answers(client: httpx.AsyncClient, status: int) -> None:
    started = time.monotonic()
    while (await client.get("/readyz")).status_code != status:
        assert time.monotonic() - started < NOTICE_SECONDS
        await asyncio.sleep(0.2)


@each_fault
async def test_a_dead_sink_shows_and_recovers_while_the_dashboard_stays_up(
    sink_apart: httpx.AsyncClient,
    emulator: Firestore,
    break_it: Callable[[Firestore], None],
    repair_it: Callable[[Firestore], None],
) -> None:
    login = await sign_up(sink_apart, f"a-{uuid4().hex}")
    await send_pageview(sink_apart, login)
    assert await sink_status(sink_apart, login) == "up"
    break_it(emulator)
    await until_sink_is(sink_apart, login, "down")
    broken = await dashboard(sink_apart, login)
    assert broken["freshness"]["events"]["status"] == "unknown"
    assert broken["freshness"]["training_prefs"]["status"] == "never"
    assert broken["health"]["status"] == "fail"
    assert (await sink_apart.get("/readyz")).status_code == 200
    assert (await sink_apart.get("/healthz")).status_code == 503
    repair_it(emulator)
    await until_sink_is(sink_apart, login, "up")


@each_fault
async def test_an_event_for_a_dead_sink_is_answered_with_an_error_and_leaves_nothing(
    sink_apart: httpx.AsyncClient,
    emulator: Firestore,
    break_it: Callable[[Firestore], None],
    repair_it: Callable[[Firestore], None],
) -> None:
    login = await sign_up(sink_apart, f"a-{uuid4().hex}")
    break_it(emulator)
    started = time.monotonic()
    answer = await send_pageview(sink_apart, login)
    assert time.monotonic() - started < ANSWER_SECONDS
    assert answer.status_code == 503
    assert answer.json()["status"] == "error"
    assert answer.headers["Retry-After"] == "5"
    shown = await dashboard(sink_apart, login)
    assert shown["event_sink"]["consecutive_failures"] == 1
    assert shown["event_sink"]["last_error"]["kind"] in ("timeout", "unreachable")
    assert shown["analytics"]["events"]["last_pageview_at"] is None
    repair_it(emulator)
    await until_sink_is(sink_apart, login, "up")
    assert (await send_pageview(sink_apart, login)).json()["status"] == "accepted"
    assert (await dashboard(sink_apart, login))["event_sink"]["consecutive_failures"] == 0


@each_fault
async def test_without_its_state_the_process_says_so_in_time_and_recovers(
    default_stack: httpx.AsyncClient,
    emulator: Firestore,
    break_it: Callable[[Firestore], None],
    repair_it: Callable[[Firestore], None],
) -> None:
    login = await sign_up(default_stack, f"a-{uuid4().hex}")
    await send_pageview(default_stack, login)
    written = (await dashboard(default_stack, login))["event_sink"]["last_write_at"]
    await asyncio.to_thread(break_it, emulator)
    await asyncio.sleep(TTL.total_seconds())  # so long the dashboard may still show what it read before
    for method, path, body in (
        ("GET", "/bossman/tenant-dashboard", None),
        ("POST", "/analytics/events/pageview", {"surface": "squared"}),
        ("POST", "/auth/login", {"email": login.email, "password": "x"}),
    ):
        started = time.monotonic()
        answer = await default_stack.request(method, path, json=body, headers=login.headers())
        assert time.monotonic() - started < ANSWER_SECONDS, path
        assert answer.status_code == 503, path
        assert answer.json()["detail"]["error"] == "state_store_unavailable"
        assert answer.headers["Retry-After"] == "5"
    await until_ready_answers(default_stack, 503)
    assert (await default_stack.get("/livez")).status_code == 200
    await asyncio.to_thread(repair_it, emulator)
    await until_ready_answers(default_stack, 200)
    assert (await dashboard(default_stack, login))["event_sink"]["last_write_at"] == written

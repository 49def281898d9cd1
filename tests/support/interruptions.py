"""A Firestore stand-in interrupted under load, and what of the acknowledged is gone afterwards.

Counted in the stand-in itself, past the product.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
from google.cloud.firestore_v1.base_query import FieldFilter

from engines.storage.firestore_client import close_client, open_client
from tests.bench.load import Tally, pageview, steadily
from tests.support.app import Login, sign_up
from tests.support.bigquery import PROJECT
from tests.support.bossman import Bossman, bossman
from tests.support.docker import Firestore, firestore
from tests.support.far_ends import state_variables

EVENTS_PER_SECOND = 50
BETWEEN_SECONDS = 3.0
STATE_SECONDS = 0.25
"""Between two state changes of each kind."""
HEALED_SECONDS = 120.0
"""Beyond the minute after which what a crash left half done is repaired."""
ANSWER_SECONDS = 15.0


@dataclass
class Acknowledged:
    """Document ids that a caller was given with a 2xx, by what they are."""

    sign_ups: set[str] = field(default_factory=set)
    locks: set[str] = field(default_factory=set)
    usage: set[str] = field(default_factory=set)
    events: set[str] = field(default_factory=set)


@dataclass
class Loss:
    """How many were acknowledged of each kind, and which of them are gone."""

    acknowledged: dict[str, int]
    gone: dict[str, set[str]]
    unpaired: set[str]
    """Ids of raw analytics records without their event, and the other way round."""
    refused: int

    def figures(self) -> str:
        parts = [f"{kind} {len(self.gone[kind])} of {count}" for kind, count in self.acknowledged.items()]
        return f"gone: {', '.join(parts)}; unpaired {len(self.unpaired)}; answered 503: {self.refused}"

    def lost_anything(self) -> bool:
        return any(self.gone.values())


async def stopped_in_good_order(stops: int, restarts: int) -> Loss:
    """So many stops with a start after each, then restarts."""
    with firestore() as store:

        def stop() -> None:
            store.stop(60)
            store.start()

        return await interrupted(store, [stop] * stops + [store.restart] * restarts)


async def killed(kills: int) -> Loss:
    """So many kills with a start after each."""
    with firestore() as store:

        def kill() -> None:
            store.kill()
            store.start()

        return await interrupted(store, [kill] * kills)


async def interrupted(store: Firestore, interruptions: Sequence[Callable[[], None]]) -> Loss:
    """Load a Bossman over the store, interrupt the store again and again, wait for what heals, and count."""
    with bossman(state_variables(store) | {"NEXUS_BACKEND": "firestore"}) as process:
        return await _interrupted(store, process, interruptions)


async def _interrupted(
    store: Firestore, process: Bossman, interruptions: Sequence[Callable[[], None]]
) -> Loss:
    async with httpx.AsyncClient(base_url=process.url, timeout=ANSWER_SECONDS) as client:
        login = await sign_up(client, f"interrupted{time.time_ns()}")
        acknowledged, tally, stop = Acknowledged(), Tally(), asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(steadily([process.port], pageview(login), EVENTS_PER_SECOND, stop, tally))
            for change in (_sign_up, _lock, _usage):
                tasks.create_task(_keep_changing(client, login, change, acknowledged, stop))
            for interruption in interruptions:
                await asyncio.sleep(BETWEEN_SECONDS)
                await asyncio.to_thread(interruption)
            await asyncio.sleep(BETWEEN_SECONDS)
            stop.set()
    acknowledged.events = set(tally.accepted)
    return await _after_healing(store, login, acknowledged, tally)


async def _after_healing(store: Firestore, login: Login, acknowledged: Acknowledged, tally: Tally) -> Loss:
    """The loss, once no event is gone and none is unpaired any more; else after a generous while."""
    until = time.monotonic() + HEALED_SECONDS
    while True:
        loss = await _count(store, login, acknowledged, tally)
        if not (loss.gone["events"] or loss.unpaired) or time.monotonic() > until:
            return loss
        await asyncio.sleep(1)


async def _count(store: Firestore, login: Login, acknowledged: Acknowledged, tally: Tally) -> Loss:
    client = open_client(PROJECT, store.host)
    try:
        events = await _ids(client, f"nexus_events_{login.tenant_id}")
        raw = await _ids(client, "analytics_events", login.tenant_id)
        there = {
            "sign_ups": await _ids(client, "identity_users"),
            "locks": await _ids(client, "strategy_locks"),
            "usage": await _ids(client, f"budget_usage/{login.tenant_id}_dev/events"),
            "events": events,
        }
        audits = await _ids(client, f"nexus_events_{login.tenant_id}", audits=True)
    finally:
        await close_client(client)
    kinds = vars(acknowledged)
    return Loss(
        {kind: len(ids) for kind, ids in kinds.items()},
        {kind: ids - there[kind] for kind, ids in kinds.items()},
        raw ^ (events - audits),
        tally.refused,
    )


async def _ids(client: Any, path: str, tenant_id: str | None = None, *, audits: bool = False) -> set[str]:
    query = client.collection(path)
    if tenant_id:
        query = query.where(filter=FieldFilter("tenant_id", "==", tenant_id))
    if audits:
        query = query.where(filter=FieldFilter("analytics_event_type", "==", "audit"))
    return {snapshot.id async for snapshot in query.select([]).stream()}


Change = Callable[[httpx.AsyncClient, Login, Acknowledged], Any]


async def _keep_changing(
    client: httpx.AsyncClient, login: Login, change: Change, acknowledged: Acknowledged, stop: asyncio.Event
) -> None:
    while not stop.is_set():
        with suppress(httpx.HTTPError):  # refused, or nobody knows: not acknowledged
            await change(client, login, acknowledged)
        await asyncio.sleep(STATE_SECONDS)


async def _sign_up(client: httpx.AsyncClient, _: Login, acknowledged: Acknowledged) -> None:
    acknowledged.sign_ups.add((await sign_up(client, f"member{time.time_ns()}")).user_id)


async def _lock(client: httpx.AsyncClient, login: Login, acknowledged: Acknowledged) -> None:
    body = {"scope": "other", "title": "under load"}
    acknowledged.locks.add(await _created(client, login, "/strategy-locks", body, "id"))


async def _usage(client: httpx.AsyncClient, login: Login, acknowledged: Acknowledged) -> None:
    body = {"tenant_id": login.tenant_id, "env": "dev", "provider": "openai", "cost": "0.01"}
    answer = await client.post("/budget/usage", json=body, headers=login.headers())
    acknowledged.usage |= {item["id"] for item in answer.raise_for_status().json()["items"]}


async def _created(client: httpx.AsyncClient, login: Login, path: str, body: dict[str, str], key: str) -> str:
    answer = await client.post(path, json=body, headers=login.headers())
    created: str = answer.raise_for_status().json()[key]
    return created

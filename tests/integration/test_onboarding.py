"""The onboarding overview over the wire: noted in Firestore, ordered, filtered and searched by Firestore."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
from google.cloud.firestore import AsyncClient

from engines.common.documents import Scope
from engines.identity.service import IdentityService
from engines.identity.tokens import Tokens
from engines.logging.milestones import NotedMilestones
from engines.logging.progress import Milestone
from engines.storage.firestore import FirestoreDocumentStore
from tests.support.app import SIGNING_SECRET, send_pageview, sign_up
from tests.support.onboarding import KEY, PATH


async def listed(http: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    answer = await http.get(PATH, params={"limit": 100} | query, headers=KEY)
    found: list[dict[str, Any]] = answer.raise_for_status().json()["tenants"]
    return found


async def test_from_sign_up_to_the_first_event_in_order_and_page_by_page(
    default_stack: httpx.AsyncClient,
) -> None:
    name = f"Onboarding {uuid4().hex}"
    one, other = await sign_up(default_stack, name), await sign_up(default_stack, f"{name} too")
    assert {row["tenant_id"] for row in await listed(default_stack, search=name.upper())} == {
        one.tenant_id,
        other.tenant_id,
    }

    async def of_state(state: str) -> list[dict[str, Any]]:
        return await listed(default_stack, search=one.tenant_id, state=state)

    await send_pageview(default_stack, one)
    async with asyncio.timeout(10):
        # Milestone and count are written in the background, each for itself; only a look tells.
        while not (rows := [row for row in await of_state("incomplete") if row["events_24h"]]):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    assert rows[0]["milestones"]["first_event"] is not None
    assert (rows[0]["events_24h"], rows[0]["verdict"]) == (1, "fresh")
    every = [row["tenant_id"] for row in await listed(default_stack, env="dev")]
    assert every.index(other.tenant_id) < every.index(one.tenant_id)
    paged, cursor = [], ""
    while True:
        query: dict[str, Any] = {"limit": 1, "cursor": cursor, "env": "dev"}
        page = (await default_stack.get(PATH, params=query, headers=KEY)).raise_for_status().json()
        paged += [row["tenant_id"] for row in page["tenants"]]
        if not (cursor := page["next_cursor"]):
            break
    assert paged == every
    assert one.tenant_id not in [row["tenant_id"] for row in await listed(default_stack, state="no_events")]


async def test_processes_that_note_the_same_keep_the_earliest_and_lose_nothing(
    default_stack: httpx.AsyncClient, client: AsyncClient
) -> None:
    acme = await sign_up(default_stack, f"race{uuid4().hex}")
    store = FirestoreDocumentStore(client)
    identity = IdentityService(store, Tokens(SIGNING_SECRET))
    scope = Scope(acme.tenant_id, "prod")
    processes = [NotedMilestones(store, identity.beginning) for _ in range(3)]
    for process in processes:
        process.reached(scope, "first_usage")
    others: tuple[Milestone, ...] = ("kpi_configured", "lock_approved", "preference_set")
    for process, milestone in zip(processes, others, strict=True):
        process.reached(scope, milestone)
    await asyncio.gather(*(process.close() for process in processes))
    [row] = await listed(default_stack, search=acme.tenant_id, env="prod")
    assert row["missing"] == ["first_event", "temperature_configured"]

"""What a page of the onboarding overview costs with 20 tenants and with 2,000, on the Firestore stand-in.

Prints the medians of page 1, of page 1 filtered, of the next page and of a search, and their growth. Every
tenant has counts of events and a few milestones; a page has 20 rows either way.
"""

import argparse
import asyncio
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from statistics import median
from typing import Any

import httpx
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_fixed

from engines.app import create_app
from engines.common.clock import utc_now
from engines.common.documents import (
    SYSTEM,
    DocumentStore,
    Increment,
    KeyTaken,
    Scope,
    StoreUnavailable,
    Write,
)
from engines.config.runtime_config import STATE_SELECTORS
from engines.identity.models import TENANTS, Tenant
from engines.logging.arrival_days import day_write
from engines.logging.arrivals import HOURS
from engines.logging.progress import MILESTONES, PROGRESS, Progress
from engines.services import Services
from tests.bench.dashboard import Seeding, in_lanes, timed
from tests.support.app import SYSTEM_KEY, settings
from tests.support.docker import Firestore, firestore

FEW, MANY = 20, 2_000
ROUNDS = 15
BATCH = 10
AIM_GROWTH = 3.0
PATH = "/bossman/onboarding"
KEY = {"X-System-Key": SYSTEM_KEY}


async def add_tenants(services: Services, numbers: range) -> None:
    """Tenants with milestones of every number and counts of events in a few hours."""
    store, seeding = services.identity._store, Seeding("tenants", len(numbers))

    async def add(lane: range) -> None:
        for start in range(lane.start, lane.stop, BATCH):
            some = range(start, min(start + BATCH, lane.stop))
            await _store(store, [write for number in some for write in _writes(number)])
            seeding.add(len(some))

    await in_lanes(numbers, add)
    seeding.done()


@retry(retry=retry_if_exception_type(StoreUnavailable), wait=wait_fixed(1), stop=stop_after_attempt(5))
async def _store(store: DocumentStore, writes: list[Write]) -> None:
    # A busy machine may answer too late; what was stored nevertheless is there then.
    with suppress(KeyTaken):
        await store.put_all(writes)


def _writes(number: int) -> list[Write]:
    now = utc_now()
    tenant = Tenant(id=f"t_bench_{number:05}", name=f"Tenant {number}", created_at=now - timedelta(days=9))
    scope = Scope(tenant.id, "dev")
    reached = dict.fromkeys(MILESTONES[: 2 + number % 7], tenant.created_at)
    progress = Progress.of(scope, tenant.name, reached, now - timedelta(hours=number % 200))
    hours = [now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=back) for back in range(5)]
    counts = {"m07_total": Increment(9), "m07_trainable": Increment(7), "m07_flagged": Increment(2)}
    return [
        Write(TENANTS, SYSTEM, tenant.id, tenant.model_dump(), create=True),
        Write(PROGRESS, scope, "", progress.model_dump(), create=True),
        *(Write(HOURS, scope, one.isoformat(), {"start": one} | counts, merge=True) for one in hours),
        *(day_write(scope, one, Counter({"m07_total": 9, "m07_trainable": 7}), "0f") for one in hours),
    ]


async def measure(client: httpx.AsyncClient) -> dict[str, float]:
    """Milliseconds of each kind of page, as medians taken in turn."""

    async def get(**query: Any) -> dict[str, Any]:
        found = (await client.get(PATH, params=query, headers=KEY)).raise_for_status().json()
        assert 0 < len(found["tenants"]) <= 20
        return dict(found)

    cursor = (await get())["next_cursor"] or ""
    queries: dict[str, dict[str, Any]] = {
        "page 1": {},
        "page 1 of a state": {"state": "incomplete", "env": "dev"},
        "next page, if any": {"cursor": cursor},
        "search of one": {"search": "t_bench_00007"},
    }
    times: dict[str, list[float]] = {name: [] for name in queries}
    for _ in range(ROUNDS):
        for name, query in queries.items():
            times[name].append(await timed(lambda query=query: get(**query)))  # type: ignore[misc]
    return {name: median(taken) for name, taken in times.items()}


async def run(stand_in: Firestore, tenants: int) -> None:
    variables = {f"{selector.upper()}_BACKEND": "firestore" for selector in STATE_SELECTORS}
    values = settings(
        NEXUS_BACKEND="noop",
        GCP_PROJECT_ID="northstar-local",
        FIRESTORE_EMULATOR_HOST=stand_in.host,
        **variables,
    )
    app = create_app(values)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=30) as client,
    ):
        services: Services = app.state.services
        await add_tenants(services, range(FEW))
        await until_listed(client)
        await measure(client)  # The first calls also wait for the stand-in to be compiled.
        few = await measure(client)
        print({name: f"{ms:.1f} ms" for name, ms in few.items()})
        await add_tenants(services, range(FEW, tenants))
        many = await measure(client)
    for (name, before), (_, after) in zip(few.items(), many.items(), strict=True):
        growth = f"{after / before:.2f}x (aim <= {AIM_GROWTH}x)"
        print(f"{name:<18} {FEW} tenants {before:6.1f} ms   {tenants} tenants {after:6.1f} ms   {growth}")


async def until_listed(client: httpx.AsyncClient) -> None:
    """Look until older tenants are found, which happens once."""
    while (await client.get(PATH, headers=KEY)).json()["backfilling"]:  # noqa: ASYNC110 - only a look tells
        await asyncio.sleep(0.2)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.overview", description=__doc__)
    parser.add_argument("--tenants", type=int, default=MANY, help=f"tenants at the end, over {FEW}")
    asked = parser.parse_args()
    if asked.tenants <= FEW:
        parser.error(f"nothing grows: --tenants must be over {FEW}")
    with firestore(memory="4g", _JAVA_OPTIONS="-Xmx2g", GOOGLE_CLOUD_PROJECT="not-saved") as stand_in:
        asyncio.run(run(stand_in, asked.tenants))


if __name__ == "__main__":
    main()

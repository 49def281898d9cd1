"""What the dashboard costs: against one read of the same store, and as usage and tenants grow.

Prints ratios measured side by side in one run, on the Firestore stand-in; state and events both live there.
The dashboard is measured twice: when nothing changed since the last one, and right after every section did.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import Any, NamedTuple

import httpx
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_fixed

from engines.app import create_app
from engines.budget.models import UsageEventBody
from engines.common.clock import utc_now
from engines.common.documents import SYSTEM, KeyTaken, StoreUnavailable
from engines.common.identity import RequestContext
from engines.config.runtime_config import STATE_SELECTORS
from engines.identity.models import Tenant
from engines.services import Services
from tests.support.app import Login, dashboard, send_pageview, settings, sign_up
from tests.support.docker import Firestore, firestore

ROUNDS = 15
REPEATS = 3
"""Dashboards of each round after the first, which alone comes after a change."""

BATCH = 500
AT_ONCE = 4
"""Batches under way together; each lane has its own stretch of time, so that they meet on few documents."""

SMALL, LARGE = 1_000, 100_000
FEW, MANY = 10, 2_000
WINDOW = timedelta(days=7)
AIM_GROWTH, AIM_RATIO = 1.2, 4


class Medians(NamedTuple):
    """Milliseconds of a dashboard when nothing changed, after a change of every section, and of one read."""

    unchanged: float
    changed: float
    read: float


async def timed(call: Callable[[], Awaitable[object]]) -> float:
    started = time.perf_counter()
    await call()
    return (time.perf_counter() - started) * 1000


class Bench:
    """One app on one stand-in, one tenant that is looked at."""

    def __init__(self, client: httpx.AsyncClient, services: Services, login: Login, lock_id: str) -> None:
        self._client = client
        self._services = services
        self._login = login
        self._lock_id = lock_id

    async def measure(self) -> Medians:
        """Medians of the dashboards and of one read, taken in turn."""
        unchanged, changed, read = [], [], []
        await self.change_every_section(0)
        for number in range(ROUNDS):
            await self.change_every_section(number)
            changed.append(await timed(self._dashboard))
            for _ in range(REPEATS):
                unchanged.append(await timed(self._dashboard))
                read.append(await timed(self._read))
        return Medians(median(unchanged), median(changed), median(read))

    async def change_every_section(self, number: int) -> None:
        """One write to each section through the API. Only usage and page views add a record each time."""
        head = {"tenant_id": self._login.tenant_id, "env": "dev", "surface": "squared"}
        page = {"surface": "squared", "page_type": "home", "title": f"title {number}", "description": "d"}
        await self._send("POST", "/budget/usage", head | {"provider": "openai", "cost": "0.000123"})
        await self._send("PUT", "/kill-switches", {"disable_providers": [f"provider-{number}"]})
        await self._send("POST", "/kpi/definitions", head | {"id": "bench", "name": f"kpi {number}"})
        await self._send("PATCH", f"/strategy-locks/{self._lock_id}", {"title": f"title {number}"})
        licence = {"id": "bench", "subject_type": "agent", "subject_id": f"agent-{number}"}
        await self._send("POST", "/firearms/licences", head | licence)
        await self._send("POST", "/privacy/train-prefs/tenant", {"opt_out": number % 2 == 0})
        await self._send("PUT", "/seo/pages", head | page)
        await self._send("PUT", "/temperature/floors", head | {"performance_floors": {"clicks": number}})
        await send_pageview(self._client, self._login)

    async def record_usage(self, count: int) -> None:
        """Usage events spread evenly over the dashboard's window, three models of two providers."""
        now, seeding = utc_now(), Seeding("usage events", count)
        context = RequestContext(tenant_id=self._login.tenant_id, env="dev")

        async def record(firsts: range) -> None:
            for first in firsts:
                numbers = range(first, min(first + BATCH, count))
                bodies = [_usage(context.tenant_id, n, now - WINDOW * (n / count)) for n in numbers]
                await self._record(context, bodies)
                seeding.add(len(bodies))

        await in_lanes(range(0, count, BATCH), record)
        seeding.done()

    async def add_tenants(self, count: int) -> None:
        """Tenants that each have a record, a preference and a usage event."""
        seeding = Seeding("tenants", count)

        async def add(numbers: range) -> None:
            for number in numbers:
                await self._add_tenant(Tenant(name=f"tenant {number}"))
                seeding.add(1)

        await in_lanes(range(count), add)
        seeding.done()

    async def _add_tenant(self, tenant: Tenant) -> None:
        context = RequestContext(tenant_id=tenant.id, env="dev")
        await self._services.identity.tenants.put(SYSTEM, tenant.id, tenant)
        await self._services.privacy.set_preference(context.scope, None, False)
        await self._record(context, [_usage(tenant.id, 0, utc_now())])

    @retry(retry=retry_if_exception_type(StoreUnavailable), wait=wait_fixed(1), stop=stop_after_attempt(5))
    async def _record(self, context: RequestContext, bodies: list[UsageEventBody]) -> None:
        # A busy machine may answer too late; the ids keep what was stored nevertheless from counting twice.
        with suppress(KeyTaken):
            await self._services.budget.record(context, bodies)

    @retry(
        retry=retry_if_exception_type(httpx.HTTPStatusError), wait=wait_fixed(2), stop=stop_after_attempt(9)
    )
    async def _send(self, method: str, path: str, body: dict[str, Any]) -> None:
        # Never timed. After much was stored the stand-in collects its garbage for some seconds.
        answer = await self._client.request(method, path, json=body, headers=self._login.headers())
        answer.raise_for_status()

    async def _dashboard(self) -> object:
        return await dashboard(self._client, self._login)

    async def _read(self) -> object:
        return await self._services.identity.tenants.get(SYSTEM, self._login.tenant_id)


class Seeding:
    """Progress of one kind of records, in one line that is written over."""

    def __init__(self, what: str, count: int) -> None:
        self._what = what
        self._count = count
        self._stored = 0
        self._started = time.perf_counter()

    def add(self, stored: int) -> None:
        self._stored += stored
        if self._stored % BATCH == 0:
            print(f"\rseeding {self._what}: {self._stored} of {self._count}", end="", flush=True)

    def done(self) -> None:
        seconds = time.perf_counter() - self._started
        pace = seconds / self._count * 10_000
        print(f"\rseeded {self._count} {self._what} in {seconds:.1f} s, {pace:.1f} s per 10,000")


async def in_lanes(numbers: range, work: Callable[[range], Awaitable[None]]) -> None:
    """Cut the numbers into AT_ONCE stretches and work on all of them together."""
    length = -(-len(numbers) // AT_ONCE)
    await asyncio.gather(*(work(numbers[n * length : (n + 1) * length]) for n in range(AT_ONCE)))


def _usage(tenant_id: str, number: int, moment: datetime) -> UsageEventBody:
    return UsageEventBody(
        id=f"{moment.timestamp():.6f}-{number}",
        tenant_id=tenant_id,
        env="dev",
        surface="squared",
        provider=("openai", "vertex")[number % 2],
        model_or_plan_id=f"model-{number % 3}",
        tool_type="chat",
        cost=Decimal("0.000123"),
        created_at=moment,
    )


def show(what: str, found: Medians) -> None:
    for name, ms in (("nothing changed", found.unchanged), ("all changed", found.changed)):
        ratio = f"ratio {ms / found.read:5.1f} (aim <= {AIM_RATIO})"
        print(f"{what}, {name:<15}  dashboard {ms:7.1f} ms   one read {found.read:6.2f} ms   {ratio}")


def growth(what: str, before: Medians, after: Medians) -> None:
    unchanged, changed, drift = (late / early for early, late in zip(before, after, strict=True))
    print(
        f"growth {what}: nothing changed {unchanged:.2f}x, all changed {changed:.2f}x "
        f"(aim <= {AIM_GROWTH}x; the one read moved {drift:.2f}x in the meantime)"
    )


async def sign_in(client: httpx.AsyncClient) -> tuple[Login, str]:
    """An owner, and the id of the approved lock that allows all it does."""
    login = await sign_up(client, "bench")
    body = {"scope": "other", "title": "bench", "allowed_actions": ["*"]}
    lock = (await client.post("/strategy-locks", json=body, headers=login.headers())).raise_for_status()
    lock_id: str = lock.json()["id"]
    approved = await client.post(f"/strategy-locks/{lock_id}/approve", headers=login.headers())
    approved.raise_for_status()
    return login, lock_id


async def run(stand_in: Firestore, events: int, tenants: int) -> None:
    variables = {f"{selector.upper()}_BACKEND": "firestore" for selector in STATE_SELECTORS}
    app = create_app(
        settings(
            NEXUS_BACKEND="firestore",
            GCP_PROJECT_ID="northstar-local",
            FIRESTORE_EMULATOR_HOST=stand_in.host,
            **variables,
        )
    )
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        bench = Bench(client, app.state.services, *await sign_in(client))
        await bench.add_tenants(FEW)
        await bench.record_usage(SMALL)
        await bench.measure()  # The first calls also wait for the stand-in to be compiled.
        few = await bench.measure()
        show(f"{SMALL} events, {FEW} tenants", few)
        await bench.add_tenants(tenants - FEW)
        many = await bench.measure()
        show(f"{SMALL} events, {tenants} tenants", many)
        growth(f"{FEW} -> {tenants} tenants", few, many)
        await bench.record_usage(events - SMALL)
        large = await bench.measure()
        show(f"{events} events, {tenants} tenants", large)
        growth(f"{SMALL} -> {events} usage events", many, large)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.dashboard", description=__doc__)
    parser.add_argument("--events", type=int, default=LARGE, help=f"usage events at the end, over {SMALL}")
    parser.add_argument("--tenants", type=int, default=MANY, help=f"tenants at the end, over {FEW}")
    asked = parser.parse_args()
    if asked.events <= SMALL or asked.tenants <= FEW:
        parser.error(f"nothing grows: --events must be over {SMALL} and --tenants over {FEW}")
    # The data fills the emulator's heap; it saves an empty project instead, an export would take the CPU.
    with firestore(memory="6g", _JAVA_OPTIONS="-Xmx4g", GOOGLE_CLOUD_PROJECT="not-saved") as stand_in:
        asyncio.run(run(stand_in, asked.events, asked.tenants))


if __name__ == "__main__":
    main()

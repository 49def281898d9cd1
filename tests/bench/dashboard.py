"""What the dashboard costs: against one read of the same store, and as usage and tenants grow.

Prints ratios measured side by side in one run, on the Firestore stand-in; state and events both live there.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median

import httpx

from engines.app import Services, create_app
from engines.budget.models import UsageEventBody
from engines.common.clock import utc_now
from engines.common.documents import SYSTEM, Scope
from engines.common.identity import RequestContext
from engines.config.runtime_config import STATE_SELECTORS
from engines.identity.models import Tenant
from engines.privacy.models import TrainingPreference
from tests.support.app import Login, dashboard, send_pageview, settings, sign_up
from tests.support.docker import Firestore, firestore

ROUNDS = 40
BATCH = 500
SMALL, LARGE = 1_000, 100_000
FEW, MANY = 10, 2_000
WINDOW = timedelta(days=7)


async def timed(call: Callable[[], Awaitable[object]]) -> float:
    started = time.perf_counter()
    await call()
    return (time.perf_counter() - started) * 1000


class Bench:
    """One app on one stand-in, one tenant that is looked at."""

    def __init__(self, client: httpx.AsyncClient, services: Services, login: Login) -> None:
        self._client = client
        self._services = services
        self._login = login
        self.scope = Scope(login.tenant_id, "dev")
        self._context = RequestContext(tenant_id=login.tenant_id, env="dev")

    async def measure(self) -> tuple[float, float]:
        """Medians in milliseconds of the dashboard and of one read, taken in turn."""
        shown, read = [], []
        for _ in range(ROUNDS):
            shown.append(await timed(lambda: dashboard(self._client, self._login)))
            read.append(
                await timed(lambda: self._services.identity.tenants.get(SYSTEM, self.scope.tenant_id))
            )
        return median(shown), median(read)

    async def record_usage(self, start: int, end: int) -> None:
        """Usage events spread evenly over the dashboard's window, three models of two providers."""
        now = utc_now()
        for first in range(start, end, BATCH):
            bodies = [self._usage(n, now - WINDOW * (n / LARGE)) for n in range(first, first + BATCH)]
            await self._services.budget.record(self._context, bodies)

    def _usage(self, number: int, moment: datetime) -> UsageEventBody:
        return UsageEventBody(
            tenant_id=self.scope.tenant_id,
            env=self.scope.env,
            surface="squared",
            provider=("openai", "vertex")[number % 2],
            model_or_plan_id=f"model-{number % 3}",
            tool_type="chat",
            cost=Decimal("0.000123"),
            created_at=moment,
        )

    async def add_tenants(self, start: int, end: int) -> None:
        """Tenants that each have a record, a preference and an event."""
        for number in range(start, end):
            tenant = Tenant(name=f"tenant {number}")
            scope = Scope(tenant.id, "dev")
            await self._services.identity.tenants.put(SYSTEM, tenant.id, tenant)
            preference = TrainingPreference(tenant_id=tenant.id, env="dev", opt_out=False)
            await self._services.privacy.preferences.put(scope, "__tenant", preference)


def show(what: str, dashboard_ms: float, read_ms: float) -> float:
    ratio = dashboard_ms / read_ms
    print(f"{what:<28} dashboard {dashboard_ms:7.1f} ms   one read {read_ms:6.2f} ms   ratio {ratio:5.1f}")
    return ratio


def growth(what: str, before: tuple[float, float], after: tuple[float, float], aim: float) -> None:
    grown = after[0] / before[0]
    drift = after[1] / before[1]
    print(f"growth {what}: {grown:.2f}x (aim <= {aim}x; the one read moved {drift:.2f}x in the meantime)")


async def run(stand_in: Firestore) -> None:
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
        httpx.AsyncClient(transport=transport, base_url="http://bench") as client,
    ):
        login = await sign_up(client, "bench")
        await send_pageview(client, login)
        bench = Bench(client, app.state.services, login)
        await bench.add_tenants(0, FEW)
        await bench.record_usage(0, SMALL)
        await bench.measure()
        few = await bench.measure()
        show(f"{SMALL} events, {FEW} tenants", *few)
        await bench.add_tenants(FEW, MANY)
        many = await bench.measure()
        show(f"{SMALL} events, {MANY} tenants", *many)
        growth(f"{FEW} -> {MANY} tenants", few, many, 1.2)
        await bench.record_usage(SMALL, LARGE)
        large = await bench.measure()
        show(f"{LARGE} events, {MANY} tenants", *large)
        growth(f"{SMALL} -> {LARGE} usage events", many, large, 1.2)
        print(f"ratio dashboard / one read: {large[0] / large[1]:.1f} (aim <= 4)")


def main() -> None:
    with firestore() as stand_in:
        asyncio.run(run(stand_in))


if __name__ == "__main__":
    main()

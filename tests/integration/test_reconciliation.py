"""Events that are deleted behind Bossman's back show everywhere, on each sink, until acknowledged."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from engines.adapters import open_adapters
from engines.app import create_app
from engines.common.documents import Scope
from engines.nexus.backends.sink import ErasableSink
from engines.services import Services
from engines.storage.firestore_client import close_client, open_client
from engines.verification.__main__ import run
from engines.verification.usage import parser
from tests.support.app import NEVER, Login, MovableClock, dashboard, send_pageview, serving, sign_up
from tests.support.bigquery import PROJECT
from tests.support.docker import Firestore
from tests.support.far_ends import FarEnd, far_end
from tests.support.page_client import hold

SENT = 81
ROUNDS = 100
SHOWN_WITHIN = timedelta(minutes=10)
"""On the clock of the rounds; two minutes where the hour did not end meanwhile."""


@pytest.fixture(scope="module", params=("firestore", "bigquery", "gs"))
def end(request: pytest.FixtureRequest, emulator: Firestore) -> Iterator[FarEnd]:
    with far_end(request.param, emulator) as running:
        yield running


@dataclass
class Running:
    """An app over real stand-ins with a clock that the test moves, ten minutes behind the true one."""

    client: httpx.AsyncClient
    services: Services
    clock: MovableClock

    async def shown(self, login: Login) -> dict[str, Any]:
        """The sink indicator."""
        self.clock.advance(seconds=3)
        sink: dict[str, Any] = (await dashboard(self.client, login))["event_sink"]
        return sink

    async def check_of_missing(self, least: int) -> dict[str, Any]:
        """The health check, once it says that at least so many are missing: it is kept for two seconds."""
        async with asyncio.timeout(30):
            while True:
                answer = (await self.client.get("/healthz")).json()
                [check] = answer["checks"]["event-sink:missingEvents"]
                if (check["observedValue"] or 0) >= least:
                    return dict(check)
                await asyncio.sleep(0.2)

    async def once_compared(self, login: Login) -> dict[str, Any]:
        """The indicator after rounds of reconciliation; tenants of other tests may come first."""
        for _ in range(ROUNDS):
            await self.services.reconciler.round()
            seen = await self.shown(login)
            if not seen["not_compared"]:
                break
        return seen

    async def until_shown(self, login: Login) -> timedelta:
        """Rounds of reconciliation until something is missing; how long it took on the clock."""
        started = self.clock.now
        while (await self.shown(login))["missing"] is None:
            assert self.clock.now - started < SHOWN_WITHIN
            self.clock.advance(seconds=3)
            await self.services.reconciler.round()
        return self.clock.now - started


@asynccontextmanager
async def app(end: FarEnd, clock: MovableClock) -> AsyncIterator[Running]:
    async with AsyncExitStack() as stack:
        opened = replace(open_adapters(end.settings, stack), clock=clock, reconcile_seconds=NEVER)
        made = create_app(end.settings, opened)
        client = await stack.enter_async_context(serving(made))
        yield Running(client, made.state.services, clock)


async def delete(end: FarEnd, tenant_id: str) -> int:
    """Delete all events but one in Firestore, all elsewhere; returns how many are gone."""
    ids = await end.raw_ids(tenant_id)
    if end.kind == "firestore":
        client = open_client(PROJECT, end.settings.firestore_emulator_host)
        for event_id in ids[1:]:
            await client.collection(f"nexus_events_{tenant_id}").document(event_id).delete()
        await close_client(client)
        return len(ids) - 1
    async with end.sink() as sink:
        erasable: Any = sink
        erasing: ErasableSink = erasable
        await erasing.erase(tenant_id)
    return len(ids)


async def verify(end: FarEnd, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    capsys.readouterr()
    code = await run(end.settings, parser().parse_args(arguments))
    return code, capsys.readouterr().out


@pytest.mark.timeout(300)
async def test_what_is_deleted_shows_everywhere_until_it_is_acknowledged(
    end: FarEnd, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = MovableClock()
    clock.now = datetime.now(UTC) - timedelta(minutes=10)
    async with app(end, clock) as before:
        login = await sign_up(before.client, f"lossy-{end.kind}-{clock.now:%H%M%S%f}")
        for _ in range(SENT):
            (await send_pageview(before.client, login)).raise_for_status()
    of_tenant = ("--tenant", login.tenant_id)
    clock.advance(minutes=2)
    async with app(end, clock) as running:  # another process than the one that accepted them
        seen = await running.once_compared(login)
        assert (seen["missing"], seen["not_compared"], seen["status"]) == (None, None, "up")
        assert (await verify(end, capsys, "events", *of_tenant))[0] == 0

        gone = await delete(end, login.tenant_id)
        took = await running.until_shown(login)
        seen = await running.shown(login)
        with capsys.disabled():
            print(f"{end.kind}: {gone} events missing, shown after {took.total_seconds():.0f} s")  # noqa: T201
        assert (seen["missing"]["events"], seen["status"]) == (gone, "degraded")
        assert seen["reason"].startswith(f"acknowledged but missing: {gone}, between ")
        hold(running.client, login.token, clock)
        page = (await running.client.get(f"/bossman/?tenant_id={login.tenant_id}&env=dev")).text
        assert f"acknowledged but missing: {gone}, between " in page
        assert f"./scripts/verify acknowledge --tenant {login.tenant_id} --env dev" in page
        check = await running.check_of_missing(gone)
        assert (
            f"northstar_events_missing {check['observedValue']}"
            in (await running.client.get("/metrics")).text
        )
        code, output = await verify(end, capsys, "events", *of_tenant)
        assert (code, f"{gone} missing" in output) == (2, True)

        code, output = await verify(end, capsys, "acknowledge", *of_tenant, "--env", "dev", "--by", "jo")
        assert (code, f"{gone} missing" in output) == (0, True)
        assert (await running.shown(login))["status"] == "up"
        assert (await verify(end, capsys, "acknowledge", *of_tenant))[1] == "nothing is missing\n"
        code = (await verify(end, capsys, "events", *of_tenant))[0]
        assert code == (0 if end.kind == "firestore" else 1), "an empty sink is a warning"

        result = await running.services.reconciler.result(Scope(login.tenant_id, "dev"))
        assert result is not None
        assert sum(hour.accepted for hour in result.hours) >= SENT

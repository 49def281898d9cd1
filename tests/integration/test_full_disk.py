"""A sink's stand-in whose disk is full: it says so, nothing accepted is lost, and with room all goes on."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from tests.support.app import Login, dashboard, send_pageview, sign_up
from tests.support.bossman import bossman
from tests.support.docker import Firestore
from tests.support.far_ends import FarEnd, far_end
from tests.support.volumes import small_volume

MEGABYTES = {"bigquery": 64, "gs": 48, "s3": 64}
"""What the stand-in needs for itself, and the reserve below which it takes no writes."""

PATIENCE_SECONDS = 90

pytestmark = pytest.mark.timeout(300)


class Sender:
    """Sends page views of one tenant and remembers what was accepted, and where it was durable then."""

    def __init__(self, client: httpx.AsyncClient, login: Login) -> None:
        self.client = client
        self.login = login
        self.accepted: dict[str, str] = {}

    async def send(self) -> str:
        """Send one; whatever the sink is like it is accepted. Returns where it is durable."""
        answer = await send_pageview(self.client, self.login, metadata={"filler": "x" * 2000})
        assert answer.is_success, answer.text
        body = answer.json()
        self.accepted[body["event_id"]] = body["durable_in"]
        return str(body["durable_in"])

    async def shown(self) -> dict[str, Any]:
        """The sink indicator."""
        indicator: dict[str, Any] = (await dashboard(self.client, self.login))["event_sink"]
        return indicator


async def until(what: str, holds: Callable[[], Awaitable[bool]]) -> None:
    """Ask until it holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not await holds():
        assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS} s: {what}"
        await asyncio.sleep(0.2)


async def missing(end: FarEnd, sender: Sender) -> set[str]:
    """What was accepted and is not there, counted past the product."""
    return set(sender.accepted) - set(await end.raw_ids(sender.login.tenant_id))


@pytest.mark.parametrize("kind", MEGABYTES)
async def test_a_full_disk_loses_nothing_and_is_named(emulator: Firestore, kind: str) -> None:
    with (
        small_volume(MEGABYTES[kind]) as volume,
        far_end(kind, emulator, volume.name) as end,
        bossman(end.variables) as process,
    ):
        async with httpx.AsyncClient(base_url=process.url, timeout=15) as client:
            sender = Sender(client, await sign_up(client, f"full{kind}"))
            assert [await sender.send() for _ in range(3)] == ["sink"] * 3
            volume.fill()
            for _ in range(20):
                await sender.send()

            async def goes_aside() -> bool:
                return await sender.send() == "outbox"

            async def is_named() -> bool:
                shown = await sender.shown()
                return shown["status"] != "up" and "disk is full" in json.dumps(shown)

            async def all_is_well() -> bool:
                shown = await sender.shown()
                return bool(shown["status"] == "up" and shown["backlog"]["depth"] == 0)

            async def health_fails() -> bool:
                code, said = await asyncio.to_thread(end.health)
                return code == 1 and "disk: " in said

            async def health_passes() -> bool:
                return await asyncio.to_thread(end.health) == (0, "")

            await until("events go to the outbox", goes_aside)
            await until("health says why", health_fails)
            await until("the indicator says why", is_named)
            await asyncio.to_thread(end.container.restart, timeout=10)
            await until("the indicator says why after a restart", is_named)
            assert [await sender.send() for _ in range(3)] == ["outbox"] * 3
            volume.free()
            await until("what waited is sent by itself", all_is_well)
            await until("health passes", health_passes)
            assert await sender.send() == "sink"
            assert await missing(end, sender) == set()

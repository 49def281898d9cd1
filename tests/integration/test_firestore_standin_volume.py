"""A volume that is full or cannot be written: writes are refused, nothing acknowledged is only in memory."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.support.docker import wait_until
from tests.support.standin import PROJECT, Standin, standin
from tests.support.writers import COLLECTION, Writers, all_saved, found, writers

pytestmark = pytest.mark.timeout(300)

FILL = "dd if=/dev/zero of=filler bs=4k 2>/dev/null; sync; true"


def refused(running: Standin, kind: str) -> bool:
    status = running.status()
    return bool(status["writes"] == "refused" and status["refused_because"].startswith(f"{kind}: "))


def accepted(running: Standin) -> bool:
    return bool(running.status()["writes"] == "accepted")


async def refusal(running: Standin, load: Writers, kind: str) -> dict[str, Any]:
    """Wait until the load meets the refusal; returns the status then."""
    await load.until(lambda: refused(running, kind))
    before = load.written.refused
    await load.until(lambda: load.written.refused > before)
    return running.status()


def check_rest_while_refused(host: str) -> None:
    documents = f"http://{host}/v1/projects/{PROJECT}/databases/(default)/documents"
    answer = httpx.patch(f"{documents}/refused/a", json={"fields": {}})
    assert answer.status_code == 503
    assert "disk: the stand-in's disk is full" in answer.json()["error"]["message"]
    query = {"structuredQuery": {"from": [{"collectionId": COLLECTION}], "limit": 1}}
    assert httpx.post(f"{documents}:runQuery", json=query).status_code == 200


async def test_a_full_volume_refuses_and_forgets_nothing() -> None:
    with standin(megabytes=8) as running:
        async with writers(running.host, size=2_000) as load:
            await load.more(60)
            running.on_volume(FILL)
            status = await refusal(running, load, "disk")
            assert "room" in status["refused_because"]
            code, said = running.health()
            assert code == 1
            assert said.startswith("firestore: disk: the volume is full")
            assert await found(running.host), "reads go on"
            await asyncio.to_thread(check_rest_while_refused, running.host)
            # Nothing acknowledged is only in memory: the reserve made the last save possible.
            await all_saved(running, load)
            assert running.stop() == 0
            running.start()
            assert running.status()["orderly"] is True
            assert load.written.missing(await found(running.host)) == {}
            running.on_volume("rm filler")
            await load.until(lambda: accepted(running))
            await load.more(20)
            assert running.health() == (0, "")
        assert running.stop() == 0
        running.start()
        assert load.written.missing(await found(running.host)) == {}


async def test_killed_on_a_full_volume_nothing_acknowledged_is_gone() -> None:
    with standin(megabytes=8) as running:
        async with writers(running.host, size=2_000) as load:
            await load.more(60)
            running.on_volume(FILL)
            await refusal(running, load, "disk")
            await all_saved(running, load)
            running.kill()
        running.start()
        assert load.written.missing(await found(running.host)) == {}


async def test_a_volume_of_another_owner_refuses_and_the_stop_says_what_is_lost() -> None:
    with standin() as running:
        async with writers(running.host) as load:
            await load.more(60)
            running.on_volume("chown 0:0 . && chmod 755 .")
            await refusal(running, load, "volume")
            code, said = running.health()
            assert code == 1
            assert "uid 10001" in said
        assert running.stop() == 1
        assert "stopped, but not saved" in running.log()
        assert "Lost: " in running.log()
        # The volume stays so: refused from the start, and what is saved can be read.
        running.start()
        assert refused(running, "volume")
        assert await found(running.host)
        running.on_volume("chown 10001:10001 .")
        wait_until(lambda: accepted(running), 60, "accepted again")
        async with writers(running.host) as again:
            await again.more(5)
        assert running.stop() == 0


async def test_an_empty_volume_of_another_owner_is_unhealthy_from_the_start() -> None:
    with standin() as running:
        running.kill()
        running.on_volume("rm -rf ./* && chown 0:0 . && chmod 755 .")
        running.start()
        assert refused(running, "volume")
        assert running.health()[0] == 1

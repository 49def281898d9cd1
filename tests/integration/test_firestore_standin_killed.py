"""The Firestore stand-in killed: what is lost is bounded by its saves, and its status says between when."""

import json
from datetime import datetime, timedelta

import pytest

from tests.support.docker import wait_until
from tests.support.standin import Standin, standin
from tests.support.writers import all_saved, found, writers

pytestmark = pytest.mark.timeout(300)

KILL_THE_IMPORT = """
import os, pathlib, signal, time
until = time.monotonic() + 60
while time.monotonic() < until:
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        if any(word.startswith(b"--import-data=") for word in path.read_bytes().split(b"\\0")):
            os.kill(int(path.parent.name), signal.SIGKILL)
            raise SystemExit(0)
raise SystemExit("there was no import")
"""


def time_of(status: dict[str, object], name: str) -> datetime:
    return datetime.fromisoformat(str(status[name]))


async def test_a_kill_loses_what_came_after_the_save_and_says_so() -> None:
    with standin() as running:
        async with writers(running.host) as load:
            await load.more(60)
            await all_saved(running, load)
            await load.more(60)
            running.kill()
        running.start()
        status, missing = running.status(), load.written.missing(await found(running.host))
    as_of, stopped_at = time_of(status, "restored_as_of"), time_of(status, "stopped_at")
    assert status["orderly"] is False
    assert status["fell_back"] is False
    assert status["restored_from"]
    assert len(missing) < len(load.written.acknowledged)
    assert all(at >= as_of for at in missing.values()), "what was acknowledged before the save is there"
    # The last sign of life is at most a second old when the kill comes.
    assert max(load.written.acknowledged.values()) - stopped_at < timedelta(seconds=10)
    assert as_of <= stopped_at


async def test_row_4_an_emulator_killed_while_it_imports_imports_the_same_again() -> None:
    with standin() as running:
        async with writers(running.host) as load:
            await load.more(60)
        assert running.stop() == 0
        running.launch()
        running.inside(KILL_THE_IMPORT)
        running.wait()
        status, missing, log = (
            running.status(),
            load.written.missing(await found(running.host)),
            running.log(),
        )
    assert missing == {}
    assert status["orderly"] is True
    assert status["fell_back"] is False
    assert "try 1 of 3" in log


async def test_only_a_damaged_export_is_passed_over() -> None:
    with standin() as running:
        for _ in range(2):
            async with writers(running.host) as load:
                await load.more(5)
            await all_saved(running, load)
        assert running.stop() == 0
        newest = running.on_volume("ls -d export-* | tail -n 1").strip()
        running.on_volume(f"echo x >> {newest}/all/all_namespaces/all_kinds/output-0")
        running.start()
        status = running.status()
        assert status["fell_back"] is True
        assert status["orderly"] is False
        assert status["restored_from"] < newest
        assert running.on_volume("ls -d broken-*").startswith(f"broken-{newest}-")
        running.kill()
        running.on_volume("rm -r export-*/SHA256SUMS")
        running.launch()
        assert running.exit_code() == 1
        assert "no export can be read" in running.log()


async def test_nothing_is_lost_when_nothing_was_written() -> None:
    """The window of a kill does not reach back to the last write, which may be hours old."""
    with standin() as running:
        async with writers(running.host) as load:
            await load.more(5)
        await all_saved(running, load)
        newest = max(load.written.acknowledged.values())
        wait_until(lambda: as_of(running) > newest + timedelta(seconds=1), 60, "known to be unchanged")
        running.kill()
        running.start()
        status = running.status()
        missing = load.written.missing(await found(running.host))
    assert missing == {}
    assert time_of(status, "stopped_at") - time_of(status, "restored_as_of") < timedelta(seconds=5)


def as_of(running: Standin) -> datetime:
    return datetime.fromisoformat(json.loads(running.on_volume("cat heartbeat"))["as_of"])

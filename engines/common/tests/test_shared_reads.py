"""Reads shared by all who asked before they began; what was written before a caller asked is always seen."""

import asyncio

import pytest

from engines.common.shared_reads import SharedReads


class Shelf:
    """One value whose reads see it as it was when they began, and end when the gate is open."""

    def __init__(self) -> None:
        self.value = "old"
        self.begun = 0
        self.gate = asyncio.Event()
        self.reads = SharedReads(self.read)

    async def read(self, key: str) -> str:
        self.begun += 1
        found = f"{key} {self.value}"
        await self.gate.wait()
        if self.value == "broken":
            raise LookupError(key)
        return found

    def ask(self, key: str = "a") -> "asyncio.Task[str]":
        return asyncio.create_task(self.reads.get(key))


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


async def test_those_who_ask_together_share_a_read(shelf: Shelf) -> None:
    asked = [shelf.ask() for _ in range(20)]
    shelf.gate.set()
    assert await asyncio.gather(*asked) == ["a old"] * 20
    assert shelf.begun == 1


async def test_a_read_under_way_is_joined_by_nobody(shelf: Shelf) -> None:
    first = shelf.ask()
    await asyncio.sleep(0.01)
    shelf.value = "new"
    later = [shelf.ask() for _ in range(20)]
    await asyncio.sleep(0.01)
    assert shelf.begun == 1
    shelf.gate.set()
    assert await first == "a old"
    assert await asyncio.gather(*later) == ["a new"] * 20
    assert shelf.begun == 2


async def test_a_slow_read_holds_the_next_for_a_moment_only(shelf: Shelf) -> None:
    asked = [shelf.ask()]
    for _ in range(3):
        await asyncio.sleep(0.07)
        asked.append(shelf.ask())
    await asyncio.sleep(0.07)
    assert shelf.begun == 4
    shelf.gate.set()
    await asyncio.gather(*asked)
    assert await shelf.ask() == "a old"


async def test_other_keys_are_read_on_their_own(shelf: Shelf) -> None:
    asked = [shelf.ask(key) for key in "abab"]
    shelf.gate.set()
    assert await asyncio.gather(*asked) == ["a old", "b old", "a old", "b old"]
    assert shelf.begun == 2


async def test_a_failure_is_everybodys_and_the_next_read_is_a_new_one(shelf: Shelf) -> None:
    shelf.value = "broken"
    asked = [shelf.ask() for _ in range(3)]
    shelf.gate.set()
    failures = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(failure) for failure in failures] == [LookupError] * 3
    shelf.value = "whole"
    assert await shelf.ask() == "a whole"


async def test_who_leaves_takes_the_read_from_nobody(shelf: Shelf) -> None:
    leaver, stayer = shelf.ask(), shelf.ask()
    await asyncio.sleep(0.01)
    leaver.cancel()
    shelf.gate.set()
    assert await stayer == "a old"
    assert shelf.begun == 1

"""SharedReadings: one reading for all who ask, for two seconds or until this process writes."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from engines.bossman.parts import Read
from engines.bossman.readings import SharedReadings
from engines.common.documents import StoreUnavailable
from tests.support.app import MovableClock


class Section:
    """Counts its readings and answers with their number when told to."""

    def __init__(self) -> None:
        self.calls = 0
        self.open = asyncio.Event()
        self.open.set()
        self.error: Exception | None = None

    async def read(self) -> Read[int]:
        self.calls += 1
        number = self.calls
        await self.open.wait()
        if self.error:
            raise self.error
        return Read(number, None)


@pytest.fixture
def section() -> Section:
    return Section()


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


Ask = Callable[..., Awaitable[Read[int]]]


@pytest.fixture
def ask(section: Section, clock: MovableClock) -> Ask:
    readings = SharedReadings(clock)
    return lambda key="k", changes=0: readings.get(key, changes, section.read)


async def test_fifty_concurrent_callers_cause_one_reading(section: Section, ask: Ask) -> None:
    section.open.clear()
    callers = [asyncio.ensure_future(ask()) for _ in range(50)]
    await asyncio.sleep(0)
    section.open.set()
    assert {(await caller).value for caller in callers} == {1}


@pytest.mark.parametrize(("later", "value"), [(0, 1), (1.999, 1), (2, 2), (-1, 1), (-3600, 2)])
async def test_a_reading_serves_for_two_seconds_and_says_when_it_was_read(
    ask: Ask, clock: MovableClock, later: float, value: int
) -> None:
    begun = clock.now
    assert (await ask()).observed_at == begun
    clock.advance(seconds=later)
    found = await ask()
    assert (found.value, found.observed_at) == (value, begun if value == 1 else clock.now)


async def test_a_write_of_this_process_ends_it_even_while_it_is_being_read(
    section: Section, ask: Ask
) -> None:
    section.open.clear()
    before = asyncio.ensure_future(ask(changes=0))
    await asyncio.sleep(0)
    after = asyncio.ensure_future(ask(changes=1))
    await asyncio.sleep(0)
    section.open.set()
    assert ((await before).value, (await after).value, (await ask(changes=1)).value) == (1, 2, 2)


async def test_another_key_is_another_reading(ask: Ask) -> None:
    assert ((await ask("a")).value, (await ask("b")).value, (await ask("a")).value) == (1, 2, 1)


async def test_a_failure_serves_nobody_later(section: Section, ask: Ask) -> None:
    section.error = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable):
        await ask()
    section.error = None
    assert (await ask()).value == 2


async def test_a_cancelled_caller_does_not_cancel_the_others(section: Section, ask: Ask) -> None:
    section.open.clear()
    leaving, staying = asyncio.ensure_future(ask()), asyncio.ensure_future(ask())
    await asyncio.sleep(0)
    leaving.cancel()
    section.open.set()
    assert (await staying).value == 1


async def test_what_is_older_is_let_go(section: Section, clock: MovableClock) -> None:
    readings = SharedReadings(clock)
    for number in range(100):
        clock.advance(seconds=1)
        await readings.get(number, 0, section.read)
    assert len(readings._shared) == 2

"""Whatever happens in whatever order: no alarm without a loss, and no loss is hidden unless by extras."""

import asyncio
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from engines.logging.arrivals import HOURS
from engines.nexus.backends.sink import SinkPermanent
from engines.reconciliation.rules import AGAIN_AT_ONCE, WINDOW_HOURS
from tests.support.reconciliation import ACME, World

PLAIN = (
    "accept",
    "accept_elsewhere",
    "put_aside",
    "refuse",
    "drain",
    "lose",
    "heal",
    "flush",
    "wait",
    "compare",
)
EXTRAS = ("unanswered", "again", "again_aside", "crash", "roll_back")
"""What makes the sink hold more than was counted, or counts less than it holds."""

ROUNDS = WINDOW_HOURS // AGAIN_AT_ONCE + 3
"""Comparisons after which every hour was looked at, and a suspicion twice."""


@dataclass
class Story:
    """A world, and what was done in it."""

    world: World = field(default_factory=World)
    in_sink: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.other = self.world.counter()

    async def tell(self, steps: list[tuple[str, int]]) -> None:
        for name, number in steps:
            await getattr(self, name)(number)

    async def accept(self, number: int) -> None:
        self.in_sink += [one.event_id for one in await self.world.accept(number)]

    async def accept_elsewhere(self, number: int) -> None:
        self.in_sink += [one.event_id for one in await self.world.accept(number, self.other)]

    async def put_aside(self, number: int) -> None:
        for _ in range(number):
            await self.world.put_aside(self.world.envelope())

    async def refuse(self, _: int) -> None:
        """The sink refuses what waits."""
        self.world.sink.faults["write"] = SinkPermanent("memory/events", "no", "refused")
        await self.world.delivery.drain()
        self.world.sink.faults.clear()

    async def drain(self, _: int) -> None:
        await self.world.delivery.drain()

    async def lose(self, number: int) -> None:
        taken = self.in_sink[:number]
        self.world.lose(*taken)
        del self.in_sink[:number]
        self.lost += taken

    async def heal(self, number: int) -> None:
        back = self.lost[:number]
        await self.world.heal(*back)
        del self.lost[:number]
        self.in_sink += back

    async def flush(self, _: int) -> None:
        await self.world.arrivals.flush()

    async def wait(self, number: int) -> None:
        self.world.clock.advance(seconds=number * number * 97)

    async def compare(self, _: int) -> None:
        self.world.clock.advance(seconds=7)
        found = await self.world.reconciler.compare(ACME)
        assert found.failure is None
        assert found.missing <= len(self.lost), "an alarm without a loss"

    async def unanswered(self, number: int) -> None:
        """The sink took it, but the caller was told that it did not."""
        await self.world.sink.inner.write([self.world.envelope() for _ in range(number)])

    async def again(self, _: int) -> None:
        """An event that the sink holds comes again, and the sink cannot tell."""
        if self.in_sink:
            one = self.world.envelope(self.in_sink[-1])
            await self.world.sink.inner.write([one])
            self.world.arrivals.add(one, again=True)

    async def again_aside(self, _: int) -> None:
        """An event that the sink holds comes again while the sink is away."""
        if self.in_sink:
            await self.world.put_aside(self.world.envelope(self.in_sink[-1]), again=True)

    async def crash(self, _: int) -> None:
        """The process ends before it wrote its counts, and a new one begins."""
        self.other = self.world.counter()

    async def roll_back(self, _: int) -> None:
        """The store comes back without the newest counts, and the living process writes its own again."""
        await self.world.store.inner.erase(HOURS, ACME)
        self.world.arrivals.rewrite()

    async def end(self) -> int:
        """What is missing when everything came to rest."""
        await self.other.flush()
        await self.world.settle()
        self.world.clock.advance(minutes=5)
        return (await self.world.compare(ROUNDS)).missing


def steps(names: tuple[str, ...]) -> st.SearchStrategy[list[tuple[str, int]]]:
    return st.lists(st.tuples(st.sampled_from(names), st.integers(1, 5)), max_size=25)


@settings(max_examples=150, deadline=None)
@given(steps(PLAIN + EXTRAS))
def test_no_alarm_without_a_loss(told: list[tuple[str, int]]) -> None:
    async def run() -> None:
        story = Story()
        await story.tell(told)
        assert await story.end() <= len(story.lost)

    asyncio.run(run())


@settings(max_examples=150, deadline=None)
@given(steps(PLAIN))
def test_no_loss_is_hidden_where_nothing_is_extra(told: list[tuple[str, int]]) -> None:
    async def run() -> None:
        story = Story()
        await story.tell(told)
        assert await story.end() == len(story.lost)

    asyncio.run(run())

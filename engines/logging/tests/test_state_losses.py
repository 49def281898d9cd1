"""Losses of the state store: noted once, kept through orderly starts, open until acknowledged."""

from typing import Any

import pytest

from engines.common.documents import SYSTEM, StoreUnavailable
from engines.logging.state_losses import STATE_LOSSES, StateLosses
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import MovableClock
from tests.support.faults import FaultyStore
from tests.support.stand_in import KILLED, SaidStandIn

SENTENCE = (
    "came back as of 2026-01-15 11:49:51 UTC, what was stored after it until 2026-01-15 11:49:58 UTC is gone"
)


class Parts:
    """A stand-in, a store, and two processes that look."""

    def __init__(self, **said: Any) -> None:
        self.stand_in = SaidStandIn(**said)
        self.store = FaultyStore(MemoryDocumentStore(MovableClock()))
        self.one, self.other = (StateLosses(self.store, self.stand_in, MovableClock()) for _ in range(2))

    async def looked(self) -> list[str]:
        await self.one.look()
        return [loss.sentence for loss in self.one.open]


async def test_an_orderly_start_lost_nothing() -> None:
    parts = Parts()
    assert await parts.looked() == []
    assert await parts.one.acknowledge() == []
    assert await parts.store.count(STATE_LOSSES, SYSTEM) == 0


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (KILLED, SENTENCE),
        ({"fell_back": True}, f"{SENTENCE}: its newest save was damaged, an older one was taken"),
        (
            KILLED | {"stopped_at": None},
            "came back as of 2026-01-15 11:49:51 UTC, what was stored after it until it stopped is gone",
        ),
        (
            KILLED | {"restored_as_of": None, "restored_from": None},
            "came back empty, what was stored until 2026-01-15 11:49:58 UTC is gone",
        ),
    ],
    ids=["killed", "fell_back", "end_unknown", "empty"],
)
async def test_a_loss_says_what_is_there_and_what_is_gone(said: dict[str, Any], sentence: str) -> None:
    assert await Parts(**said).looked() == [sentence]


async def test_it_is_noted_once_by_any_number_of_processes() -> None:
    parts = Parts(**KILLED)
    for losses in (parts.one, parts.other, parts.one):
        await losses.look()
    assert await parts.store.count(STATE_LOSSES, SYSTEM) == 1


async def test_it_stays_open_through_an_orderly_start_and_a_second_one_comes_beside_it() -> None:
    parts = Parts(**KILLED)
    await parts.one.look()
    parts.stand_in.set(generation="20260115T120100.000000Z")
    assert await parts.looked() == [SENTENCE]
    parts.stand_in.set(generation="20260115T120200.000000Z", **KILLED)
    assert await parts.looked() == [SENTENCE, SENTENCE]


async def test_it_is_acknowledged_once_for_all_processes() -> None:
    parts = Parts(**KILLED)
    await parts.one.look()
    assert [loss.sentence for loss in await parts.other.acknowledge()] == [SENTENCE]
    assert await parts.looked() == []
    assert await parts.other.acknowledge() == []


async def test_it_can_be_acknowledged_before_any_process_noted_it() -> None:
    parts = Parts(**KILLED)
    assert len(await parts.one.acknowledge()) == 1
    await parts.other.look()
    assert parts.other.open == []


async def test_a_store_that_takes_no_writes_hides_no_loss() -> None:
    parts = Parts(**KILLED)
    parts.store.faults["mutate"] = StoreUnavailable("memory: away")
    assert await parts.looked() == [SENTENCE]
    assert await parts.looked() == [SENTENCE]
    parts.store.faults.clear()
    assert await parts.looked() == [SENTENCE]
    assert await parts.store.count(STATE_LOSSES, SYSTEM) == 1


async def test_a_stand_in_that_does_not_answer_changes_nothing() -> None:
    parts = Parts(**KILLED)
    await parts.one.look()
    parts.stand_in.said = None
    assert await parts.looked() == [SENTENCE]

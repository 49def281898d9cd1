"""A Firestore that is stopped in good order loses nothing; after a kill every accepted event comes back."""

import pytest

from tests.support.bossman import bossman
from tests.support.docker import Firestore, firestore
from tests.support.far_ends import state_variables
from tests.support.interruptions import Loss, interrupted
from tests.support.survival import note

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]

STOPS, RESTARTS, KILLS = 2, 1, 2
"""A few here; `./scripts/bench survival` runs the same with more."""


async def orderly(stops: int, restarts: int) -> Loss:
    """So many stops with a start after each, and restarts."""
    with firestore() as store, bossman(variables(store)) as process:

        def stop() -> None:
            store.stop(60)
            store.start()

        return await interrupted(store, process, [stop] * stops + [store.restart] * restarts)


async def killed(kills: int) -> Loss:
    """So many kills with a start after each."""
    with firestore() as store, bossman(variables(store)) as process:

        def kill() -> None:
            store.kill()
            store.start()

        return await interrupted(store, process, [kill] * kills)


def variables(store: Firestore) -> dict[str, str]:
    return state_variables(store) | {"NEXUS_BACKEND": "firestore"}


async def test_orderly_stops_lose_nothing_of_any_kind() -> None:
    loss = await orderly(STOPS, RESTARTS)
    note(f"{STOPS} orderly stops, {RESTARTS} restarts: {loss.figures()}")
    assert not loss.lost_anything(), loss.figures()
    assert not loss.unpaired


async def test_after_a_kill_every_accepted_event_is_there_with_its_raw_record() -> None:
    loss = await killed(KILLS)
    note(f"Firestore killed {KILLS} times: {loss.figures()}")
    assert loss.gone["events"] == set(), loss.figures()
    assert not loss.unpaired

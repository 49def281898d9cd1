"""A Firestore that is stopped in good order loses nothing; after a kill every accepted event comes back.

`./scripts/bench survival` runs the same with more interruptions.
"""

import pytest

from tests.support.interruptions import killed, stopped_in_good_order
from tests.support.survival import note

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]

STOPS, RESTARTS, KILLS = 2, 1, 2


async def test_orderly_stops_lose_nothing_of_any_kind() -> None:
    loss = await stopped_in_good_order(STOPS, RESTARTS)
    note(f"{STOPS} orderly stops, {RESTARTS} restarts: {loss.figures()}")
    assert not loss.lost_anything(), loss.figures()
    assert not loss.unpaired


async def test_after_a_kill_every_accepted_event_is_there_with_its_raw_record() -> None:
    loss = await killed(KILLS)
    note(f"Firestore killed {KILLS} times: {loss.figures()}")
    assert loss.gone["events"] == set(), loss.figures()
    assert not loss.unpaired

"""An orderly stop of the Firestore stand-in loses nothing that was acknowledged."""

import pytest

from tests.support.standin import standin
from tests.support.stops import stops

pytestmark = pytest.mark.timeout(300)


async def test_stops_and_restarts_under_load_lose_nothing() -> None:
    with standin() as running:
        outcome = await stops(running, stops=3, restarts=2)
    assert outcome.acknowledged >= 5 * 60
    assert outcome.failed > 0, "the load went on while it was away"
    assert outcome.lost == 0
    assert outcome.orderly == [True] * 5
    assert outcome.exit_codes == [0] * 3

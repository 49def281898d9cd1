"""A sink stopped in order under load, as `docker stop` and `docker restart` do it, loses nothing accepted."""

from dataclasses import replace

import pytest

from tests.support.bossman import bossman
from tests.support.survival import outage, tell
from tests.survival.conftest import FarEnds

OUTAGE_SECONDS = 3.0

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize("kind", ["bigquery", "gs", "s3"])
async def test_the_sink_is_stopped(far_ends: FarEnds, kind: str) -> None:
    far_end = far_ends(kind)
    stopping = replace(far_end, away=far_end.stop)
    with bossman(far_end.variables) as process:
        outcome = await outage(stopping, [process], OUTAGE_SECONDS)
    tell(f"{kind} stopped", outcome)
    assert outcome.tally.durable_in("sink") > 100
    assert outcome.lost == set()
    assert outcome.seen_twice == set()
    assert set(outcome.raw) == set(outcome.read)

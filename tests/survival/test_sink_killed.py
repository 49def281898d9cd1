"""A sink killed under load loses nothing accepted."""

import pytest

from tests.support.bossman import bossman
from tests.support.far_ends import KINDS
from tests.support.kills import check, seconds_for
from tests.support.survival import outage, tell
from tests.survival.conftest import FarEnds

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize("kind", KINDS)
async def test_the_sink_is_killed(far_ends: FarEnds, kind: str) -> None:
    far_end = far_ends(kind)
    with bossman(far_end.variables) as process:
        outcome = await outage(far_end, [process], seconds_for(kind, "bigquery"))
    tell(f"{kind} killed", outcome)
    check(outcome, far_end)

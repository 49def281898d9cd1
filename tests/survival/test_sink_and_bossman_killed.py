"""A sink killed under load, and Bossman killed while it is down: nothing accepted is lost."""

import asyncio

import pytest

from tests.support.bossman import bossman
from tests.support.far_ends import KINDS
from tests.support.kills import check, seconds_for
from tests.support.survival import outage, tell
from tests.survival.conftest import FarEnds

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize("kind", KINDS)
async def test_bossman_is_killed_while_the_sink_is_down(far_ends: FarEnds, kind: str) -> None:
    far_end = far_ends(kind)
    with bossman(far_end.variables) as process:

        async def restart() -> None:
            process.kill()
            await asyncio.to_thread(process.start)

        outcome = await outage(far_end, [process], seconds_for(kind, "gs"), restart)
    tell(f"{kind} and Bossman killed", outcome)
    check(outcome, far_end)
    assert outcome.tally.unanswered > 0

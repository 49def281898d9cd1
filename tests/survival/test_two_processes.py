"""A sink killed under load of two processes that share an outbox loses nothing accepted."""

from contextlib import ExitStack

import pytest

from tests.support.bossman import bossman
from tests.support.kills import check, seconds_for
from tests.support.survival import outage, tell
from tests.survival.conftest import FarEnds

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize("kind", ["bigquery", "gs", "s3"])
async def test_two_processes_share_the_outbox(far_ends: FarEnds, kind: str) -> None:
    far_end = far_ends(kind)
    with ExitStack() as stack:
        processes = [stack.enter_context(bossman(far_end.variables)) for _ in range(2)]
        outcome = await outage(far_end, processes, seconds_for(kind, "s3"))
    tell(f"{kind} killed under two processes", outcome)
    check(outcome, far_end)

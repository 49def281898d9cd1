"""A rehearsal over the in-memory app: its own clock runs, its inside is the app's store and sink."""

import io
from datetime import datetime
from typing import Any

from pydantic import SecretStr

from engines.common.clock import utc_now
from engines.rehearsal.inside import Inside, configuration_of
from engines.rehearsal.onboard import Rehearsal
from engines.rehearsal.progress import Progress
from engines.rehearsal.receipt import Claim, Host, Receipt
from tests.support.app import SIGNING_SECRET, MemoryKit, MovableClock, settings

HOST = Host(kit="0.1.0+abc", project="kit", images={"bossman": "sha256:1"})


class RunningClock(MovableClock):
    """The time as it is."""

    def __call__(self) -> datetime:
        return utc_now()


def inside_of(kit: MemoryKit) -> Inside:
    return Inside(kit.store, kit.sink, SecretStr(SIGNING_SECRET), configuration_of(settings()))


def rehearsal(kit: MemoryKit, **values: Any) -> Rehearsal:
    """Nothing it says is shown; the app is asked anew at once."""
    defaults: dict[str, Any] = {
        "name": "Acme",
        "env": "staging",
        "inside": inside_of(kit),
        "progress": Progress(out=io.StringIO()),
        "host": HOST,
        "settle_seconds": 0.0,
    }
    return Rehearsal(kit.client, **(defaults | values))


def claim(receipt: Receipt, name: str) -> Claim:
    [found] = [one for one in receipt.claims if one.name == name]
    return found


def told(receipt: Receipt, *verdicts: str) -> dict[str, str]:
    """What was seen of the claims with these verdicts."""
    return {one.name: one.seen for one in receipt.claims if one.verdict in verdicts}

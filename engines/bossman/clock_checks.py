"""The check of clocks: whether sums and filters by time can be believed."""

from collections.abc import Callable

from engines.bossman.health import Check, NamedCheck
from engines.common.process_clocks import Clocks, Skew, beyond

CLOCK_SKEW = "clock:skew"
CURE = "synchronise the clocks of the hosts (NTP); until then sums and locks are not called fresh"


class ClockChecks:
    """See MoreChecks. Nothing is said until the clocks were measured once."""

    def __init__(self, clocks: Callable[[], Clocks | None]) -> None:
        self._clocks = clocks

    async def ready(self) -> list[NamedCheck]:
        """None: a process with a wrong clock still serves."""
        return []

    async def all(self) -> list[NamedCheck]:
        """The largest difference between any two clocks that write to the store."""
        clocks = self._clocks()
        return [] if clocks is None else [(CLOCK_SKEW, clock_skew(clocks))]


def clock_skew(clocks: Clocks) -> Check:
    """A warning when two clocks are further apart than is tolerated."""
    return Check(
        componentType="component",
        componentId="clocks",
        observedValue=round(clocks.spread.seconds, 3),
        observedUnit="s",
        status="warn" if clocks.apart else "pass",
        time=clocks.measured_at,
        output=f"{_words(clocks)}: {CURE}" if clocks.apart else None,
    )


def _words(clocks: Clocks) -> str:
    if beyond(clocks.own):
        return f"the clock of this process is {_off(clocks.own)} the state store's"
    other = max(clocks.others, key=lambda one: abs(one.seconds), default=Skew())
    if beyond(other):
        return f"the clock of another process is {_off(other)} the state store's"
    return f"the clocks of two processes are {clocks.spread.seconds:,.1f} s apart"


def _off(skew: Skew) -> str:
    return f"{abs(skew.seconds):,.1f} s {'ahead of' if skew.seconds > 0 else 'behind'}"

"""The check of accepted events: how many are neither in the sink nor waiting for it, of all tenants."""

from collections.abc import Awaitable, Callable

from engines.bossman.health import Check, NamedCheck, SharedProbe
from engines.common.clock import Clock, utc_now
from engines.reconciliation.models import MissingTotal
from engines.reconciliation.reads import NOT_YET

MISSING = "event-sink:missingEvents"


class MissingChecks:
    """See MoreChecks. Shared by all who ask, like a probe."""

    def __init__(
        self, ask: Callable[[], Awaitable[MissingTotal]], sink_name: str, clock: Clock = utc_now
    ) -> None:
        self._ask = ask
        self._sink_name = sink_name
        self._probe = SharedProbe(self._read, clock)
        self._found = MissingTotal(None)

    async def ready(self) -> list[NamedCheck]:
        """None: without the sink a process still serves."""
        return []

    async def all(self) -> list[NamedCheck]:
        """A warning when events are missing, and when it is not known whether any are."""
        result = await self._probe.result()
        found = self._found if result.passed else MissingTotal(None, result.failure)
        is_well = found.events == 0 or found.reason == NOT_YET
        check = Check(
            componentType="component",
            componentId=self._sink_name,
            observedValue=found.events,
            observedUnit="events",
            status="pass" if is_well else "warn",
            time=result.observed_at,
            output=_words(found),
        )
        return [(MISSING, check)]

    async def _read(self) -> None:
        self._found = await self._ask()


def _words(found: MissingTotal) -> str | None:
    if found.events is None:
        return f"not compared: {found.reason}"
    return f"acknowledged but missing: {found.events:,}" if found.events else None

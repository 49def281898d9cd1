"""Gauges of the state store's saving, of what its starts lost, and of the clocks."""

import math
from collections.abc import Sequence
from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge

from engines.common.process_clocks import Clocks
from engines.common.stand_in import StandInStatus
from engines.logging.state_losses import StateLoss

STATE_GAUGES = {
    "restored_as_of_seconds": "Unix time of the save that the store's newest start came from",
    "writes_refused": "1 while the store refuses writes",
    "saving_failed": "1 while the store cannot save",
    "saved_age_seconds": "Age of the store's newest save",
    "memory_used_bytes": "Memory in use, of what counts against the limit",
    "memory_limit_bytes": "At this much memory writes are refused",
    "disk_free_bytes": "Free on the store's volume",
}


class StateGauges:
    """Set when they are asked for; NaN = not known, as for a store that is no stand-in of this kit."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._state = {
            name: Gauge(f"northstar_state_{name}", text, registry=registry)
            for name, text in STATE_GAUGES.items()
        }
        self._losses = Gauge(
            "northstar_state_losses_open", "Losses that nobody acknowledged", registry=registry
        )
        self._skew = Gauge(
            "northstar_clock_skew_seconds", "This process's clock ahead of the store's", registry=registry
        )
        self._spread = Gauge(
            "northstar_clock_spread_seconds", "Largest difference of any two clocks", registry=registry
        )

    def set(
        self,
        status: StandInStatus | None,
        losses: Sequence[StateLoss] | None,
        clocks: Clocks | None,
        now: datetime,
    ) -> None:
        """What was read just now; None = could not be read, or is not there to be read."""
        values = _values(status, now) if status else {}
        for name, gauge in self._state.items():
            value = values.get(name)
            gauge.set(math.nan if value is None else value)
        self._losses.set(math.nan if losses is None else len(losses))
        self._skew.set(clocks.own.seconds if clocks else math.nan)
        self._spread.set(clocks.spread.seconds if clocks else math.nan)


def _values(status: StandInStatus, now: datetime) -> dict[str, float | None]:
    as_of = status.restored_as_of
    return {
        "restored_as_of_seconds": as_of.timestamp() if as_of else None,
        "writes_refused": status.writes == "refused",
        "saving_failed": status.saving == "failing",
        "saved_age_seconds": max(0.0, (now - status.newest_save_at).total_seconds()),
        "memory_used_bytes": status.memory_used_bytes,
        "memory_limit_bytes": status.memory_limit_bytes,
        "disk_free_bytes": status.disk_free_bytes,
    }

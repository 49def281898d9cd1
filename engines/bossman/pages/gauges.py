"""The temperature's metrics against their floors and ceilings, as the newest snapshot has them. Pure."""

from dataclasses import dataclass
from typing import Literal

from engines.bossman.models import TemperatureSection

State = Literal["ok", "below", "above", "unmeasured"]


@dataclass(frozen=True)
class Gauge:
    """One metric; places in percent of the scale, None where there is nothing to mark."""

    metric: str
    value: float | None
    floor: float | None
    ceiling: float | None
    weight: float | None
    state: State
    value_at: float | None
    floor_at: float | None
    ceiling_at: float | None


def gauges(section: TemperatureSection) -> list[Gauge]:
    """A gauge per metric that is measured or has a limit: breaches first, then by name."""
    config = section.config
    floors = _floors(section)
    ceilings = config.ceilings.ceilings if config.ceilings else {}
    weights = config.weights.weights if config.weights else {}
    measured = section.current.raw_metrics if section.current else {}
    names = {*floors, *ceilings, *weights, *measured}
    found = [
        _gauge(name, _measured(section, name), floors.get(name), ceilings.get(name), weights.get(name))
        for name in names
    ]
    return sorted(found, key=lambda gauge: (gauge.state not in ("below", "above"), gauge.metric))


def _floors(section: TemperatureSection) -> dict[str, float]:
    """The higher one where a metric has two floors."""
    config = section.config.floors
    if config is None:
        return {}
    found = dict(config.performance_floors)
    for name, floor in config.cadence_floors.items():
        found[name] = max(floor, found.get(name, floor))
    return found


def _measured(section: TemperatureSection, metric: str) -> float | None:
    """The snapshot's value; a metric that no usage named counts as 0."""
    return section.current.raw_metrics.get(metric, 0.0) if section.current else None


def _gauge(
    metric: str, value: float | None, floor: float | None, ceiling: float | None, weight: float | None
) -> Gauge:
    marks = [mark for mark in (value, floor, ceiling) if mark is not None]
    low, high = min([0.0, *marks]), max([0.0, *marks])
    span = (high - low) * 1.15 or 1.0

    def place(mark: float | None) -> float | None:
        return None if mark is None else round(100 * (mark - low) / span, 2)

    state = _state(value, floor, ceiling)
    return Gauge(metric, value, floor, ceiling, weight, state, place(value), place(floor), place(ceiling))


def _state(value: float | None, floor: float | None, ceiling: float | None) -> State:
    if value is None:
        return "unmeasured"
    if floor is not None and value < floor:
        return "below"
    return "above" if ceiling is not None and value > ceiling else "ok"

"""How usage becomes metrics, metrics a temperature, and which limits they break.

Names are walked in alphabetical order: a document does not keep the order of its keys, and both stores
must come to the same lists and the same last digit.
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import isfinite
from typing import Any

from engines.temperature.models import Metrics, SurfaceConfig


def metric_keys(config: SurfaceConfig) -> list[str]:
    """Names of all weights, floors and ceilings, as often as they occur."""
    weights = config.weights.weights if config.weights else {}
    performance = config.floors.performance_floors if config.floors else {}
    cadence = config.floors.cadence_floors if config.floors else {}
    ceilings = config.ceilings.ceilings if config.ceilings else {}
    return [*weights, *performance, *cadence, *ceilings]


def sum_metrics(keys: Sequence[str], usage: Iterable[Mapping[str, Any]]) -> Metrics:
    """Sums of the usage's metadata by key. A key that occurs n times is added n times."""
    metrics: Metrics = {}
    for metadata in usage:
        for key in keys:
            number = as_number(metadata.get(key))
            added = metrics.get(key, 0.0) + (number or 0.0)
            # A sum beyond all floats would be no JSON: what would carry it there is left out.
            if number is not None and isfinite(added):
                metrics[key] = added
    return metrics


def as_number(value: Any) -> float | None:
    """What float() makes of the value; None when that is nothing or not finite."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if isfinite(number) else None


def floors_breached(config: SurfaceConfig, metrics: Metrics) -> list[str]:
    """Metrics below their performance floors, then below their cadence floors; a missing metric is 0."""
    if config.floors is None:
        return []
    return _below(config.floors.performance_floors, metrics) + _below(config.floors.cadence_floors, metrics)


def ceilings_breached(config: SurfaceConfig, metrics: Metrics) -> list[str]:
    """Metrics above their ceilings; a missing metric is 0."""
    ceilings = config.ceilings.ceilings if config.ceilings else {}
    return [key for key, ceiling in sorted(ceilings.items()) if metrics.get(key, 0.0) > ceiling]


def temperature_value(weights: Metrics, metrics: Metrics) -> float:
    """Mean of the metrics by weight: sum of weight times metric over the sum of absolute weights."""
    pairs = [(weight, metrics.get(key, 0.0)) for key, weight in sorted(weights.items())]
    total = sum(weight * metric for weight, metric in pairs)
    size = sum(abs(weight) for weight, _ in pairs) or 1.0
    if isfinite(total) and isfinite(size):
        return total / size
    return _exact_value(pairs)


def _exact_value(pairs: Iterable[tuple[float, float]]) -> float:
    """The same mean where floats overflow on the way; it lies among the metrics, so it is finite."""
    exact = [(Fraction(weight), Fraction(metric)) for weight, metric in pairs]
    return float(sum(weight * metric for weight, metric in exact) / sum(abs(weight) for weight, _ in exact))


def _below(floors: Metrics, metrics: Metrics) -> list[str]:
    return [key for key, floor in sorted(floors.items()) if metrics.get(key, 0.0) < floor]

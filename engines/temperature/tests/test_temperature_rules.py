"""Metrics, value and breaches: tables, and an independent oracle in exact fractions."""

from datetime import UTC, datetime
from fractions import Fraction
from math import isfinite
from sys import float_info
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.temperature.models import (
    CeilingConfig,
    FloorConfig,
    Metrics,
    SurfaceConfig,
    TemperatureWeights,
)
from engines.temperature.rules import (
    ceilings_breached,
    floors_breached,
    metric_keys,
    sum_metrics,
    temperature_value,
)

MOST = float_info.max
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def config(
    weights: Metrics | None = None,
    performance: Metrics | None = None,
    cadence: Metrics | None = None,
    ceilings: Metrics | None = None,
) -> SurfaceConfig:
    head: dict[str, Any] = {
        **{"id": "x", "tenant_id": "t_acme", "env": "dev", "surface": "squared"},
        **{"created_at": MOMENT, "updated_at": MOMENT},
    }
    return SurfaceConfig(
        floors=FloorConfig(**head, performance_floors=performance or {}, cadence_floors=cadence or {}),
        ceilings=CeilingConfig(**head, ceilings=ceilings or {}),
        weights=TemperatureWeights(**head, weights=weights or {}),
    )


@pytest.mark.parametrize(
    ("value", "counted"),
    [
        (3, 3.0),
        (2.5, 2.5),
        (-1, -1.0),
        (True, 1.0),
        (False, 0.0),
        ("2.5", 2.5),
        (" 7 ", 7.0),
        ("1e3", 1000.0),
        *((value, None) for value in ("many", "", "1,5", None, [], [1], {}, {"a": 1})),
        *((value, None) for value in ("nan", "inf", "-Infinity", "1e999", 10**400)),
        *((value, None) for value in (float("nan"), float("inf"))),
    ],
    ids=repr,
)
def test_a_value_counts_as_float_reads_it_and_else_not_at_all(value: Any, counted: float | None) -> None:
    assert sum_metrics(["a"], [{"a": value}]) == ({} if counted is None else {"a": counted})
    assert sum_metrics(["a"], [{"a": value}, {"a": 1}]) == {"a": (counted or 0.0) + 1.0}


def test_only_keys_that_are_asked_for_become_metrics() -> None:
    usage: list[dict[str, Any]] = [{"a": 1, "other": 5}, {}, {"a": 2}]
    assert sum_metrics(["a", "b"], usage) == {"a": 3.0}
    assert sum_metrics([], usage) == {}


def test_gap_a_key_of_n_configurations_is_counted_n_times() -> None:
    keys = metric_keys(config({"a": 1}, {"a": 1, "b": 1}, {"a": 1}, {"c": 1}))
    assert keys == ["a", "a", "b", "a", "c"]
    assert sum_metrics(keys, [{"a": 8, "b": 8, "c": 8}]) == {"a": 24.0, "b": 8.0, "c": 8.0}


def test_a_sum_never_leaves_the_floats() -> None:
    assert sum_metrics(["a"], [{"a": MOST}, {"a": MOST}, {"a": -1}]) == {"a": MOST}


@pytest.mark.parametrize(
    ("weights", "metrics", "value"),
    [
        ({}, {}, 0.0),
        ({}, {"a": 5.0}, 0.0),
        ({"a": 2.0}, {"a": 5.0}, 5.0),
        ({"a": -2.0}, {"a": 5.0}, -5.0),
        ({"a": 3.0, "b": -1.0}, {"a": 10.0, "b": 2.0}, 7.0),
        ({"a": 1.0, "b": 3.0}, {"a": 8.0}, 2.0),
        ({"a": 0.0}, {"a": 8.0}, 0.0),
        ({"a": 1.0}, {"a": -1e6, "b": 7.0}, -1e6),
        ({"a": MOST, "b": MOST}, {"a": 4.0, "b": 2.0}, 3.0),
        ({"a": 2.0, "b": 2.0}, {"a": MOST, "b": MOST}, MOST),
        ({"a": MOST, "b": -MOST}, {"a": MOST, "b": MOST}, 0.0),
    ],
)
def test_value(weights: Metrics, metrics: Metrics, value: float) -> None:
    assert temperature_value(weights, metrics) == value


@pytest.mark.parametrize(
    ("metrics", "floors", "ceilings"),
    [
        ({}, ["a", "b", "a"], []),
        ({"a": 1.0, "b": 1.0}, ["a"], []),
        ({"a": 2.0, "b": 1.0}, [], []),
        ({"a": 3.0, "b": 2.0}, [], []),
        ({"a": 3.5, "b": 2.5}, [], ["a", "b"]),
        ({"a": 0.5, "b": -9.0}, ["a", "b", "a"], []),
    ],
)
def test_breaches(metrics: Metrics, floors: list[str], ceilings: list[str]) -> None:
    limits = config(performance={"b": 1, "a": 1}, cadence={"a": 2}, ceilings={"b": 2, "a": 3})
    assert floors_breached(limits, metrics) == floors
    assert ceilings_breached(limits, metrics) == ceilings


def test_without_configuration_nothing_is_asked_for_or_breached() -> None:
    nothing = SurfaceConfig()
    assert metric_keys(nothing) == []
    assert floors_breached(nothing, {"a": -5.0}) == ceilings_breached(nothing, {"a": 5.0}) == []


def test_gap_breaches_do_not_influence_the_value_and_it_has_no_bounds() -> None:
    assert floors_breached(config({"a": 1}, {"a": 5}), {"a": -1e9}) == ["a"]
    assert temperature_value({"a": 1.0}, {"a": -1e9}) == -1e9


NAMES = st.sampled_from("abcd")
ANY_FLOAT = st.floats(allow_nan=False, allow_infinity=False)
SMALL = st.floats(-1e6, 1e6).filter(lambda number: number == 0 or abs(number) > 1e-6)
LIMITS = st.dictionaries(NAMES, SMALL)
USAGE = st.lists(st.dictionaries(NAMES, SMALL | st.none() | st.sampled_from(["x", "1.5", "nan", [], True])))


def oracle_number(value: Any) -> Fraction | None:
    if value is None or value in ("x", "nan", []):
        return None
    return Fraction(value)


def oracle_value(weights: Metrics, metrics: Metrics) -> Fraction:
    above = sum((Fraction(w) * Fraction(metrics.get(k, 0)) for k, w in weights.items()), Fraction(0))
    below = sum((abs(Fraction(w)) for w in weights.values()), Fraction(0))
    return above / (below or 1)


@settings(max_examples=300, deadline=None)
@given(LIMITS, LIMITS, LIMITS, LIMITS, USAGE)
def test_metrics_and_breaches_are_the_oracles(
    weights: Metrics, performance: Metrics, cadence: Metrics, ceilings: Metrics, usage: list[dict[str, Any]]
) -> None:
    limits = config(weights, performance, cadence, ceilings)
    metrics = sum_metrics(metric_keys(limits), usage)
    for name in "abcd":
        times = sum(name in where for where in (weights, performance, cadence, ceilings))
        numbers = [n for item in usage if (n := oracle_number(item.get(name))) is not None]
        assert (name in metrics) == bool(times and numbers)
        if name in metrics:
            assert metrics[name] == pytest.approx(float(times * sum(numbers)), rel=1e-9, abs=1e-6)
    under = [
        [name for name in "abcd" if name in floors and floors[name] > metrics.get(name, 0)]
        for floors in (performance, cadence)
    ]
    assert floors_breached(limits, metrics) == under[0] + under[1]
    over = [name for name in "abcd" if name in ceilings and ceilings[name] < metrics.get(name, 0)]
    assert ceilings_breached(limits, metrics) == over


@settings(max_examples=300, deadline=None)
@given(LIMITS, LIMITS)
def test_the_value_is_the_oracles(weights: Metrics, metrics: Metrics) -> None:
    scale = max((abs(metric) for metric in metrics.values()), default=0.0)
    found = temperature_value(weights, metrics)
    assert found == pytest.approx(float(oracle_value(weights, metrics)), rel=1e-9, abs=1e-12 * scale)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(NAMES, ANY_FLOAT), st.lists(st.dictionaries(NAMES, ANY_FLOAT)))
def test_any_finite_numbers_give_a_finite_value(weights: Metrics, usage: list[Metrics]) -> None:
    metrics = sum_metrics([*weights, *weights], usage)
    assert all(map(isfinite, metrics.values()))
    assert isfinite(temperature_value(weights, metrics))

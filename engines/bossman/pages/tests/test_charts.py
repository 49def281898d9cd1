"""Geometry of charts and gauges."""

from datetime import UTC, datetime, timedelta

import pytest

from engines.bossman.models import TemperatureConfig, TemperatureSection
from engines.bossman.pages.charts import HEIGHT, WIDTH, arrivals, nice_top, shares
from engines.bossman.pages.gauges import gauges
from engines.budget.summary import BudgetSummary, GroupSum
from engines.logging.arrivals import Counts
from engines.temperature.models import CeilingConfig, FloorConfig, TemperatureSnapshot

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
OWN = {"id": "i", "tenant_id": "t_acme", "env": "dev", "surface": "squared", "created_at": NOON}


@pytest.mark.parametrize(
    ("value", "top"), [(0, 2), (2, 2), (3, 4), (5, 10), (10, 10), (11, 20), (41, 100), (100, 100), (101, 200)]
)
def test_an_axis_ends_at_a_round_number_with_a_whole_half(value: int, top: int) -> None:
    assert nice_top(value) == top


def test_bars_are_stacked_within_the_plot_and_empty_ones_are_left_out() -> None:
    counts = {NOON + timedelta(minutes=m): Counts() for m in range(60)}
    counts[NOON] = Counts(total=10, trainable=5, flagged=2)
    chart = arrivals(counts)
    [bar] = chart.bars
    assert [rect.kind for rect in bar.rects] == ["trainable", "opted-out", "flagged"]
    assert sum(rect.height for rect in bar.rects) == HEIGHT
    assert [rect.y for rect in bar.rects] == sorted((rect.y for rect in bar.rects), reverse=True)
    assert all(0 <= rect.x <= WIDTH - rect.width and rect.y >= 0 for rect in bar.rects)
    assert bar.says == "12:00 UTC: 10 events, 5 trainable, 3 opted out, 2 flagged"
    assert chart.y_labels == ["10", "5", "0"]
    assert chart.x_labels == ["12:00", "12:15", "12:30", "12:44", "now"]
    assert [(row.label, row.opted_out) for row in chart.rows] == [("12:00", 3)]


def test_shares_show_the_dearest_groups_and_say_how_many_there_are() -> None:
    grouped = {f"p{n}": GroupSum(cost=n, count=1) for n in range(12)}
    found = shares(BudgetSummary(window_days=7, total_cost=66, total_events=12, grouped=grouped))
    assert found is not None
    assert (len(found.shown), found.total_groups) == (8, 12)
    assert (found.shown[0].name, found.shown[0].length, found.shown[0].share) == ("p11", 100.0, "17 %")
    assert shares(None) is None


def test_refunds_draw_no_bar_to_the_left() -> None:
    grouped = {"a": GroupSum(cost=-5, count=1), "b": GroupSum(cost=1, count=1)}
    found = shares(BudgetSummary(window_days=7, total_cost=-4, total_events=2, grouped=grouped))
    assert found is not None
    assert [(s.name, s.length, s.share) for s in found.shown] == [("b", 20.0, "–"), ("a", 0.0, "–")]  # noqa: RUF001 - as shown


def test_gauges_put_breaches_first_and_take_the_higher_floor() -> None:
    floors = FloorConfig.model_validate(
        OWN | {"performance_floors": {"b": 1, "c": 2}, "cadence_floors": {"b": 9}, "updated_at": NOON}
    )
    ceilings = CeilingConfig.model_validate(OWN | {"ceilings": {"a": 1}, "updated_at": NOON})
    snapshot = TemperatureSnapshot.model_validate(
        OWN | {"value": 1, "window_start": NOON, "window_end": NOON, "raw_metrics": {"a": 2, "c": 2}}
    )
    config = TemperatureConfig(floors=floors, ceilings=ceilings)
    found = gauges(TemperatureSection(surface="squared", current=snapshot, config=config))
    assert [(g.metric, g.state, g.floor) for g in found] == [
        ("a", "above", None),
        ("b", "below", 9),
        ("c", "ok", 2),
    ]
    places = [place for g in found for place in (g.value_at, g.floor_at, g.ceiling_at) if place is not None]
    assert all(0 <= place < 100 for place in places)
    unmeasured = gauges(TemperatureSection(surface="squared", config=config))
    assert {g.state for g in unmeasured} == {"unmeasured"}

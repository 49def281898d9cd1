"""Geometry of the page's charts. Pure: numbers in, rectangles out; the templates draw them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from engines.bossman.pages.words import NOTHING, clock, money, number, percent
from engines.budget.summary import BudgetSummary
from engines.logging.arrivals import Counts

WIDTH, HEIGHT = 600, 144
"""Units of a chart's drawing; it is stretched in width only, so a unit of height stays a pixel."""

MOST_BARS = 8


@dataclass(frozen=True)
class Rect:
    """A rectangle of one kind."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Bar:
    """One stretch of time: what it says and how it is drawn, from the bottom up."""

    says: str
    rects: list[Rect]


@dataclass(frozen=True)
class Row:
    """One stretch of time as numbers."""

    label: str
    counts: Counts
    opted_out: int


@dataclass(frozen=True)
class Chart:
    """Stacked bars over time, with what the axes say, and the same as numbers (only what is not zero)."""

    bars: list[Bar]
    y_labels: list[str]
    x_labels: list[str]
    total: Counts
    opted_out: int
    rows: list[Row]


@dataclass(frozen=True)
class Share:
    """One group of a horizontal bar chart; ``length`` in percent of the longest bar."""

    name: str
    value: str
    count: int
    share: str
    length: float


@dataclass(frozen=True)
class Shares:
    """The largest groups, how many there are, and their sum."""

    shown: list[Share]
    total_groups: int
    total: str
    events: int


def arrivals(counts: Mapping[datetime, Counts], label: Callable[[datetime], str] = clock) -> Chart:
    """Events over time in three parts: trainable, opted out, flagged."""
    top = nice_top(max((c.total for c in counts.values()), default=0))
    step = WIDTH / max(1, len(counts))
    bars = [
        Bar(_says(label(at), c), _stack(c, index * step, step, top))
        for index, (at, c) in enumerate(counts.items())
        if c.total
    ]
    moments = list(counts)
    marks = [moments[round(part * (len(moments) - 1) / 4)] for part in range(4)] if moments else []
    total = sum(counts.values(), Counts())
    rows = [Row(label(at), c, opted_out(c)) for at, c in counts.items() if c.total]
    y_labels = [number(top), number(top / 2), "0"]
    return Chart(bars, y_labels, [*map(label, marks), "now"], total, opted_out(total), rows)


def shares(summary: BudgetSummary | None) -> Shares | None:
    """The groups of a summary, the dearest first; None when it could not be read."""
    if summary is None:
        return None
    groups = sorted(summary.grouped.items(), key=lambda item: (-item[1].cost, -item[1].count, item[0]))
    longest = max((abs(group.cost) for _, group in groups), default=0) or 1
    shown = [
        Share(
            name,
            money(group.cost),
            group.count,
            percent(group.cost, summary.total_cost) if summary.total_cost > 0 else NOTHING,
            round(100 * max(0.0, group.cost) / longest, 1),
        )
        for name, group in groups[:MOST_BARS]
    ]
    return Shares(shown, len(groups), money(summary.total_cost), summary.total_events)


def opted_out(counts: Counts) -> int:
    """Neither trainable nor flagged: someone opted out."""
    return max(0, counts.total - counts.trainable - counts.flagged)


def nice_top(value: int) -> int:
    """The smallest of 2, 4, 10, 20, 40, 100 … that is not below ``value``: its half is whole."""
    top = 1
    while True:
        for factor in (2, 4):
            if value <= top * factor:
                return top * factor
        top *= 10
        if value <= top:
            return top


def _stack(counts: Counts, x: float, step: float, top: int) -> list[Rect]:
    gap = step * 0.15
    rects, base = [], float(HEIGHT)
    parts = (("trainable", counts.trainable), ("opted-out", opted_out(counts)), ("flagged", counts.flagged))
    for kind, count in parts:
        if count:
            height = HEIGHT * count / top
            base -= height
            width = round(step - gap, 2)
            rects.append(Rect(kind, round(x + gap / 2, 2), round(base, 2), width, round(height, 2)))
    return rects


def _says(label: str, counts: Counts) -> str:
    return (
        f"{label} UTC: {counts.total:,} events, {counts.trainable:,} trainable, "
        f"{opted_out(counts):,} opted out, {counts.flagged:,} flagged"
    )

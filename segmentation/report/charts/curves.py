"""Learning curves, of one run or of several, from their `metrics.csv`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import plotly.graph_objects as go

from segmentation.report.charts.chart import DASHES, Chart, figure, plain, style
from segmentation.report.table import Cell, Grid, number
from segmentation.runs.curves import read_rows

Points = tuple[list[float], list[float]]
"""Places on the x axis, and values."""
HEIGHT = 340
MOST_MARKS = 30
"""So many points of a long curve have a mark."""


class Line(NamedTuple):
    """A curve: its points, the numbers of its style and its dash, and its name in the legend."""

    points: Points
    style: int
    dash: int
    group: str


@dataclass(frozen=True)
class Curves:
    """What a run has logged, by name."""

    losses: dict[str, Points]
    scores: dict[str, Points]
    rates: dict[str, Points]


def read_curves(run: Path) -> Curves | None:
    """Read the curves of a run directory; None where it has none."""
    rows = read_rows(run / "metrics.csv")
    names = sorted({key for row in rows for key in row})
    by_epoch = {
        name: _points(rows, name, "epoch") for name in names if name.startswith(("train/", "val/"))
    }
    by_epoch = {name: points for name, points in by_epoch.items() if points[0]}
    rates: dict[str, Points] = {}
    for name in (name for name in names if name.startswith("lr-")):
        points = _points(rows, name, "step")
        if points[0] and points not in rates.values():  # groups mostly share one
            rates[name.split("/")[-1] if "/" in name else name.removeprefix("lr-")] = points
    if len(rates) == 1:
        rates = {"learning rate": next(iter(rates.values()))}
    losses = {
        name.removesuffix("_epoch"): points
        for name, points in by_epoch.items()
        if "loss" in name and not name.endswith("_step")
    }
    scores = {
        name: points
        for name, points in by_epoch.items()
        if name.startswith("val/") and "loss" not in name
    }
    return Curves(losses, scores, rates) if losses or scores or rates else None


def _points(rows: Sequence[Mapping[str, str]], name: str, place: str) -> Points:
    found = [(float(row[place]), float(row[name])) for row in rows if name in row and place in row]
    found = [(x, y) for x, y in found if math.isfinite(y)]
    offset = 1 if place == "epoch" else 0  # people count epochs from 1
    return [x + offset for x, _ in found], [y for _, y in found]


def learning_curves(curves: Curves) -> Chart:
    """Draw the curves of one run: losses, scores on val, learning rate."""
    parts = {
        "loss": (curves.losses, "epoch", "loss"),
        "scores on val": (curves.scores, "epoch", "score"),
        "learning rate": (curves.rates, "step", "learning rate"),
    }
    figures = {
        name: _drawn(
            {key: Line(points, index, 0, key) for index, (key, points) in enumerate(some.items())},
            x,
            y,
        )
        for name, (some, x, y) in parts.items()
        if some
    }
    best = ""
    if miou := curves.scores.get("val/miou"):
        # Of equal epochs the first, whose checkpoint is kept.
        epoch, top = max(zip(*miou, strict=True), key=lambda point: point[1])
        best = f" mIoU on val was best in epoch {epoch:.0f}: {top:.1%}."
    said = f"Learning curves: {', '.join(figures)}.{best}"
    grid = _grid("learning curves by epoch", "epoch", {**curves.losses, **curves.scores})
    rates = _grid("learning rate by step", "step", curves.rates)
    more = {"The learning rate, in numbers": rates} if curves.rates else {}
    return Chart("curves", said, figures, grid, more=more)


def overlaid_curves(runs: Mapping[str, Sequence[Curves]]) -> Chart | None:
    """Draw the curves of several runs over each other; None where none has any.

    Args:
        runs: by name, the curves of each seed; where there are none the place is kept, so that a
            name looks as it does in other plots.
    """
    chosen = {
        "mIoU on val": ("scores", "val/miou"),
        "loss on train": ("losses", "train/loss"),
        "loss on val": ("losses", "val/loss"),
    }
    figures: dict[str, go.Figure] = {}
    columns: dict[str, Points] = {}
    for title, (part, key) in chosen.items():
        series = {}
        for place, (name, seeds) in enumerate(runs.items()):
            for dash, curves in enumerate(seeds):
                if key in (held := getattr(curves, part)):
                    known = name if len(seeds) == 1 else f"{name}, seed {dash + 1}"
                    group = name if len(seeds) == 1 else f"{name} ({len(seeds)} seeds)"
                    series[known] = Line(held[key], place, dash, group)
        if series:
            figures[title] = _drawn(series, "epoch", title)
            columns |= {f"{name}: {title}": line.points for name, line in series.items()}
    if not figures:
        return None
    drawn = [name for name, seeds in runs.items() if seeds]
    said = f"Learning curves of {', '.join(drawn)} over each other: {', '.join(figures)}."
    return Chart("curves", said, figures, _grid("learning curves by epoch", "epoch", columns))


def _drawn(series: Mapping[str, Line], x: str, y: str) -> go.Figure:
    """Draw lines by their names; those of one group share a line of the legend."""
    groups: set[str] = set()
    drawn = figure(HEIGHT, xaxis={"title": {"text": x}}, yaxis={"title": {"text": y}})
    for name, (points, place, dash, group) in series.items():
        color, mark = style(place)
        drawn.add_scatter(
            x=points[0],
            y=points[1],
            name=plain(group),
            legendgroup=group,
            showlegend=group not in groups,
            customdata=[plain(name)] * len(points[0]),
            mode="lines+markers",
            line={"color": color, "dash": DASHES[dash % len(DASHES)], "width": 2},
            marker={"symbol": mark, "size": 7, "maxdisplayed": MOST_MARKS},
            hovertemplate=f"%{{customdata}}, {x} %{{x}}: %{{y:.4g}}<extra></extra>",
        )
        groups.add(group)
    drawn.update_layout(showlegend=True)
    return drawn


def _grid(name: str, place: str, series: Mapping[str, Points]) -> Grid:
    by_name = {name: dict(zip(*points, strict=True)) for name, points in series.items()}
    places = sorted({one for points in by_name.values() for one in points})
    rows = [
        [Cell(f"{one:.0f}", one), *(number(points.get(one)) for points in by_name.values())]
        for one in places
    ]
    return Grid(name, [place, *by_name], rows)

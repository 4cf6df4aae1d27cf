"""Learning curves of one run or of several, read from `metrics.csv`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import plotly.graph_objects as go

from segmentation.report.charts.chart import DASHES, Chart, figure, plain, style, wrapped
from segmentation.report.table import Cell, Grid, number
from segmentation.runs.curves import read_rows

Points = tuple[list[float], list[float]]
"""Positions on the x axis, and values."""
HEIGHT = 340
MOST_MARKS = 30
"""The most points of a curve that have a mark."""


class Line(NamedTuple):
    """A curve: its points, the index of its style and of its dash, and its name in the legend."""

    points: Points
    style: int
    dash: int
    group: str


@dataclass(frozen=True)
class Curves:
    """The curves that a run has logged, by name."""

    losses: dict[str, Points]
    scores: dict[str, Points]
    rates: dict[str, Points]


def read_curves(run: Path) -> Curves | None:
    """Read the curves of a run directory; None if it has none."""
    # Losses and scores by epoch
    rows = read_rows(run / "metrics.csv")
    names = sorted({key for row in rows for key in row})
    by_epoch = {
        name: _points(rows, name, "epoch") for name in names if name.startswith(("train/", "val/"))
    }
    by_epoch = {name: points for name, points in by_epoch.items() if points[0]}

    # Learning rates by step; parameter groups that share a schedule become one curve
    rates: dict[str, Points] = {}
    for name in (name for name in names if name.startswith("lr-")):
        points = _points(rows, name, "step")
        if points[0] and points not in rates.values():
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


def _points(rows: Sequence[Mapping[str, str]], name: str, axis: str) -> Points:
    points = [(float(row[axis]), float(row[name])) for row in rows if name in row and axis in row]
    points = [(x, y) for x, y in points if math.isfinite(y)]
    offset = 1 if axis == "epoch" else 0  # people count epochs from 1
    return [x + offset for x, _ in points], [y for _, y in points]


def learning_curves(curves: Curves) -> Chart:
    """Draw the losses, the scores on val and the learning rate of one run."""
    parts = {
        "loss": (curves.losses, "epoch", "loss"),
        "scores on val": (curves.scores, "epoch", "score"),
        "learning rate": (curves.rates, "step", "learning rate"),
    }
    figures = {
        name: _drawn(
            {key: Line(line, index, 0, key) for index, (key, line) in enumerate(lines.items())},
            x,
            y,
        )
        for name, (lines, x, y) in parts.items()
        if lines
    }

    # The best epoch; of equal ones the first, whose checkpoint is kept
    best = ""
    if miou := curves.scores.get("val/miou"):
        epoch, top = max(zip(*miou, strict=True), key=lambda point: point[1])
        best = f" mIoU on val was best in epoch {epoch:.0f}: {top:.1%}."
    summary = f"Learning curves: {', '.join(figures)}.{best}"
    grid = _grid("learning curves by epoch", "epoch", {**curves.losses, **curves.scores})
    rates = _grid("learning rate by step", "step", curves.rates)
    more = {"The learning rate, in numbers": rates} if curves.rates else {}
    return Chart("curves", summary, figures, grid, more=more)


def overlaid_curves(runs: Mapping[str, Sequence[Curves]]) -> Chart | None:
    """Draw the curves of several contenders over each other; None if none has any.

    Args:
        runs: by contender, the curves of each seed. One without curves still takes its style, so
            that the others look as they do in other plots.
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
                logged = getattr(curves, part)
                if key in logged:
                    full_name = name if len(seeds) == 1 else f"{name}, seed {dash + 1}"
                    group = name if len(seeds) == 1 else f"{name} ({len(seeds)} seeds)"
                    series[full_name] = Line(logged[key], place, dash, group)
        if series:
            figures[title] = _drawn(series, "epoch", title)
            columns |= {f"{name}: {title}": line.points for name, line in series.items()}
    if not figures:
        return None
    drawn = [name for name, seeds in runs.items() if seeds]
    summary = f"Learning curves of {', '.join(drawn)} over each other: {', '.join(figures)}."
    return Chart("curves", summary, figures, _grid("learning curves by epoch", "epoch", columns))


def _drawn(series: Mapping[str, Line], x: str, y: str) -> go.Figure:
    """Draw lines by name; those of one group share an entry of the legend."""
    groups: set[str] = set()
    drawn = figure(HEIGHT, xaxis={"title": {"text": x}}, yaxis={"title": {"text": y}})
    for name, (points, place, dash, group) in series.items():
        color, mark = style(place)
        drawn.add_scatter(
            x=points[0],
            y=points[1],
            name=wrapped(group),
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


def _grid(name: str, axis: str, series: Mapping[str, Points]) -> Grid:
    by_name = {name: dict(zip(*points, strict=True)) for name, points in series.items()}
    positions = sorted({x for points in by_name.values() for x in points})
    rows = [
        [Cell(f"{x:.0f}", x), *(number(points.get(x)) for points in by_name.values())]
        for x in positions
    ]
    return Grid(name, [axis, *by_name], rows)

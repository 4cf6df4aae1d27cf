"""Quality against cost, with the Pareto front."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from segmentation.evaluation.comparison.result import Comparison, Contender, EntryScores
from segmentation.report.charts.chart import (
    INK,
    PAPER,
    Chart,
    figure,
    percent_axis,
    style,
    whiskers,
    wrapped,
)
from segmentation.report.table import Grid

COSTS = (
    ("parameters", "parameters", "parameters"),
    ("flops", "FLOPs", "FLOPs of one image"),
    ("latency_ms", "latency", "latency in ms"),
    ("training_seconds", "training time", "training time in seconds"),
)
"""Field of `Cost`, where less is better -> its name, and the title of its axis."""


def front(costs: Sequence[float], scores: Sequence[float]) -> list[int]:
    """Find the Pareto front: no other has the same score for less, or a better one at this cost.

    Args:
        costs: less is better.
        scores: more is better.

    Returns:
        Positions by rising cost.
    """
    order = sorted(range(len(costs)), key=lambda index: (costs[index], -scores[index]))
    on_front: list[int] = []
    for index in order:
        if not on_front or scores[index] > scores[on_front[-1]]:
            on_front.append(index)
    return on_front


def cost_chart(comparison: Comparison, contenders: Sequence[Contender], grid: Grid) -> Chart | None:
    """Draw mIoU over each cost that is known for at least two contenders; None if there is none."""
    costs = {contender.name: contender.cost for contender in contenders}
    styles = {entry.name: style(index) for index, entry in enumerate(comparison.entries)}
    figures = {}
    fronts: dict[str, list[str]] = {}
    for field, title, axis in COSTS:
        known = [(entry, getattr(costs[entry.name], field)) for entry in comparison.entries]
        known = [(entry, float(cost)) for entry, cost in known if cost is not None]
        if len(known) < 2:
            continue
        on_front = front([cost for _, cost in known], [entry.miou.value for entry, _ in known])
        fronts[title] = [known[index][0].name for index in on_front]
        figures[title] = _pareto(known, on_front, axis, styles)
    if not figures:
        return None

    on_fronts = "; ".join(f"{title}: {', '.join(names)}" for title, names in fronts.items())
    return Chart(
        "cost", f"mIoU over cost. On the Pareto front for {on_fronts}.", figures, grid, "Cost"
    )


def _pareto(
    known: Sequence[tuple[EntryScores, float]],
    on_front: Sequence[int],
    title: str,
    styles: Mapping[str, tuple[str, str]],
) -> go.Figure:
    """Draw mIoU over one cost; marks on the front are filled.

    Args:
        known: entries with their cost.
        on_front: positions in `known` by rising cost.
        title: of the axis.
        styles: colour and mark by entry.
    """
    drawn = figure(
        420,
        xaxis={"title": {"text": title}, "rangemode": "tozero"},
        yaxis=percent_axis("mIoU"),
        showlegend=True,
    )
    drawn.add_scatter(
        x=[known[index][1] for index in on_front],
        y=[known[index][0].miou.value for index in on_front],
        mode="lines",
        name="Pareto front",
        hoverinfo="skip",
        line={"color": INK, "width": 2, "dash": "dash", "shape": "hv"},
    )
    for index, (entry, cost) in enumerate(known):
        best = index in on_front
        color, mark = styles[entry.name]
        drawn.add_scatter(
            x=[cost],
            y=[entry.miou.value],
            mode="markers",
            name=wrapped(entry.name),
            error_y=whiskers([entry.miou.value], [entry.miou.interval.plain()]) | {"color": color},
            marker={
                "size": 13 if best else 11,
                "symbol": mark,
                "color": color if best else PAPER,
                "line": {"color": color, "width": 2},
            },
            hovertemplate=f"%{{x:.4s}}: %{{y:.1%}}{', on the front' if best else ''}",
        )
    return drawn

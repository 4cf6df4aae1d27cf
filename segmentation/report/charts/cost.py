"""Quality against cost, and who is on the Pareto front."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from segmentation.evaluation.comparison.result import Comparison, Contender, Entry
from segmentation.report.charts.chart import (
    INK,
    PAPER,
    Chart,
    figure,
    percent_axis,
    plain,
    style,
    whiskers,
)
from segmentation.report.table import DASH, Grid, Row, number, points, time_taken

COSTS = (
    ("parameters", "parameters", "parameters"),
    ("flops", "FLOPs", "FLOPs of one image"),
    ("latency_ms", "latency", "latency in ms"),
    ("training_seconds", "training time", "training time in seconds"),
)
"""What quality is set against, less is better: fields of `Cost`, and what they are called."""


def front(costs: Sequence[float], scores: Sequence[float]) -> list[int]:
    """Return the positions on the Pareto front by rising cost.

    Nobody else is as good for less, or better at the same cost.

    Args:
        costs: less is better.
        scores: more is better.
    """
    order = sorted(range(len(costs)), key=lambda index: (costs[index], -scores[index]))
    found: list[int] = []
    for index in order:
        if not found or scores[index] > scores[found[-1]]:
            found.append(index)
    return found


def cost_chart(comparison: Comparison, contenders: Sequence[Contender]) -> Chart | None:
    """Draw mIoU over each cost that is known of two contenders or more; None without one."""
    costs = {one.name: one.cost for one in contenders}
    styles = {entry.name: style(index) for index, entry in enumerate(comparison.entries)}
    figures = {}
    fronts: dict[str, list[str]] = {}
    for field, title, axis in COSTS:
        held = [
            (entry, float(cost))
            for entry in comparison.entries
            if (cost := getattr(costs[entry.name], field)) is not None
        ]
        if len(held) < 2:
            continue
        on = front([cost for _, cost in held], [entry.miou.value for entry, _ in held])
        fronts[title] = [held[index][0].name for index in on]
        figures[title] = _pareto(held, on, axis, styles)
    if not figures:
        return None
    title, names = next(iter(fronts.items()))
    said = f"mIoU over cost. On the Pareto front for {title}: {', '.join(names)}."
    rows: list[Row] = []
    for entry in comparison.entries:
        cost = costs[entry.name]
        rows.append(
            [
                entry.name,
                points(entry.miou.value),
                number(cost.parameters, ",d"),
                number(None if cost.flops is None else cost.flops / 1e9, ",.2f"),
                number(cost.latency_ms),
                number(cost.images_per_second),
                time_taken(cost.training_seconds),
                ", ".join(title for title, names in fronts.items() if entry.name in names) or DASH,
            ]
        )
    heads = [
        "contender",
        "mIoU %",
        "parameters",
        "GFLOPs",
        "latency ms",
        "images/s",
        "training time",
        "on the front for",
    ]
    return Chart("cost", said, figures, Grid("quality and cost", heads, rows), "Cost")


def _pareto(
    held: Sequence[tuple[Entry, float]],
    on: Sequence[int],
    title: str,
    styles: Mapping[str, tuple[str, str]],
) -> go.Figure:
    drawn = figure(
        420,
        xaxis={"title": {"text": title}, "rangemode": "tozero"},
        yaxis=percent_axis("mIoU"),
        showlegend=True,
    )
    drawn.add_scatter(
        x=[held[index][1] for index in on],
        y=[held[index][0].miou.value for index in on],
        mode="lines",
        name="Pareto front",
        hoverinfo="skip",
        line={"color": INK, "width": 2, "dash": "dash", "shape": "hv"},
    )
    for index, (entry, cost) in enumerate(held):
        best = index in on
        color, mark = styles[entry.name]
        drawn.add_scatter(
            x=[cost],
            y=[entry.miou.value],
            mode="markers",
            name=plain(entry.name),
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

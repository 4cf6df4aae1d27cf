"""The reliability diagram of an evaluation."""

import numpy as np
import plotly.graph_objects as go

from segmentation.metrics.calibration import BINS, calibration
from segmentation.report.charts.chart import FAINT, SERIES, Chart, figure, percent_axis
from segmentation.report.evaluation import Evaluation
from segmentation.report.table import Cell, Grid, Row, number, points
from segmentation.runs.scored_images import ScoredImages


def reliability_chart(evaluation: Evaluation, scored: ScoredImages) -> Chart | None:
    """Draw accuracy over confidence, of all pixels and by predicted class; None without counts."""
    if scored.calibration is None:
        return None
    counts = scored.calibration.sum(axis=0)
    parts = {"all classes": counts} | {
        f"predicted as {name}": own[None]
        for name, own in zip(scored.classes, counts, strict=True)
        if own.any()
    }
    ece = (evaluation.metrics.get("calibration") or {}).get("ece")
    summary = "Reliability: the share of right pixels over the model's confidence in them"
    summary += "." if ece is None else f"; expected calibration error {100 * ece:.1f}%."
    heads = ["mean confidence %", "right %", "pixels"]
    by_class: list[Row] = [
        [name, *row]
        for name, own in zip(scored.classes, counts, strict=True)
        for row in _rows(own[None])
    ]
    grid = Grid("reliability of all classes", heads, _rows(counts))
    by_class_grid = Grid("reliability by predicted class", ["predicted as", *heads], by_class)
    figures = {name: _reliability(own) for name, own in parts.items()}
    more = {"The numbers of each class": by_class_grid}
    return Chart("reliability", summary, figures, grid, "Pixels", more)


def _rows(counts: np.ndarray) -> list[list[Cell]]:
    """List the bins that hold pixels.

    Args:
        counts: (C, BINS, 3) of one or more classes.
    """
    binned, pixels = calibration(counts), counts[..., 0].sum(axis=0)
    return [
        [
            points(binned.confidence[index]),
            points(binned.accuracy[index]),
            number(int(pixels[index]), ",d"),
        ]
        for index in np.flatnonzero(pixels)
    ]


def _reliability(counts: np.ndarray) -> go.Figure:
    """Draw one diagram: accuracy over confidence above, the share of pixels below."""
    binned = calibration(counts)
    held = np.flatnonzero(counts[..., 0].sum(axis=0))  # bins without pixels have no accuracy
    # both plots in one call: each later update of a layout makes Plotly check all of it again
    drawn = figure(
        440,
        showlegend=True,
        xaxis={"range": [0, 1.02], "tickformat": ".0%", "matches": "x2", "showticklabels": False},
        xaxis2=percent_axis("confidence", range=[0, 1.02], anchor="y2"),
        yaxis=percent_axis("right", range=[0, 1.02], domain=[0.31, 1]),
        yaxis2=percent_axis("pixels", domain=[0, 0.26], anchor="x2"),
    )
    drawn.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        name="perfect",
        hoverinfo="skip",
        line={"color": FAINT, "dash": "dash", "width": 1.5},
    )
    drawn.add_scatter(
        x=binned.confidence[held].tolist(),
        y=binned.accuracy[held].tolist(),
        mode="lines+markers",
        name="model",
        line={"color": SERIES[0], "width": 2},
        marker={"size": 8},
        hovertemplate="confidence %{x:.1%}: %{y:.1%} right<extra></extra>",
    )
    drawn.add_bar(
        x=((held + 0.5) / BINS).tolist(),
        y=binned.share[held].tolist(),
        width=0.96 / BINS,
        marker={"color": SERIES[1]},
        name="share of the pixels",
        hovertemplate="%{y:.1%} of the pixels<extra></extra>",
        xaxis="x2",
        yaxis="y2",
    )
    return drawn

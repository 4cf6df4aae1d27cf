"""The reliability diagram of a scoring."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from segmentation.evaluation.stored import ScoredImages
from segmentation.report.chart import FAINT, SERIES, Chart, figure, percent_axis
from segmentation.report.scores import Scoring
from segmentation.report.table import Cell, Grid, Row, number, points


def reliability(scoring: Scoring, scored: ScoredImages) -> Chart | None:
    """Draw accuracy over confidence, of all pixels or by predicted class; None without counts."""
    if scored.calibration is None or scored.confidence is None:
        return None
    counts = scored.calibration.sum(axis=0)
    sums = scored.confidence.sum(axis=0)
    ece = (scoring.metrics.get("calibration") or {}).get("ece")
    figures = {"all classes": _reliability(counts.sum(axis=0), sums.sum(axis=0))}
    for index, name in enumerate(scored.classes):
        if counts[index].any():
            figures[f"predicted as {name}"] = _reliability(counts[index], sums[index])
    said = "Reliability: the share of right pixels over the model's confidence in them"
    said += "." if ece is None else f"; expected calibration error {100 * ece:.1f}%."
    heads = ["mean confidence %", "right %", "pixels"]
    rows = _rows(counts.sum(axis=0), sums.sum(axis=0))
    by_class: list[Row] = [
        [name, *row]
        for name, own, held in zip(scored.classes, counts, sums, strict=True)
        for row in _rows(own, held)
    ]
    grid = Grid("reliability of all classes", heads, rows)
    more = Grid("reliability by predicted class", ["predicted as", *heads], by_class)
    return Chart("reliability", said, figures, grid, "Pixels", {"The numbers of each class": more})


def _rows(counts: np.ndarray, sums: np.ndarray) -> list[list[Cell]]:
    return [
        [points(mean), points(right), number(int(pixels), ",d")]
        for mean, right, pixels in zip(*_bins(counts, sums), strict=True)
    ]


def _bins(counts: np.ndarray, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean confidence, accuracy and pixels of the bins that hold pixels."""
    held = counts[:, 0] > 0
    pixels = counts[held, 0]
    return sums[held] / pixels, counts[held, 1] / pixels, pixels


def _reliability(counts: np.ndarray, sums: np.ndarray) -> go.Figure:
    x, y, pixels = (part.tolist() for part in _bins(counts, sums))
    bins = len(counts)
    drawn = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.72, 0.28], vertical_spacing=0.05
    )
    drawn.update_layout(figure(440, showlegend=True).layout)
    drawn.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        name="perfect",
        hoverinfo="skip",
        line={"color": FAINT, "dash": "dash", "width": 1.5},
    )
    drawn.add_scatter(
        x=x,
        y=y,
        mode="lines+markers",
        name="model",
        line={"color": SERIES[0], "width": 2},
        marker={"size": 8},
        hovertemplate="confidence %{x:.1%}: %{y:.1%} right<extra></extra>",
    )
    total = max(sum(pixels), 1)
    drawn.add_bar(
        x=[(index + 0.5) / bins for index in np.flatnonzero(counts[:, 0]).tolist()],
        y=[one / total for one in pixels],
        width=0.96 / bins,
        marker={"color": SERIES[1]},
        name="share of the pixels",
        hovertemplate="%{y:.1%} of the pixels<extra></extra>",
        row=2,
        col=1,
    )
    drawn.update_layout(
        xaxis={"range": [0, 1], "tickformat": ".0%"},
        xaxis2=percent_axis("confidence", range=[0, 1.02]),
        yaxis=percent_axis("right", range=[0, 1.02]),
        yaxis2=percent_axis("pixels"),
    )
    return drawn

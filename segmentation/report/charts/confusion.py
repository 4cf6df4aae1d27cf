"""The confusion matrix of an evaluation as a heatmap, and its most frequent confusions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from segmentation.metrics.scores import ratio
from segmentation.report.charts.chart import Chart, figure, name_axis, plain
from segmentation.report.table import Grid, number, points
from segmentation.runs.scored_images import ScoredImages

SHOWN_CELLS = 14
"""Up to this many classes, the cells of the heatmap show their numbers."""
TALLEST = 1100  # pixels
TICKS = 30
"""The most names on an axis, if there are more classes than `SHOWN_CELLS`."""
CONFUSIONS = 12
"""The number of most frequent confusions that are listed."""
COLOR_BAR = {"orientation": "h", "thickness": 12, "outlinewidth": 0, "len": 0.9}
COLOR_BAR |= {"x": 0, "xanchor": "left", "y": 1.01, "yanchor": "bottom"}
"""The colour bar; above the plot, because a phone has no room beside it."""


def confusion_chart(scored: ScoredImages) -> Chart:
    """Draw the confusion matrix as shares of the truth, of the prediction, and in pixels."""
    # Shares by row and by column; pixels on a logarithmic scale
    total = scored.confusion.sum(axis=0)
    by_truth = ratio(total, total.sum(axis=1, keepdims=True))
    by_prediction = ratio(total, total.sum(axis=0, keepdims=True))
    counts = np.log10(np.where(total > 0, total, np.nan))
    top = max(1, int(np.ceil(np.nanmax(counts)))) if (total > 0).any() else 1
    shares: dict[str, Any] = {"zmin": 0, "zmax": 1, "colorbar": {"tickformat": ".0%"}}
    powers = {
        "zmin": 0,
        "zmax": top,
        "colorbar": {
            "tickvals": list(range(top + 1)),
            "ticktext": [_short(10**power) for power in range(top + 1)],
        },
    }
    if len(scored.classes) <= SHOWN_CELLS:
        shares["texttemplate"] = "%{text}"

    figures = {
        "by row (share of the truth)": _heatmap(scored, by_truth, total, by_truth, shares),
        "by column (share of the prediction)": _heatmap(
            scored, by_prediction, total, by_prediction, shares
        ),
        "pixels": _heatmap(scored, counts, total, by_truth, powers),
    }

    # In words and in numbers
    pairs = _confusions(scored.classes, total, by_truth, by_prediction)
    summary = "Confusion matrix, rows are the truth and columns the prediction."
    if pairs.rows:
        first = pairs.cells[0]
        summary += (
            f" Most pixels lost: {first[0].text} taken for {first[1].text} "
            f"({first[2].text}% of the truth)."
        )
    matrix = Grid(
        "confusion matrix in pixels",
        ["truth", *scored.classes],
        [
            [name, *(number(count, ",d") for count in row)]
            for name, row in zip(scored.classes, total.tolist(), strict=True)
        ],
    )
    return Chart("confusion", summary, figures, pairs, more={"The whole matrix, in pixels": matrix})


def _short(count: int) -> str:
    """Format a power of ten for an axis: 100, 10k, 1M."""
    for unit, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= unit:
            return f"{count // unit}{letter}"
    return str(count)


def _heatmap(
    scored: ScoredImages, z: np.ndarray, total: np.ndarray, share: np.ndarray, options: dict
) -> go.Figure:
    """Draw one value for each pair of classes.

    Args:
        scored: names the C classes.
        z: (C, C) values that the colours show; NaN is empty.
        total, share: (C, C) pixels and fractions, shown when pointed at.
        options: of the trace: range, colour bar, text.
    """
    # The text of each cell when pointed at: truth, prediction, pixels, per cent
    names = [plain(name) for name in scored.classes]
    cells = np.dstack(
        np.broadcast_arrays(
            np.array(names)[:, None],
            np.array(names)[None],
            np.char.mod("%d", total),
            np.char.mod("%.1f", 100 * np.nan_to_num(share)),
        )
    )

    # Of many classes not each has its name on the axes
    axis = name_axis(scored.classes)
    few = len(names) <= SHOWN_CELLS
    if not few:
        step = -(-len(names) // TICKS)
        axis |= {key: axis[key][::step] for key in ("tickvals", "ticktext")}
        axis["tickfont"] = {"size": 10}
    drawn = figure(
        130 + 38 * len(names) if few else min(TALLEST, 410 + 18 * len(names)),
        yaxis={**axis, "title": {"text": "truth"}},
        xaxis={
            **axis,
            "range": [-0.5, len(names) - 0.5],
            "title": {"text": "prediction"},
            "tickangle": -60 if few else -90,
        },
    )
    drawn.add_heatmap(
        z=z.tolist(),
        colorscale="Cividis",
        customdata=cells.tolist(),
        text=np.where(np.isfinite(share), np.char.mod("%.0f", 100 * share), "").tolist(),
        hovertemplate="%{customdata[0]} taken for %{customdata[1]}: %{customdata[2]} pixels, "
        "%{customdata[3]}%<extra></extra>",
        xgap=int(few),
        ygap=int(few),
        textfont={"size": 11},
        **options,
    )
    drawn.update_traces(colorbar=COLOR_BAR)
    return drawn


def _confusions(
    names: Sequence[str], total: np.ndarray, by_truth: np.ndarray, by_prediction: np.ndarray
) -> Grid:
    """List the pairs of classes with the most wrong pixels."""
    wrong = total - np.diag(np.diagonal(total))
    order = np.argsort(wrong, axis=None, kind="stable")[::-1][:CONFUSIONS]
    rows = [
        [
            names[truth],
            names[guess],
            points(by_truth[truth, guess]),
            points(by_prediction[truth, guess]),
            number(int(wrong[truth, guess]), ",d"),
        ]
        for truth, guess in zip(*np.unravel_index(order, wrong.shape), strict=True)
        if wrong[truth, guess]
    ]
    heads = ["truth", "taken for", "% of the truth", "% of the prediction", "pixels"]
    return Grid("the most frequent confusions", heads, rows)

"""The scores of slices: images that have something in common."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import plotly.graph_objects as go

from segmentation.report.chart import (
    INK,
    SERIES,
    Chart,
    figure,
    name_axis,
    percent_axis,
    plain,
    whiskers,
)
from segmentation.report.table import Grid, Row, interval, number, points


def read_slices(scoring: Path) -> list[dict[str, str]]:
    """Return the rows of `slices.csv`; none where there is no such file."""
    path = scoring / "slices.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def slices_chart(rows: Sequence[Mapping[str, str]]) -> Chart:
    """Draw the mIoU of each slice, and its difference, with intervals."""
    names = [f"{row['slice']}: {row['value']}" for row in rows]
    figures = {
        "mIoU": _dots(names, rows, ("miou", "low", "high"), "mIoU"),
        "difference": _dots(
            names, rows, ("difference", "difference_low", "difference_high"), "difference of mIoU"
        ),
    }
    worst = [(_float(row["difference"]), name) for row, name in zip(rows, names, strict=True)]
    known = sorted((value, name) for value, name in worst if value is not None)
    said = f"mIoU of {len(rows)} slices with 95% intervals."
    if known:
        said += f" Largest loss: {known[0][1]} ({100 * known[0][0]:+.1f} points)."
    table: list[Row] = [
        [
            row["slice"],
            row["value"],
            number(_float(row["images"]), ",.0f"),
            points(_float(row["miou"])),
            interval(_ends(row, "low", "high")),
            points(_float(row["difference"])),
            interval(_ends(row, "difference_low", "difference_high")),
        ]
        for row in rows
    ]
    heads = ["slice", "value", "images", "mIoU %", "95% interval", "difference", "its interval"]
    return Chart("slices", said, figures, Grid("scores by slice", heads, table))


def _dots(
    names: Sequence[str], rows: Sequence[Mapping[str, str]], keys: tuple[str, str, str], title: str
) -> go.Figure:
    held = [
        (index, value)
        for index, row in enumerate(rows)
        if (value := _float(row[keys[0]])) is not None
    ]
    values = [value for _, value in held]
    ends = [_ends(rows[index], *keys[1:]) for index, _ in held]
    drawn = figure(
        70 + 26 * len(names),
        yaxis=name_axis(names),
        xaxis=percent_axis(title, zeroline=True),
        showlegend=False,
    )
    drawn.add_scatter(
        x=values,
        y=[index for index, _ in held],
        mode="markers",
        error_x=whiskers(values, ends),
        marker={"size": 9, "color": SERIES[0], "line": {"color": INK, "width": 1}},
        customdata=[plain(names[index]) for index, _ in held],
        hovertemplate="%{customdata}: %{x:.1%}<extra></extra>",
    )
    return drawn


def _float(text: str) -> float | None:
    return float(text) if text and math.isfinite(float(text)) else None


def _ends(row: Mapping[str, str], low: str, high: str) -> list[float] | None:
    first, last = _float(row[low]), _float(row[high])
    return None if first is None or last is None else [first, last]

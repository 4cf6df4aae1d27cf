"""The scores of slices: images that have something in common."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import plotly.graph_objects as go

from segmentation.errors import DataError
from segmentation.evaluation.slices.scores import COLUMNS, SLICES_FILE
from segmentation.report.charts.chart import (
    INK,
    SERIES,
    Chart,
    figure,
    label,
    name_axis,
    percent_axis,
    plain,
    whiskers,
)
from segmentation.report.table import Grid, Row, interval, number, points

NUMBERS = COLUMNS[2:]
CLASS_ALONE = "size"
"""The slices that score a single class, whose name begins their value."""

Slices = Sequence[Mapping[str, str]]


def read_slices(evaluation: Path) -> Slices:
    """Return the rows of `slices.csv`; none where there is no such file.

    Raises:
        DataError: the file is damaged.
    """
    path = evaluation / SLICES_FILE
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            table = csv.DictReader(file, strict=True)
            rows = list(table)
            missing = set(COLUMNS) - {*(table.fieldnames or [])}
        for row in rows:
            if None in row or None in row.values():
                raise ValueError("a row is longer or shorter than its head")
            for key in NUMBERS:
                _float(row.get(key, ""))
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{path} is damaged: {error}") from error
    if missing:
        raise DataError(f"{path} is damaged: it has no {', '.join(sorted(missing))}")
    return rows


def slices_chart(rows: Slices) -> Chart:
    """Draw the scores of the slices of each kind, and their differences, with intervals."""
    figures = {}
    for kind in dict.fromkeys(row["slice"] for row in rows):
        some = [row for row in rows if row["slice"] == kind]
        score = "IoU of the class" if kind == CLASS_ALONE else "mIoU"
        figures[kind] = _dots(some, ("miou", "low", "high"), score)
        figures[f"{kind}: difference"] = _dots(
            some, ("difference", "difference_low", "difference_high"), f"difference of {score}"
        )
    known = [
        (found, f"{row['slice']}: {row['value']}")
        for row in rows
        if (found := _float(row["difference"])) is not None
    ]
    alone = any(row["slice"] == CLASS_ALONE for row in rows)
    score = "mIoU, for size the IoU of a class" if alone else "mIoU"
    said = f"Scores of {len(rows)} slices with 95% intervals: {score}."
    if known and min(known)[0] < 0:
        loss, name = min(known)
        said += f" Largest loss: {name} ({100 * loss:+.1f} points)."
    table: list[Row] = [
        [
            row["slice"],
            row["value"],
            number(_float(row["images"]), ",.0f"),
            points(_float(row["miou"])),
            interval(_ends(row, "low", "high")),
            points(_float(row["difference"])),
            interval(_ends(row, "difference_low", "difference_high")),
            number(_float(row["p_holm"]), ".2g"),
        ]
        for row in rows
    ]
    heads = [
        "slice", "value", "images", "mIoU or IoU %" if alone else "mIoU %", "95% interval",
        "difference", "its interval", "p corrected",
    ]  # fmt: skip
    return Chart("slices", said, figures, Grid("scores by slice", heads, table), "Slices by")


def slice_axis(values: Sequence[str]) -> dict[str, object]:
    """Return the axis of some slices; what follows the first comma has a line of its own."""
    axis = name_axis(values)
    lines = ["<br>".join(map(label, value.split(", ", 1))) for value in values]
    # Where the cut makes two lines alike, the axis of names knows how to tell them apart.
    return axis | {"ticktext": lines} if len(set(lines)) == len(lines) else axis


def _dots(rows: Slices, keys: tuple[str, str, str], title: str) -> go.Figure:
    held = [
        (index, value)
        for index, row in enumerate(rows)
        if (value := _float(row[keys[0]])) is not None
    ]
    values = [value for _, value in held]
    ends = [_ends(rows[index], *keys[1:]) for index, _ in held]
    names = [row["value"] for row in rows]
    drawn = figure(
        90 + 36 * len(names),
        yaxis=slice_axis(names),
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

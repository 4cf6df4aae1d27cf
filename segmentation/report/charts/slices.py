"""The scores of slices, which are images that have something in common."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import plotly.graph_objects as go

from segmentation.errors import DataError
from segmentation.evaluation.slices.scores import COLUMNS, SLICES_FILE
from segmentation.report.charts.chart import (
    DOT,
    Chart,
    add_dots,
    figure,
    label,
    name_axis,
    percent_axis,
)
from segmentation.report.table import Grid, Row, interval, number, points

NUMBERS = COLUMNS[2:]
CLASS_ALONE = "size"
"""The kind of slices that score a single class; their values begin with its name."""

Slices = Sequence[Mapping[str, str]]


def read_slices(evaluation: Path) -> Slices:
    """Read the rows of `slices.csv`; none if there is no such file.

    Args:
        evaluation: the directory.

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
                raise ValueError("a row is longer or shorter than the header")
            for key in NUMBERS:
                _float(row.get(key, ""))
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{path} is damaged: {error}") from error
    if missing:
        raise DataError(f"{path} is damaged: it has no {', '.join(sorted(missing))}")
    return rows


def slices_chart(rows: Slices) -> Chart:
    """Draw scores and differences of each kind of slices, with intervals."""
    figures = {}
    for kind in dict.fromkeys(row["slice"] for row in rows):
        own = [row for row in rows if row["slice"] == kind]
        score = "IoU of the class" if kind == CLASS_ALONE else "mIoU"
        figures[kind] = _dots(own, ("miou", "low", "high"), score)
        figures[f"{kind}: difference"] = _dots(
            own, ("difference", "difference_low", "difference_high"), f"difference of {score}"
        )

    # In words: what the scores are, and the largest loss
    alone = any(row["slice"] == CLASS_ALONE for row in rows)
    score = "mIoU, for size the IoU of a class" if alone else "mIoU"
    summary = f"Scores of {len(rows)} slices with 95% intervals: {score}."
    differences = [(_float(row["difference"]), f"{row['slice']}: {row['value']}") for row in rows]
    losses = [(value, name) for value, name in differences if value is not None and value < 0]
    if losses:
        loss, name = min(losses)
        summary += f" Largest loss: {name} ({100 * loss:+.1f} points)."

    # In numbers
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
    return Chart("slices", summary, figures, Grid("scores by slice", heads, table), "Slices by")


def slice_axis(values: Sequence[str]) -> dict[str, object]:
    """Make the axis of slices; the part after the first comma has a line of its own."""
    axis = name_axis(values)
    lines = ["<br>".join(map(label, value.split(", ", 1))) for value in values]
    # Where the cut makes two lines alike, the labels of `name_axis` tell them apart
    return axis | {"ticktext": lines} if len(set(lines)) == len(lines) else axis


def _dots(rows: Slices, keys: tuple[str, str, str], title: str) -> go.Figure:
    names = [row["value"] for row in rows]
    scores = [_float(row[keys[0]]) for row in rows]
    places = [place for place, score in enumerate(scores) if score is not None]
    drawn = figure(
        90 + 36 * len(names),
        yaxis=slice_axis(names),
        xaxis=percent_axis(title, zeroline=True),
        showlegend=False,
    )
    add_dots(
        drawn,
        [names[place] for place in places],
        [score for score in scores if score is not None],
        [_ends(rows[place], *keys[1:]) for place in places],
        places,
        marker=DOT | {"size": 9},
    )
    return drawn


def _float(text: str) -> float | None:
    return float(text) if text and math.isfinite(float(text)) else None


def _ends(row: Mapping[str, str], low: str, high: str) -> list[float] | None:
    first, last = _float(row[low]), _float(row[high])
    return None if first is None or last is None else [first, last]

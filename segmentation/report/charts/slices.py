"""The scores of slices, which are images that have something in common."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go

from segmentation.errors import DataError
from segmentation.evaluation.slices.scores import COLUMNS
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
from segmentation.runs.directory import SLICES_FILE
from segmentation.system.escaping import csv_text
from segmentation.system.files import MAX_JSON_BYTES, read_bounded

TEXTS, FRACTIONS = COLUMNS[:2], COLUMNS[3:]
CLASS_ALONE = "size"
"""The kind of slices that score a single class; their values begin with its name."""


def read_slices(evaluation: Path) -> pd.DataFrame:
    """Read `slices.csv` of an evaluation directory; no rows if there is no such file.

    Raises:
        DataError: the file is damaged.
    """
    path = evaluation / SLICES_FILE
    if not path.is_file():
        return pd.DataFrame(columns=list(COLUMNS))
    kinds = {"images": int} | dict.fromkeys(FRACTIONS, float)
    try:
        return pd.read_csv(
            BytesIO(read_bounded(path, MAX_JSON_BYTES)),
            usecols=list(COLUMNS),
            index_col=False,
            dtype=kinds,
            converters=dict.fromkeys(TEXTS, csv_text),
            keep_default_na=False,  # a slice may be called "None"
            na_values=dict.fromkeys(FRACTIONS, ""),
        )
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is damaged: {error}") from error


def slices_chart(slices: pd.DataFrame) -> Chart:
    """Draw scores and differences of each kind of slices, with intervals."""
    figures = {}
    for kind, rows in slices.groupby("slice", sort=False):
        score = "IoU of the class" if kind == CLASS_ALONE else "mIoU"
        figures[str(kind)] = _dots(rows, ["miou", "low", "high"], score)
        figures[f"{kind}: difference"] = _dots(
            rows, ["difference", "difference_low", "difference_high"], f"difference of {score}"
        )

    # In words: what the scores are, and the largest loss
    alone = (slices["slice"] == CLASS_ALONE).any()
    score = "mIoU, for size the IoU of a class" if alone else "mIoU"
    summary = f"Scores of {len(slices)} slices with 95% intervals: {score}."
    if slices["difference"].min() < 0:
        worst = slices.loc[slices["difference"].idxmin()]
        loss = f"{worst['slice']}: {worst['value']} ({100 * worst['difference']:+z.1f} points)"
        summary += f" Largest loss: {loss}."

    # In numbers
    table: list[Row] = [
        [
            row.slice,
            row.value,
            number(row.images, ",d"),
            points(row.miou),
            interval((row.low, row.high)),
            points(row.difference),
            interval((row.difference_low, row.difference_high)),
            number(row.p_holm, ".2g"),
        ]
        for row in slices.itertuples()
    ]
    score = "mIoU or IoU %" if alone else "mIoU %"
    heads = ["slice", "value", "images", score, "95% interval"]
    heads += ["difference", "its interval", "p corrected"]
    return Chart("slices", summary, figures, Grid("scores by slice", heads, table), "Slices by")


def slice_axis(values: Sequence[str]) -> dict[str, object]:
    """Make the axis of slices; the part after the first comma has a line of its own."""
    axis = name_axis(values)
    lines = ["<br>".join(map(label, value.split(", ", 1))) for value in values]
    # Where the cut makes two lines alike, the labels of `name_axis` tell them apart
    return axis | {"ticktext": lines} if len(set(lines)) == len(lines) else axis


def _dots(rows: pd.DataFrame, columns: list[str], title: str) -> go.Figure:
    """Draw dots with their intervals.

    Args:
        rows: of slices.
        columns: of the scores and the two ends of their intervals.
        title: of the axis.
    """
    drawn = figure(
        90 + 36 * len(rows),
        yaxis=slice_axis(rows["value"].tolist()),
        xaxis=percent_axis(title, zeroline=True),
        showlegend=False,
    )
    placed = rows.assign(place=range(len(rows))).dropna(subset=columns[0])
    scores, *ends = (placed[column].tolist() for column in columns)
    add_dots(
        drawn,
        placed["value"].tolist(),
        scores,
        list(zip(*ends, strict=True)),
        placed["place"].tolist(),
        marker=DOT | {"size": 9},
    )
    return drawn

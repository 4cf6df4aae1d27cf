"""The scores of slices and of corrupted images on the terminal, the worst of each kind first."""

from collections.abc import Sequence
from math import isnan
from typing import TYPE_CHECKING

from segmentation.console import console, percent
from segmentation.evaluation.slices.robustness import MEAN, NAME
from segmentation.evaluation.slices.scores import distinguishable
from segmentation.report.terminal.table import text_table

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 8
"""Rows of each kind of slices; the file lists the rest."""
WIDE_FOR_VERDICTS = 78
"""Characters of a terminal from which on verdicts are shown."""
NOT, UNKNOWN = "not distinguishable", "too few to tell"


def show_slices(slices: "pd.DataFrame", notes: Sequence[str], file: str) -> None:
    """Print a table for each kind of slices, and the notes below them.

    Args:
        slices: with `COLUMNS` of `evaluation.slices.scores`.
        notes: about the scores.
        file: the name of the file with all rows.
    """
    for kind, rows in slices.groupby("slice", sort=False):
        if kind == NAME:
            _show_corruptions(rows)
            continue
        _show_kind(str(kind), worst_first(rows))
        if len(rows) > SHOWN:
            console.print(f"and {len(rows) - SHOWN} more in {file}", style="dim")
    console.print(
        f"Differences are to the other images, in points, with 95% intervals (all are in {file}). "
        f"A difference that is {NOT} may be chance, given how many were tested (Holm).",
        style="dim",
    )
    for note in notes:
        console.print(note, style="dim")


def worst_first(rows: "pd.DataFrame") -> "pd.DataFrame":
    """Sort slices: worse beyond chance, then undecided, then better; each by difference."""
    sure = distinguishable(rows)
    worse, better = sure & (rows["difference"] < 0), sure & (rows["difference"] > 0)
    order = rows.assign(_rank=better.astype(int) - worse.astype(int))
    return rows.loc[order.sort_values(["_rank", "difference"], kind="stable").index]


def verdict(difference: float, low: float, sure: bool) -> str:
    """Describe the difference of a slice in words.

    Args:
        difference, low: to the other images, and the low end of its interval; NaN if unknown.
        sure: whether it is beyond chance.
    """
    if isnan(low):
        return UNKNOWN
    if not sure:
        return NOT
    return "worse" if difference < 0 else "better"


def _show_kind(kind: str, rows: "pd.DataFrame") -> None:
    shown = rows.head(SHOWN)
    differences = shown[["difference", "difference_low", "difference_high"]].to_numpy()
    columns = {
        "slice": shown["value"].astype(str).tolist(),
        "images": shown["images"].astype(str).tolist(),
        "IoU" if kind == "size" else "mIoU": shown["miou"].map(percent).tolist(),
        "difference": [_points(*difference) for difference in differences],
    }
    if console.width >= WIDE_FOR_VERDICTS:
        columns[""] = [
            verdict(difference, low, bool(sure))
            for (difference, low, _), sure in zip(differences, distinguishable(shown), strict=True)
        ]
    console.print(text_table(kind, columns))


def _show_corruptions(rows: "pd.DataFrame") -> None:
    """Print a row for each corruption, with a column for each severity."""
    # The value of a row is the corruption and its severity
    every = rows[rows["value"] != MEAN]
    named = every["value"].str.rsplit(" ", n=1, expand=True)
    every = every.assign(name=named[0], severity=named[1], sure=distinguishable(every))
    means = every.groupby("name", sort=False)["miou"].mean().sort_values(kind="stable")

    # mIoU and difference at each severity, ~ where it may be chance
    every["text"] = [
        f"{percent(row.miou)} {100 * row.difference:+z5.1f}{' ' if row.sure else '~'}"
        for row in every.itertuples()
    ]
    columns = {"corruption": means.index.astype(str).tolist()}
    for severity, own in every.groupby("severity", sort=False):
        columns[f"severity {severity}"] = own.set_index("name")["text"][means.index].tolist()
    columns["mean"] = means.map(percent).tolist()
    console.print(text_table(f"{NAME}: mIoU, and points against the clean images", columns))
    if not every["sure"].all():
        console.print(f"~ {NOT} from the clean images", style="dim")


def _points(value: float, low: float, high: float) -> str:
    if isnan(value):
        return "–"
    ends = "" if isnan(low) else f" [{100 * low:+z.1f}, {100 * high:+z.1f}]"
    return f"{100 * value:+z.1f}{ends}"

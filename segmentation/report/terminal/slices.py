"""The scores of slices and of corrupted images on the terminal, the worst of each kind first."""

from collections.abc import Sequence
from math import isnan
from typing import TYPE_CHECKING

from segmentation.console import console, percent
from segmentation.evaluation.slices.robustness import MEAN, NAME
from segmentation.evaluation.slices.scores import distinguishable
from segmentation.report.terminal.scores import bar
from segmentation.report.terminal.table import text_table

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 8
"""Rows of each kind of slices; the file lists the rest."""
BAR = 10
WIDE_FOR_BARS, WIDE_FOR_VERDICTS = 100, 78
"""Characters of a terminal from which on bars and verdicts are shown."""
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
    heads = ["slice", "images", "IoU" if kind == "size" else "mIoU", "", "difference", ""]
    shown, cells = rows.head(SHOWN), []
    for row, sure in zip(shown.itertuples(index=False), distinguishable(shown), strict=True):
        score = None if isnan(row.miou) else row.miou
        ends = None if isnan(row.low) else (row.low, row.high)
        difference = _points(row.difference, row.difference_low, row.difference_high)
        words = verdict(row.difference, row.difference_low, bool(sure))
        cells.append(
            [str(row.value), str(row.images), percent(row.miou), bar(score, ends, BAR),
             difference, words]
        )  # fmt: skip
    fits = [True] * 3 + [_bars_fit(), True, console.width >= WIDE_FOR_VERDICTS]
    columns = [column for column, wide_enough in enumerate(fits) if wide_enough]
    rows_shown = [[row[column] for column in columns] for row in cells]
    console.print(text_table(kind, [heads[column] for column in columns], rows_shown))


def _show_corruptions(rows: "pd.DataFrame") -> None:
    """Print a row for each corruption, with a column for each severity."""
    # The value of a row is the corruption and its severity
    every = rows[rows["value"] != MEAN]
    named = every["value"].str.rsplit(" ", n=1, expand=True)
    every = every.assign(name=named[0], severity=named[1], sure=distinguishable(every))
    severities = list(every["severity"].unique())
    means = every.groupby("name", sort=False)["miou"].mean().sort_values(kind="stable")

    # mIoU and difference at each severity, ~ where it may be chance
    cells = []
    for name, mean in means.items():
        own = every[every["name"] == name].set_index("severity")
        scores = [
            f"{percent(own.at[severity, 'miou'])} {100 * own.at[severity, 'difference']:+5.1f}"
            f"{' ' if own.at[severity, 'sure'] else '~'}"
            for severity in severities
        ]
        bars = [bar(mean, None, BAR)] if _bars_fit() else []
        cells.append([str(name), *scores, percent(mean), *bars])
    heads = ["corruption", *(f"severity {severity}" for severity in severities), "mean"]
    heads += [""] * _bars_fit()
    console.print(text_table(f"{NAME}: mIoU, and points against the clean images", heads, cells))
    if not every["sure"].all():
        console.print(f"~ {NOT} from the clean images", style="dim")


def _bars_fit() -> bool:
    return console.width >= WIDE_FOR_BARS


def _points(value: float, low: float, high: float) -> str:
    if isnan(value):
        return "–"
    ends = "" if isnan(low) else f" [{100 * low:+.1f}, {100 * high:+.1f}]"
    return f"{100 * value:+.1f}{ends}"

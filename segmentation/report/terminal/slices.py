"""The scores of slices and of corrupted images on the terminal, the worst of each kind first."""

from collections.abc import Sequence
from math import isnan

import pandas as pd
from rich import box
from rich.markup import escape
from rich.table import Table

from segmentation.console import console, percent
from segmentation.evaluation.slices.robustness import MEAN, NAME
from segmentation.evaluation.slices.scores import distinguishable
from segmentation.report.terminal.scores import bar

SHOWN = 8
"""Rows of a kind of slices; the file has the rest."""
BAR, ROOM, WORDS = 10, 100, 78
"""Characters of a bar, of a terminal that has room for bars, and of one that has for verdicts."""
NAMES = 14
"""Characters that a slice's name has at least, however narrow the terminal is."""
NOT, UNKNOWN = "not distinguishable", "too few to tell"


def show_slices(slices: pd.DataFrame, notes: Sequence[str], file: str) -> None:
    """Print a table for each kind of slices, and the notes below them all.

    Args:
        slices: see `slice_rows.COLUMNS`.
        notes: what a reader must know.
        file: which has all rows.
    """
    for kind, rows in slices.groupby("slice", sort=False):
        if kind == NAME:
            _show_corruptions(rows)
            continue
        _show_kind(str(kind), worst_first(rows))
        if len(rows) > SHOWN:
            console.print(f"and {len(rows) - SHOWN} more in {file}", style="dim", highlight=False)
    console.print(
        f"Differences are to the other images, in points, with 95% intervals (all are in {file}). "
        f"What is {NOT} may be chance, given how much was looked at (Holm).",
        style="dim", highlight=False,
    )  # fmt: skip
    for note in notes:
        console.print(note, style="dim", highlight=False, markup=False)


def worst_first(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows by what can be said of them, then by their difference, the lowest on top.

    First stand those that are worse beyond chance, then those of which nothing can be said, then
    the better ones.
    """
    sure = distinguishable(rows)
    worse, better = sure & (rows["difference"] < 0), sure & (rows["difference"] > 0)
    order = rows.assign(_rank=better.astype(int) - worse.astype(int))
    return rows.loc[order.sort_values(["_rank", "difference"], kind="stable").index]


def verdict(difference: float, low: float, sure: bool) -> str:
    """Return what can be said of a slice in words.

    Args:
        difference, low: to the others, and the low end of its interval; NaN where there is none.
        sure: it is beyond chance.
    """
    if isnan(low):
        return UNKNOWN
    if not sure:
        return NOT
    return "worse" if difference < 0 else "better"


def _show_kind(kind: str, rows: pd.DataFrame) -> None:
    table = _table(escape(kind))
    table.add_column("slice", overflow="fold", min_width=NAMES)
    table.add_column("images", justify="right", no_wrap=True)
    table.add_column("IoU" if kind == "size" else "mIoU", justify="right", no_wrap=True)
    if console.width >= ROOM:
        table.add_column("", no_wrap=True, min_width=BAR)
    table.add_column("difference", justify="right", no_wrap=True)
    if console.width >= WORDS:
        table.add_column("", no_wrap=True)
    shown = rows.head(SHOWN)
    for row, sure in zip(shown.itertuples(index=False), distinguishable(shown), strict=True):
        ends = None if isnan(row.low) else (row.low, row.high)
        said = verdict(row.difference, row.difference_low, bool(sure))
        bars = [bar(None if isnan(row.miou) else row.miou, ends, BAR)]
        table.add_row(
            escape(str(row.value)), str(row.images), percent(row.miou),
            *(bars if console.width >= ROOM else []),
            escape(_points(row.difference, row.difference_low, row.difference_high)),
            *([said] if console.width >= WORDS else []),
        )  # fmt: skip
    console.print(table)


def _show_corruptions(rows: pd.DataFrame) -> None:
    """Print a row for each corruption, and a column for each severity."""
    every = rows[rows["value"] != MEAN]
    named = every["value"].str.rsplit(" ", n=1, expand=True)
    every = every.assign(name=named[0], severity=named[1], sure=distinguishable(every))
    table = _table(f"{NAME}: mIoU, and points against the clean images")
    table.add_column("corruption", no_wrap=True)
    severities = list(every["severity"].unique())
    for severity in severities:
        table.add_column(f"severity {severity}", justify="right", no_wrap=True)
    table.add_column("mean", justify="right", no_wrap=True)
    if console.width >= ROOM:
        table.add_column("", no_wrap=True, min_width=BAR)
    means = every.groupby("name", sort=False)["miou"].mean().sort_values(kind="stable")
    for name, mean in means.items():
        own = every[every["name"] == name].set_index("severity")
        cells = [
            f"{percent(own.at[one, 'miou'])} {100 * own.at[one, 'difference']:+5.1f}"
            f"{' ' if own.at[one, 'sure'] else '~'}"
            for one in severities
        ]
        bars = [bar(mean, None, BAR)] if console.width >= ROOM else []
        table.add_row(escape(str(name)), *cells, percent(mean), *bars)
    console.print(table)
    if not every["sure"].all():
        console.print(f"~ {NOT} from the clean images", style="dim", highlight=False)


def _table(title: str) -> Table:
    return Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0)
    )


def _points(value: float, low: float, high: float) -> str:
    if isnan(value):
        return "–"
    ends = "" if isnan(low) else f" [{100 * low:+.1f}, {100 * high:+.1f}]"
    return f"{100 * value:+.1f}{ends}"

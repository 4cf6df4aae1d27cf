"""A comparison in a terminal: quality, cost, classes, and what can be said in words."""

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from segmentation.console import console, show_warnings
from segmentation.evaluation.comparison.result import Comparison
from segmentation.evaluation.comparison.tables import (
    COST,
    QUALITY,
    Compared,
    in_words,
    shown,
    shown_classes,
)

MOST_COLUMNS = 6
"""With more contenders the table of classes would not fit a terminal: its file has all."""


def show_comparison(compared: Compared) -> None:
    """Print a comparison."""
    comparison, classes, texts = compared.comparison, compared.classes, shown(compared.table)
    single = len(texts) == 1
    left_out = ("p", "to best", "95% of that") if single else ("p",)  # what the words below say
    columns = [name for name in QUALITY if name not in left_out]
    _print(f"mIoU on {compared.split}, in points", texts[columns])
    _line(f"{comparison.resampling}.")
    _line()
    for line in verdicts(comparison):
        _line(line)
    _line()
    _print("cost", texts[list(COST)])
    costs = [one.cost for one in compared.contenders]
    for device in sorted({cost.device for cost in costs if cost.device}):
        sizes = sorted({f"{cost.size[0]}x{cost.size[1]}" for cost in costs if cost.size})
        _line(
            f"Speed: all measured now, in turn, on {device}, with images of {' and '.join(sizes)}; "
            "latency is of one image, images/s in batches of 8."
        )
    _line()
    by_class = shown_classes(classes)
    if len(by_class.columns) <= MOST_COLUMNS + 1:
        _print("IoU of each class, in points", by_class)
        if not single:
            _line("* highest   = not distinguishable from the highest on this test set")
    else:
        winners = in_words(classes)[["class", "best", "not_distinguishable"]].fillna("–")
        _print(
            "best of each class", winners.set_axis(["class", "best", "not distinguishable"], axis=1)
        )
    _line()
    for note in compared.notes:
        _line(f"note: {note}")
    show_warnings(compared.warning_lines)


def verdicts(comparison: Comparison) -> list[str]:
    """Return what can be said in words, the best first, one line for each contender."""
    best = comparison.entries[0]
    interval = best.miou.interval
    lines = [
        f"{best.name}: {'highest mIoU, ' if comparison.to_best else 'mIoU '}"
        f"{100 * best.miou.value:.1f} {interval.points()}"
    ]
    return lines + [f"{name}: {to.verdict}" for name, to in comparison.to_best.items()]


def _print(title: str, frame: pd.DataFrame) -> None:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for place, column in enumerate(frame.columns):
        if place == 0:
            table.add_column(escape(str(column)), overflow="fold")
        else:
            table.add_column(escape(str(column)), justify="right", no_wrap=True)
    for row in frame.itertuples(index=False):
        table.add_row(*map(escape, row))
    console.print(table)


def _line(text: str = "") -> None:
    console.print(text, highlight=False, markup=False)

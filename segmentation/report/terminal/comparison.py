"""A comparison on the terminal: quality, cost, classes, and verdicts in words."""

from typing import TYPE_CHECKING

from segmentation.console import console, show_warnings
from segmentation.evaluation.comparison.result import Comparison
from segmentation.evaluation.comparison.tables import (
    ALONE,
    COST,
    QUALITY,
    Compared,
    in_words,
    shown,
    shown_classes,
)
from segmentation.report.terminal.table import text_table

if TYPE_CHECKING:
    import pandas as pd

MOST_COLUMNS = 6
"""With more contenders the table of classes would not fit a terminal: the file has all of it."""


def show_comparison(compared: Compared) -> None:
    """Print a comparison."""
    comparison, texts = compared.comparison, shown(compared.table)
    single = len(texts) == 1

    # Quality, with verdicts in words below; they give p and, of a single contender, all there is
    left_out = ("p", "to best", "95% of that") if single else ("p",)
    columns = [name for name in QUALITY if name not in left_out]
    _show(f"mIoU on {compared.split}, in points", texts[columns])
    console.print(f"{comparison.resampling}.\n")
    console.print(*verdicts(comparison), "", sep="\n")

    # Cost
    _show("cost", texts[list(COST)])
    costs = [contender.cost for contender in compared.contenders]
    for device in sorted({cost.device for cost in costs if cost.device}):
        sizes = sorted({f"{cost.size[0]}x{cost.size[1]}" for cost in costs if cost.size})
        console.print(
            f"Speed: measured now, all in turn, on {device}, with images of {' and '.join(sizes)}; "
            "latency is of one image, images/s in batches of 8."
        )
    console.print()

    # Classes
    by_class = shown_classes(compared.classes)
    if len(by_class.columns) <= MOST_COLUMNS + 1:
        _show("IoU of each class, in points", by_class)
        if not single:
            console.print("* highest   = not distinguishable from the highest on this test set")
    else:
        winners = in_words(compared.classes)[["class", "best", "not_distinguishable"]].fillna("–")
        _show(
            "best of each class", winners.set_axis(["class", "best", "not distinguishable"], axis=1)
        )
    console.print()

    for note in compared.notes:
        console.print(f"note: {note}")
    show_warnings(compared.warning_lines)


def verdicts(comparison: Comparison) -> list[str]:
    """Describe each contender against the best in words, the best first."""
    best = comparison.entries[0]
    score = f"{100 * best.miou.value:.1f} {best.miou.interval.points()}"
    if not comparison.to_best:
        return [f"{best.name}: mIoU {score}", ALONE]
    others = [f"{name}: {difference.verdict}" for name, difference in comparison.to_best.items()]
    return [f"{best.name}: highest mIoU, {score}", *others]


def _show(title: str, frame: "pd.DataFrame") -> None:
    console.print(text_table(title, frame.to_dict("list")))

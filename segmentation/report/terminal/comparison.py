"""A comparison on the terminal: quality, cost, classes, and verdicts in words."""

from typing import TYPE_CHECKING

from segmentation.console import console, show_warnings
from segmentation.evaluation.comparison.result import Comparison
from segmentation.evaluation.comparison.seed_words import (
    effect_words,
    exact_words,
    plan_columns,
    plan_words,
    spread_words,
)
from segmentation.evaluation.comparison.tables import (
    ALONE,
    COST,
    QUALITY,
    Compared,
    in_words,
    shown,
    shown_classes,
    weights_kind,
)
from segmentation.report.terminal.table import text_table

if TYPE_CHECKING:
    import pandas as pd

MOST_COLUMNS = 6
"""With more contenders, or long names, the table of classes would not fit a terminal: the file has
all of it."""


def show_comparison(compared: Compared) -> None:
    """Print a comparison."""
    comparison, texts = compared.comparison, shown(compared.table)
    single = len(texts) == 1

    if compared.weights_warning:
        show_warnings([compared.weights_warning])

    # Quality, with verdicts in words below: they give what the narrow table omits
    omitted = ("p", "compares", "won–lost–tied", *(("Δ mIoU", "Δ 95% CI") if single else ()))
    columns = [name for name in QUALITY if name not in omitted]
    _show(f"mIoU on {compared.split}, in points", _narrow(texts[columns]))
    console.print(f"{comparison.resampling}.\n")
    console.print(*verdicts(comparison), "", sep="\n")
    if comparison.correction:
        console.print(f"{comparison.correction}\n")

    # Cost
    _show("cost", _narrow(texts[list(COST)]))
    costs = [contender.cost for contender in compared.contenders]
    for device in sorted({cost.device for cost in costs if cost.device}):
        sizes = sorted({f"{cost.size[0]}x{cost.size[1]}" for cost in costs if cost.size})
        console.print(
            f"Speed: measured now, all in turn, on {device}, with images of {' and '.join(sizes)}; "
            "latency is of one image, images/s in batches of 8."
        )
    console.print()

    # Classes
    by_class = shown_classes(compared.classes, compared.marked)
    width = sum(len(head) + 2 for head in by_class.columns)
    if len(by_class.columns) <= MOST_COLUMNS + 1 and width <= console.width:
        _show("IoU of each class, in points", by_class)
        if not single and compared.marked:
            console.print("* highest   = not distinguishable from the highest on this test set")
    else:
        winners = in_words(compared.classes)[["class", "best", "not_distinguishable"]].fillna("–")
        texts = winners.set_axis(["class", "best", "not distinguishable"], axis=1).to_dict("list")
        console.print(text_table("best of each class", texts, wrapped=True))
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
    lines = [f"{best.name}: highest mIoU, {score}"]
    for name, difference in comparison.to_best.items():
        lines += [f"{name}: {difference.verdict}", f"  {effect_words(comparison, name)}"]
    return lines


def show_plan(comparison: Comparison) -> None:
    """Print how many seeds would show the differences of a comparison with a plan."""
    plan = comparison.plan
    assert plan is not None
    console.print(f"{spread_words(plan)}\n")
    best = comparison.entries[0].name
    for name, difference in comparison.to_best.items():
        title = f"power to tell {name} from {best}, whose mIoU differs by"
        console.print(text_table(title, plan_columns(plan, name)))
        console.print(plan_words(plan, name), exact_words(difference), "", sep="\n")


def _narrow(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Shorten the column of weights to their kind."""
    kinds = frame["encoder weights"].map(weights_kind)
    return frame.assign(**{"encoder weights": kinds}).rename(columns={"encoder weights": "weights"})


def _show(title: str, frame: "pd.DataFrame") -> None:
    console.print(text_table(title, frame.to_dict("list")))

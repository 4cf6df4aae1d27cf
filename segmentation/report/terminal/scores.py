"""The scores of a split on the terminal: a row for each class, with a bar and its interval."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from segmentation.console import console, number, percent
from segmentation.report.evaluation import OVERALL, overall_score
from segmentation.report.terminal.table import text_table

if TYPE_CHECKING:  # torch takes seconds to import, and not every command needs it
    from segmentation.metrics.targets import TargetScores
    from segmentation.targets import TargetColumns

WIDEST, NARROWEST = 30, 8
"""Characters of a bar, depending on the width of the terminal."""
TARGET_BAR = 20
SURE, BELOW, ABOVE = "█", "▓", "░"
"""A bar up to the interval, within it up to the score, and from there to its upper end."""
UNBROKEN = "\N{NO-BREAK SPACE}"

Ends = Sequence[float] | None


def show_target_scores(title: str, result: "TargetScores", columns: "TargetColumns") -> None:
    """Print the scores of image-level targets: one table for categories, one for values."""
    if (category := result.category) is not None:
        scores = [*category.f1.values(), category.macro_f1]
        cells = {
            "category": [*category.f1, "mean"],
            "F1": [*map(percent, scores)],
            "": [*(bar(f1, None, TARGET_BAR) for f1 in scores[:-1]), ""],
        }
        name = f"{title}: {columns.category}"
        console.print(text_table(name, cells, wrapped=True, total=True))
        console.print(
            f"macro F1 {percent(category.macro_f1)} · accuracy {percent(category.accuracy)} "
            f"of {category.images} images"
        )
    if values := result.values:
        cells = {
            "column": [*values],
            "images": [str(scores.images) for scores in values.values()],
            "RMSE": [number(scores.rmse) for scores in values.values()],
            "Pearson": [number(scores.pearson) for scores in values.values()],
            "CCC": [number(scores.ccc) for scores in values.values()],
        }
        console.print(text_table(f"{title}: values", cells, wrapped=True))


def show_scores(title: str, metrics: Mapping[str, Any], pixels: np.ndarray) -> None:
    """Print the scores of each class and their mean, with 95% intervals where they are known.

    Args:
        title: of the table.
        metrics: the content of `metrics.json`; older files lack some scores.
        pixels: (C,) labelled pixels of each class.
    """
    # A row for each class and one for the mean
    iou, intervals = metrics["iou"], metrics.get("intervals")
    scores = [*iou.values(), metrics["miou"]]
    ends = [(intervals or {}).get("iou", {}).get(name) for name in iou]
    ends.append((intervals or {}).get("miou"))
    shares = (pixels / max(pixels.sum(), 1)).tolist()
    columns = {
        "class": [*iou, "mean"],
        "pixels": [*map(percent, shares), ""],
        "IoU": [*map(_percent, scores)],
        "95% interval": [_interval(interval) or "–" for interval in ends],
        "accuracy": [_percent(metrics["accuracy"][name]) for name in iou],
    }
    columns["accuracy"].append(_percent(metrics["mean_accuracy"]))
    if intervals is None:
        del columns["95% interval"]

    # Bars take the room that the terminal leaves
    room = console.width - console.measure(text_table(title, columns)).maximum - 2
    width = min(room, WIDEST)
    if width >= NARROWEST:
        columns[""] = [bar(score, pair, width) for score, pair in zip(scores, ends, strict=True)]
    console.print(text_table(title, columns, total=True))

    # Scores over all classes; a line does not break between a score and its name
    overall = [f"mIoU {_percent(metrics['miou'])} {_interval(ends[-1])}".rstrip()]
    overall += [
        f"{name} {_percent(overall_score(metrics, key))}"
        for key, name in OVERALL.items()
        if key.partition(".")[0] in metrics
    ]
    words = " · ".join(score.replace(" ", UNBROKEN) for score in overall)
    for line in textwrap.wrap(words.replace(" ·", f"{UNBROKEN}·"), console.width):
        console.print(line.removesuffix(f"{UNBROKEN}·").replace(UNBROKEN, " "))

    # How they were measured
    lines = []
    if intervals is not None:
        drawn = f" ({BELOW}{ABOVE} in the bars)" if "" in columns else ""
        lines += [f"95% intervals{drawn}: {intervals['resampling']}.", *intervals["notes"]]
    if (boundary := metrics.get("boundary_iou")) is not None:
        lines.append(f"Boundary scores: {boundary['distance']}.")
    for line in lines:
        console.print(line, style="dim")


def bar(score: float | None, ends: Ends, width: int) -> str:
    """Draw a score and its interval, so that both can be told apart without colour.

    Args:
        score: between 0 and 1; None or NaN is an empty bar.
        ends: of the interval; None: not known, and the bar is solid.
        width: characters of a score of 1.
    """
    if score is None or np.isnan(score):
        return " " * width
    low, high = ends or (score, score)
    sure, middle, end = (
        round(min(max(value, 0.0), 1.0) * width)
        for value in (min(low, score), score, max(high, score))
    )
    return (SURE * sure + BELOW * (middle - sure) + ABOVE * (end - middle)).ljust(width)


def _interval(ends: Ends) -> str:
    return "" if ends is None else f"[{100 * ends[0]:.1f}, {100 * ends[1]:.1f}]"


def _percent(score: float | None) -> str:
    return percent(float("nan") if score is None else score)

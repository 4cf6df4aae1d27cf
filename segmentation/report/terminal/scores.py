"""The scores of a split on the terminal: a row for each class, with a bar and its interval."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from segmentation.console import console, number, percent
from segmentation.report.terminal.table import text_table

if TYPE_CHECKING:  # torch takes seconds to import, and not every command needs it
    from segmentation.metrics.targets import TargetScores
    from segmentation.targets import TargetColumns

WIDEST, NARROWEST = 30, 8
"""Characters of a bar, depending on the width of the terminal."""
TARGET_BAR = 20
SURE, BELOW, ABOVE = "█", "▓", "░"
"""A bar up to the interval, within it up to the score, and from there to its upper end."""
OTHERS = {
    "pixel accuracy": "pixel_accuracy",
    "mean accuracy": "mean_accuracy",
    "Dice": "dice",
    "frequency-weighted IoU": "frequency_weighted_iou",
    "boundary IoU": "boundary_iou",
    "boundary F": "boundary_f",
    "ECE": "calibration",
}
"""Name of a score in the line below the table -> its key in metrics.json."""

Ends = Sequence[float] | None


def show_target_scores(title: str, result: "TargetScores", columns: "TargetColumns") -> None:
    """Print the scores of image-level targets: one table for categories, one for values."""
    if (category := result.category) is not None:
        rows = [
            [name, percent(f1), bar(None if np.isnan(f1) else f1, None, TARGET_BAR)]
            for name, f1 in category.f1.items()
        ]
        table = text_table(
            f"{title}: {columns.category}", ["category", "F1", ""], rows, framed=True
        )
        table.add_section()
        table.add_row("mean", percent(category.macro_f1), "", style="bold")
        console.print(table)
        console.print(
            f"macro F1 {percent(category.macro_f1)} · accuracy {percent(category.accuracy)} "
            f"of {category.images} images"
        )
    if result.values:
        rows = [
            [column, str(scores.images), *map(number, (scores.rmse, scores.pearson, scores.ccc))]
            for column, scores in result.values.items()
        ]
        heads = ["column", "images", "RMSE", "Pearson", "CCC"]
        console.print(text_table(f"{title}: values", heads, rows, framed=True))


def show_scores(title: str, metrics: Mapping[str, Any], pixels: np.ndarray) -> None:
    """Print the scores of each class and their mean, with 95% intervals where they are known.

    Args:
        title: of the table.
        metrics: the content of `metrics.json`; older files lack some scores.
        pixels: (C,) labelled pixels of each class.
    """
    iou, accuracy = metrics["iou"], metrics["accuracy"]
    intervals = metrics.get("intervals")
    ends: Mapping[str, Any] = intervals or {"miou": None, "iou": {}}

    # One row for each class and one for the mean, without their bars
    heads = ["class", "pixels", "IoU", "accuracy"]
    shares = (pixels / max(pixels.sum(), 1)).tolist()
    rows = [
        [name, percent(share), _percent(iou[name]), _percent(accuracy[name])]
        for name, share in zip(iou, shares, strict=True)
    ]
    rows.append(["mean", "", _percent(metrics["miou"]), _percent(metrics["mean_accuracy"])])
    scores = [(iou[name], ends["iou"].get(name)) for name in iou]
    scores.append((metrics["miou"], ends["miou"]))
    if intervals is not None:
        heads.insert(3, "95% interval")
        for row, (_, interval) in zip(rows, scores, strict=True):
            row.insert(3, _interval(interval) or "–")

    # Bars take the room that the terminal leaves
    room = console.width - console.measure(text_table(title, heads, rows)).maximum - 2
    width = min(room, WIDEST) if room >= NARROWEST else 0
    if width:
        heads.append("")
        for row, score in zip(rows, scores, strict=True):
            row.append(bar(*score, width))
    table = text_table(title, heads, rows[:-1])
    table.add_section()
    table.add_row(*rows[-1], style="bold")
    console.print(table)

    # Scores over all classes, and how they were measured
    overall = [f"mIoU {_percent(metrics['miou'])} {_interval(ends['miou'])}".rstrip()]
    overall += [
        f"{name} {_percent(_mean(metrics[key]))}" for name, key in OTHERS.items() if key in metrics
    ]
    for line in _packed(overall, console.width):
        console.print(line)
    for line in _method(metrics, width):
        console.print(line, style="dim")


def bar(score: float | None, ends: Ends, width: int) -> str:
    """Draw a score and its interval, so that both can be told apart without colour.

    Args:
        score: between 0 and 1; None is an empty bar.
        ends: of the interval; None: not known, and the bar is solid.
        width: characters of a score of 1.
    """
    if score is None:
        return " " * width
    low, high = (score, score) if ends is None else ends
    sure, middle, end = (
        round(min(max(value, 0.0), 1.0) * width)
        for value in (min(low, score), score, max(high, score))
    )
    return (SURE * sure + BELOW * (middle - sure) + ABOVE * (end - middle)).ljust(width)


def _method(metrics: Mapping[str, Any], width: int) -> list[str]:
    """Describe how intervals and boundary scores were computed, and how to read a bar."""
    lines = []
    if (intervals := metrics.get("intervals")) is not None:
        drawn = f" ({BELOW}{ABOVE} in the bars)" if width else ""
        lines.append(f"95% intervals{drawn}: {intervals['resampling']}.")
        lines += intervals["notes"]
    if (boundary := metrics.get("boundary_iou")) is not None:
        lines.append(f"Boundary scores: {boundary['distance']}.")
    return lines


def _packed(scores: Sequence[str], width: int) -> list[str]:
    """Fill lines with scores; a line never breaks between a score and its name."""
    lines = [scores[0]]
    for score in scores[1:]:
        longer = f"{lines[-1]} · {score}"
        if len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(score)
    return lines


def _mean(value: Any) -> float | None:
    """Return the score over all classes of an entry of `metrics.json`."""
    if isinstance(value, Mapping):
        return value["mean"] if "mean" in value else value["ece"]
    return value


def _interval(ends: Ends) -> str:
    return "" if ends is None else f"[{100 * ends[0]:.1f}, {100 * ends[1]:.1f}]"


def _percent(score: float | None) -> str:
    return percent(float("nan") if score is None else score)

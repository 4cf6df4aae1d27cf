"""The scores of a split on the terminal: a row for each class, with a bar and its interval."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from segmentation.console import console, number, percent

if TYPE_CHECKING:  # torch takes seconds to import, and not every command needs it
    from segmentation.metrics.targets import TargetScores
    from segmentation.targets import TargetColumns

BAR = 20


def show_target_scores(title: str, result: "TargetScores", columns: "TargetColumns") -> None:
    """Print the scores of image-level targets: a table each for categories and for values."""
    if result.category is not None:
        table = Table(title=escape(f"{title}: {columns.category}"), title_justify="left")
        table.add_column("category")
        table.add_column("F1", justify="right")
        table.add_column("")
        for name, f1 in result.category.f1.items():
            bar = "" if np.isnan(f1) else "█" * round(f1 * BAR)
            table.add_row(escape(name), percent(f1), f"{bar:{BAR}}")
        table.add_section()
        table.add_row("mean", percent(result.category.macro_f1), "", style="bold")
        console.print(table)
        console.print(
            f"macro F1 {percent(result.category.macro_f1)} · accuracy "
            f"{percent(result.category.accuracy)} of {result.category.images} images",
            highlight=False,
        )
    if result.values:
        table = Table(title=escape(f"{title}: values"), title_justify="left")
        for heading in ("column", "images", "RMSE", "Pearson", "CCC"):
            table.add_column(heading, justify="left" if heading == "column" else "right")
        for column, one in result.values.items():
            scores = map(number, (one.rmse, one.pearson, one.ccc))
            table.add_row(escape(column), str(one.images), *scores)
        console.print(table)


WIDEST, NARROWEST = 30, 8
"""Characters of a bar, as far as the terminal has room."""

SURE, BELOW, ABOVE = "█", "▓", "░"
"""A bar up to the interval, in it up to the score, and from there to its end."""

OTHERS = {
    "pixel accuracy": "pixel_accuracy",
    "mean accuracy": "mean_accuracy",
    "Dice": "dice",
    "frequency-weighted IoU": "frequency_weighted_iou",
    "boundary IoU": "boundary_iou",
    "boundary F": "boundary_f",
    "ECE": "calibration",
}
"""What the line below the table calls a score -> its key in metrics.json."""

Ends = Sequence[float] | None


class Row(NamedTuple):
    """What a line of the table shows: a class, or the mean of all."""

    name: str
    share: str
    iou: float | None
    ends: Ends
    accuracy: float | None


def show_scores(title: str, metrics: Mapping[str, Any], pixels: np.ndarray) -> None:
    """Print the scores of each class and of all, with 95% intervals where they are known.

    Args:
        title: what was scored.
        metrics: what `metrics.json` says, or as much of it as an older one has.
        pixels: (C,) labelled pixels of each class.
    """
    intervals = metrics.get("intervals")
    known = intervals or {"miou": None, "iou": {}}
    share = pixels / max(pixels.sum(), 1)
    iou, accuracy = metrics["iou"], metrics["accuracy"]
    rows = [
        Row(escape(name), percent(part), iou[name], known["iou"].get(name), accuracy[name])
        for name, part in zip(iou, share.tolist(), strict=True)
    ]
    mean = Row("mean", "", metrics["miou"], known["miou"], metrics["mean_accuracy"])
    width = _bar_width(title, [*rows, mean], intervals is not None)
    table = _table(title, intervals is not None, width)
    for row in rows:
        table.add_row(*_cells(row, intervals is not None, width))
    table.add_section()
    table.add_row(*_cells(mean, intervals is not None, width), style="bold")
    console.print(table)
    interval = "" if known["miou"] is None else f" {_ends(known['miou'])}"
    scores = [f"mIoU {_percent(metrics['miou'])}{interval}"]
    scores += [f"{name} {_percent(_one(metrics[key]))}" for name, key in OTHERS.items()
               if key in metrics]  # fmt: skip
    for line in _packed(scores, console.width):
        console.print(line, highlight=False, markup=False)
    for line in _explained(metrics, width):
        console.print(line, style="dim", highlight=False, markup=False)


def bar(score: float | None, ends: Ends, width: int) -> str:
    """Draw a score between 0 and 1 and its interval, so that both show without colour.

    Args:
        score: None is an empty bar.
        ends: of the interval; None where none is known: the bar is solid.
        width: how many characters 1 has.
    """
    if score is None:
        return " " * width
    low, high = (score, score) if ends is None else ends
    sure, middle, end = (
        round(min(max(one, 0.0), 1.0) * width) for one in (min(low, score), score, max(high, score))
    )
    return (SURE * sure + BELOW * (middle - sure) + ABOVE * (end - middle)).ljust(width)


def _table(title: str, intervals: bool, width: int) -> Table:
    table = Table(
        title=escape(title),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("class", overflow="fold")
    table.add_column("pixels", justify="right", no_wrap=True)
    table.add_column("IoU", justify="right", no_wrap=True)
    if intervals:
        table.add_column("95% interval", justify="right", no_wrap=True)
    table.add_column("accuracy", justify="right", no_wrap=True)
    if width:
        table.add_column("", no_wrap=True, min_width=width)
    return table


def _cells(row: Row, intervals: bool, width: int) -> list[str | Text]:
    cells: list[str | Text] = [row.name, row.share, _percent(row.iou)]
    if intervals:
        cells.append(Text("–" if row.ends is None else _ends(row.ends)))
    cells.append(_percent(row.accuracy))
    return [*cells, bar(row.iou, row.ends, width)] if width else cells


def _bar_width(title: str, rows: Sequence[Row], intervals: bool) -> int:
    """Return what the terminal leaves for the bars; 0 where that is too little to be read."""
    probe = _table(title, intervals, 0)
    for row in rows:
        probe.add_row(*_cells(row, intervals, 0))
    room = console.width - console.measure(probe).maximum - 2
    return min(room, WIDEST) if room >= NARROWEST else 0


def _explained(metrics: Mapping[str, Any], width: int) -> list[str]:
    """Say how intervals and boundaries were measured, and how to read a bar."""
    lines = []
    if (intervals := metrics.get("intervals")) is not None:
        drawn = f" ({BELOW}{ABOVE} in the bars)" if width else ""
        lines.append(f"95% intervals{drawn}: {intervals['resampling']}.")
        lines += intervals["notes"]
    if (boundary := metrics.get("boundary_iou")) is not None:
        lines.append(f"Boundary scores: {boundary['distance']}.")
    return lines


def _packed(scores: Sequence[str], width: int) -> list[str]:
    """Return lines of scores, none torn from its name."""
    lines = [scores[0]]
    for one in scores[1:]:
        if len(longer := f"{lines[-1]} · {one}") <= width:
            lines[-1] = longer
        else:
            lines.append(one)
    return lines


def _one(value: Any) -> float | None:
    """Return the score of all classes, of a score that metrics.json splits up."""
    if isinstance(value, Mapping):
        return value["mean"] if "mean" in value else value["ece"]
    return value


def _ends(ends: Sequence[float]) -> str:
    return f"[{100 * ends[0]:.1f}, {100 * ends[1]:.1f}]"


def _percent(score: float | None) -> str:
    return percent(float("nan") if score is None else score)

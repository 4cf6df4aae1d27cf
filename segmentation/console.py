"""What a command shows people: the start-up summary, the score table, what to type next."""

import re
import shlex
from collections.abc import Mapping, Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from segmentation.scores import Scores

console = Console()
BAR = 20


def show_summary(rows: Mapping[str, str]) -> None:
    """Print names and values, one a line; nothing is wrapped, so that paths can be copied."""
    width = max(map(len, rows))
    for name, value in rows.items():
        console.print(f"{name:{width}}  {value}", soft_wrap=True, highlight=False, markup=False)


def show_scores(title: str, result: Scores, names: Sequence[str], pixels: np.ndarray) -> None:
    """Print the scores of each class and of all.

    Args:
        title: what was scored.
        result: the scores.
        names: the classes.
        pixels: (C,) labelled pixels of each class.
    """
    share = pixels / max(pixels.sum(), 1)
    table = Table(title=title, title_justify="left")
    table.add_column("class")
    table.add_column("pixels", justify="right")
    table.add_column("IoU", justify="right")
    table.add_column("accuracy", justify="right")
    table.add_column("")
    for name, part, iou, accuracy in zip(names, share, result.iou, result.accuracy, strict=True):
        bar = "" if np.isnan(iou) else "█" * round(iou * BAR)
        table.add_row(name, percent(part), percent(iou), percent(accuracy), f"{bar:{BAR}}")
    table.add_section()
    table.add_row("mean", "", percent(result.miou), percent(result.mean_accuracy), "", style="bold")
    console.print(table)
    console.print(
        f"mIoU {percent(result.miou)} · pixel accuracy {percent(result.pixel_accuracy)} · "
        f"mean accuracy {percent(result.mean_accuracy)} · Dice {percent(result.dice)}",
        highlight=False,
    )


def show_warnings(messages: Sequence[str]) -> None:
    """Repeat below a score what was warned of before it."""
    for message in messages:
        console.print(f"warning: {message}", style="yellow", highlight=False, markup=False)


def show_next(where: str, *commands: str) -> None:
    """Print where the result is and what to type next; nothing is wrapped, to be copied whole."""
    lines = ["", where, "next:", *(f"  {command}" for command in commands)]
    console.print("\n".join(lines), soft_wrap=True, highlight=False, markup=False)


def argument(key: str, value: object) -> str:
    """Return ``key=value`` as a shell and Hydra read it, whatever characters the value has."""
    text = str(value)
    if not re.fullmatch(r"[\w/.+~-]+", text):
        escaped = text.replace("'", "\\'")
        text = f"'{escaped}'"
    return shlex.quote(f"{key}={text}")


def percent(fraction: float) -> str:
    """Return a fraction as per cent with one digit, or a dash where there is none."""
    return "–" if np.isnan(fraction) else f"{fraction:.1%}"

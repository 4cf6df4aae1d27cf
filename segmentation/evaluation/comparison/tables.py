"""A comparison as data frames, of which every table is one call: terminal, Markdown, CSV, LaTeX."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from segmentation.console import duration
from segmentation.evaluation.comparison.result import Comparison, Contender, Difference
from segmentation.evaluation.statistics.intervals import Interval
from segmentation.system.escaping import csv_cell, markdown

DIFFERENCE = ("Δ mIoU", "Δ 95% CI", "p", "compares", "won–lost–tied")
"""Columns on the difference to the highest."""

QUALITY = ("contender", "encoder weights", "seeds", "mIoU", "95% CI", "SD", *DIFFERENCE)

COST = (
    "contender", "encoder weights", "parameters", "FLOPs", "images/s", "latency", "training",
)  # fmt: skip

SCORES = (
    "mIoU, 95% CI and SD over seeds in points (hundredths); Δ: to the highest mIoU on the same "
    "draws, its interval uncorrected; won–lost–tied: images against the highest."
)
"""Describes the columns of `QUALITY`."""

COST_TYPES = {
    "parameters": "Int64",
    "flops": "Int64",
    "images_per_second": "float64",
    "latency_ms": "float64",
    "training_seconds": "float64",
}
"""Attributes of `Cost` that are columns, and their types."""

IMAGE_TYPES = dict.fromkeys(("won", "lost", "tied"), "Int64")
"""Attributes of `Effect` that are columns, and their types."""

HIGHEST = "highest mIoU"

ALONE = "only one contender: there is nothing to compare"

WORDS = ("encoder weights", "compares")
"""Columns besides the first that hold words."""

NONE = "–"

LATEX = {"Δ": r"$\Delta$", "–": "--", "×": r"$\times$", "≥": r"$\geq$"}
"""Characters that LaTeX's text fonts lack -> their commands."""


def comparison_frame(comparison: Comparison, contenders: Sequence[Contender]) -> pd.DataFrame:
    """Return a row for each contender by falling mIoU, in plain numbers.

    Columns: `name`, `encoder_weights`, `seeds`, `miou` with `low` and `high`, `sd` over seeds,
    `difference` to the best with `difference_low` and `difference_high`, `p` (corrected), `p_alone`
    (not corrected), `p_over_seeds` (exact), `compares` (models or recipes), `verdict`; images
    `won`, `lost` and `tied`; `parameters`, `flops`, `images_per_second`, `latency_ms`,
    `training_seconds`. Scores are fractions; what is not known is missing.
    """
    by_name = {contender.name: contender for contender in contenders}
    first = HIGHEST if len(comparison.entries) > 1 else ALONE
    rows = []
    for entry in comparison.entries:
        to_best = comparison.to_best.get(entry.name)
        contender, cause = by_name[entry.name], comparison.effects.get(entry.name)
        score = {
            "name": entry.name,
            "encoder_weights": contender.weights,
            "seeds": entry.seeds,
            "miou": entry.miou.value,
            "low": entry.miou.interval.low,
            "high": entry.miou.interval.high,
            "sd": entry.deviation,
        }
        verdict = {"verdict": first if to_best is None else to_best.verdict}
        images = {key: getattr(cause, key, None) for key in IMAGE_TYPES}
        known = {column: getattr(contender.cost, column) for column in COST_TYPES}
        rows.append(score | _difference(to_best) | verdict | images | known)
    return pd.DataFrame(rows).astype(IMAGE_TYPES | COST_TYPES)


def class_frame(comparison: Comparison) -> pd.DataFrame:
    """Return a row for each class: who is best, who cannot be told from it, and every IoU.

    Columns: `class`, `best`, `not_distinguishable` (a tuple), then one of fractions for each
    contender, by its name after ``iou: ``. A contender that is called ``class``, as the column of
    classes is, has stars after its name throughout.
    """
    called = {entry.name: entry.name for entry in comparison.entries}
    while called.get("class") in called:
        called["class"] += "*"
    return pd.DataFrame(
        {
            "class": name,
            "best": None if winner.best is None else called[winner.best],
            "not_distinguishable": tuple(called[rival] for rival in winner.rivals),
            **{f"iou: {called[e.name]}": e.classes[name].value for e in comparison.entries},
        }
        for name, winner in comparison.winners.items()
    )


def in_words(classes: pd.DataFrame) -> pd.DataFrame:
    """Return a frame of classes whose rivals are texts, divided by semicolons."""
    texts = ["; ".join(rivals) or None for rivals in classes["not_distinguishable"]]
    return classes.assign(not_distinguishable=texts)


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """Return a comparison's frame as people read it: texts, scores in points (hundredths)."""
    both = zip(table["low"], table["high"], strict=True)
    apart = zip(table["difference_low"], table["difference_high"], strict=True)
    images = zip(table["won"], table["lost"], table["tied"], strict=True)
    columns = {
        "contender": table["name"].tolist(),
        "encoder weights": table["encoder_weights"].tolist(),
        "seeds": [str(value) for value in table["seeds"]],
        "mIoU": _each(table["miou"], _points),
        "95% CI": [_ends(*ends) for ends in both],
        "SD": _each(table["sd"], _points),
        "Δ mIoU": _each(table["difference"], _points),
        "Δ 95% CI": [_ends(*ends) for ends in apart],
        "p": _each(table["p"], lambda value: f"{value:.2g}"),
        "compares": _each(table["compares"], str),
        "won–lost–tied": [
            NONE if pd.isna(counts[0]) else NONE.join(map(str, counts)) for counts in images
        ],
        "parameters": _each(table["parameters"], lambda value: f"{value / 1e6:.1f} M"),
        "FLOPs": _each(table["flops"], lambda value: f"{value / 1e9:.2f} G"),
        "images/s": _each(table["images_per_second"], lambda value: f"{value:.1f}"),
        "latency": _each(table["latency_ms"], lambda value: f"{value:.1f} ms"),
        "training": _each(table["training_seconds"], duration),
    }
    return pd.DataFrame(columns)


def _points(value: float) -> str:
    return f"{100 * value:z.1f}"


def shown_classes(classes: pd.DataFrame, marked: bool) -> pd.DataFrame:
    """Return a frame of classes as people read it: IoU in points, ``*`` marks the best if `marked`.

    A contender that the images cannot tell from the best has ``=`` after its IoU. A single
    contender has no marks.
    """
    columns: dict[str, list[str]] = {"class": classes["class"].tolist()}
    rivals = classes["not_distinguishable"]
    marked = marked and len(classes.columns[3:]) > 1
    for column in classes.columns[3:]:
        name = column.removeprefix("iou: ")
        columns[name] = [
            f"{_points(value)}{_mark(name, best, same) if marked else ''}"
            if pd.notna(value)
            else NONE
            for value, best, same in zip(classes[column], classes["best"], rivals, strict=True)
        ]
    return pd.DataFrame(columns)


def weights_kind(weights: str) -> str:
    """Return the kind of an encoder's initial weights: random, ImageNet, hub, file, model."""
    return " / ".join(dict.fromkeys(re.split("[ ,]", part)[0] for part in weights.split(" / ")))


def _mark(name: str, best: str | None, rivals: Sequence[str]) -> str:
    return " *" if name == best else " =" if name in rivals else ""


def to_markdown(frame: pd.DataFrame) -> str:
    """Return a frame of texts as a Markdown table; first column left, the others right."""
    safe = frame.map(markdown).rename(columns=markdown)
    sides = ["left", *["right"] * (len(frame.columns) - 1)]
    return safe.to_markdown(index=False, colalign=sides, disable_numparse=True)


def to_csv(frame: pd.DataFrame) -> str:
    """Return a frame as CSV, in which no name is a formula of a spreadsheet."""
    return frame.map(csv_cell).rename(columns=csv_cell).to_csv(index=False)


def to_latex(frame: pd.DataFrame) -> str:
    """Return a frame of texts as a LaTeX table in the manner of `booktabs`, all of it escaped."""
    others = frame.columns[1:]
    sides = "l" + "".join("l" if head in WORDS else "r" for head in others)
    one_line = frame.map(lambda text: " ".join(text.split()))
    text = one_line.to_latex(index=False, escape=True, column_format=sides)
    for character, command in LATEX.items():
        text = text.replace(character, command)
    # A row that begins with [ would be read as the argument of the line break before it.
    return re.sub(r"^\[", "{}[", re.sub(r"(?<=[ \[])-(?=\d)", "$-$", text), flags=re.MULTILINE)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as values that JSON has; None for what is missing."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{str(key): _python_value(value) for key, value in row.items()} for row in rows]


def _python_value(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _difference(difference: Difference | None) -> dict[str, Any]:
    if difference is None:
        keys = ("difference", "difference_low", "difference_high", "p", "p_alone", "p_over_seeds")
        return {**dict.fromkeys(keys, np.nan), "compares": None}
    over_seeds = difference.over_seeds
    return {
        "difference": difference.miou.value,
        "difference_low": difference.miou.interval.low,
        "difference_high": difference.miou.interval.high,
        "p": difference.p_corrected,
        "p_alone": difference.p,
        "p_over_seeds": np.nan if over_seeds is None else over_seeds.p,
        "compares": difference.compares,
    }


def _each(column: pd.Series, text: Any) -> list[str]:
    return [NONE if pd.isna(value) else text(value) for value in column]


def _ends(low: float, high: float) -> str:
    return NONE if np.isnan(low) else Interval(low, high).points()


@dataclass(frozen=True, eq=False)
class Compared:
    """What was compared, and what can be said.

    Attributes:
        split: that was scored.
        comparison: the statistics.
        contenders: its lines, in the same order: the best first.
        notes: what a reader must know.
    """

    split: str
    comparison: Comparison
    contenders: Sequence[Contender]
    notes: Sequence[str]

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row for each contender, see `comparison_frame`."""
        return comparison_frame(self.comparison, self.contenders)

    @cached_property
    def classes(self) -> pd.DataFrame:
        """A row for each class, see `class_frame`."""
        return class_frame(self.comparison)

    @property
    def marked(self) -> bool:
        """Whether the best of a class is marked: not where a contender is a single model."""
        return not self.comparison.single

    @property
    def weights_warning(self) -> str | None:
        """The warning that encoders started from other kinds of weights; None if none did."""
        weights = {contender.name: contender.weights for contender in self.contenders}
        if len(set(map(weights_kind, weights.values()))) == 1:
            return None
        sources = dict.fromkeys(weights.values())
        listed = "; ".join(
            f"{source}: {', '.join(name for name, own in weights.items() if own == source)}"
            for source in sources
        )
        return (
            "The contenders' encoders started from different weights, which may explain the "
            f"differences better than anything else. {listed}."
        )

    @cached_property
    def warnings(self) -> list[tuple[str, list[str]]]:
        """Each warning of the runs once, with the contenders that have it; none if all have it."""
        whose: dict[str, dict[str, None]] = {}
        for contender in self.contenders:
            for run in contender.evaluations:
                for text in run.metrics.get("warnings") or []:
                    whose.setdefault(text, {})[contender.name] = None
        every = len(self.contenders)
        return [(text, [] if len(names) == every else list(names)) for text, names in whose.items()]

    @property
    def warning_lines(self) -> list[str]:
        """The same as lines of text."""
        return [f"{', '.join(names)}: {text}" if names else text for text, names in self.warnings]

"""The files of a comparison: each table is one call on one data frame."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from segmentation.evaluation.contenders import Contender
from segmentation.evaluation.frames import (
    COST,
    QUALITY,
    in_words,
    records,
    shown,
    shown_classes,
    to_latex,
    to_markdown,
)  # fmt: skip
from segmentation.evaluation.verdict import Comparison
from segmentation.json_output import plain
from segmentation.whole_files import write_json, write_whole


def write_tables(
    directory: Path,
    split: str,
    comparison: Comparison,
    contenders: Sequence[Contender],
    table: pd.DataFrame,
    classes: pd.DataFrame,
    notes: Sequence[str],
) -> dict[str, Any]:
    """Write comparison.csv, classes.csv, comparison.md, comparison.tex and comparison.json.

    Args:
        directory: it is there; files of an earlier comparison are replaced.
        split: that was scored.
        comparison: what is said.
        contenders: its lines, in the same order.
        table: from `comparison_frame`.
        classes: from `class_frame`.
        notes: what a reader must know.

    Returns:
        What comparison.json holds.
    """
    write_whole(directory / "comparison.csv", table.to_csv(index=False))
    write_whole(directory / "classes.csv", in_words(classes).to_csv(index=False))
    write_whole(
        directory / "comparison.md", _markdown(split, comparison, contenders, table, classes, notes)
    )
    write_whole(directory / "comparison.tex", _latex(split, comparison, table, classes))
    result = _values(split, comparison, contenders, table, classes, notes)
    result["directory"] = str(directory)
    write_json(directory / "comparison.json", result)
    return result


def _markdown(
    split: str,
    comparison: Comparison,
    contenders: Sequence[Contender],
    table: pd.DataFrame,
    classes: pd.DataFrame,
    notes: Sequence[str],
) -> str:
    texts = shown(table)
    verdicts = [
        f"- **{name}**: {words}"
        for name, words in zip(table["name"], table["verdict"], strict=True)
    ]
    measured = {one.cost.device for one in contenders if one.cost.device}
    return "\n\n".join(
        [
            f"# Comparison on {split}",
            "mIoU and differences in points (hundredths); SD: over seeds; p: Holm's, for all pairs."
            f" {comparison.resampling}.",
            to_markdown(texts[list(QUALITY)]),
            "\n".join(verdicts),
            "## Cost",
            to_markdown(texts[list(COST)]),
            *(f"Speed measured in alternation on {one}." for one in sorted(measured)),
            "## IoU of each class",
            "In points. \\* highest, = not distinguishable from the highest on these images.",
            to_markdown(shown_classes(classes)),
            "## Notes",
            "\n".join(f"- {note}" for note in notes) or "None.",
        ]
    ) + "\n"  # fmt: skip


def _latex(split: str, comparison: Comparison, table: pd.DataFrame, classes: pd.DataFrame) -> str:
    texts = shown(table)
    return "\n".join(
        [
            r"% Needs \usepackage{booktabs}. mIoU and differences in points (hundredths);",
            "% SD: over seeds; p: corrected by Holm's method for all pairs.",
            f"% Split: {split}. {comparison.resampling}.".replace("\n", " "),
            to_latex(texts[list(QUALITY)]),
            "% Cost",
            to_latex(texts[list(COST)]),
            "% IoU of each class; * highest, = not distinguishable from the highest",
            to_latex(shown_classes(classes)),
        ]
    )


def _values(
    split: str,
    comparison: Comparison,
    contenders: Sequence[Contender],
    table: pd.DataFrame,
    classes: pd.DataFrame,
    notes: Sequence[str],
) -> dict[str, Any]:
    known = {one.name: one for one in contenders}
    lines = []
    for row, entry in zip(records(table), comparison.entries, strict=True):
        one = known[entry.name]
        lines.append(
            row
            | {
                "runs": [str(scored.source) for scored in one.scorings],
                "miou_of_runs": [scored.metrics["miou"] for scored in one.scorings],
                "size": one.cost.size,
                "device": one.cost.device,
                "classes": {name: asdict(value) for name, value in entry.classes.items()},
            }
        )
    best = comparison.entries[0].name
    rivals = [name for name, to in comparison.to_best.items() if not to.distinguishable]
    return plain(
        {
            "split": split,
            "images": len(contenders[0].scorings[0]),
            "best": best,
            "not_distinguishable_from_best": rivals,
            "contenders": lines,
            "pairs": [asdict(pair) for pair in comparison.pairs.values()],
            "classes": records(classes),
            "resampling": comparison.resampling,
            "notes": list(notes),
        }
    )

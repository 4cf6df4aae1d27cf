"""The files of a comparison: each table is one call on one data frame."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from segmentation.evaluation.comparison.tables import (  # fmt: skip
    COST,
    QUALITY,
    Compared,
    in_words,
    records,
    shown,
    shown_classes,
    to_latex,
    to_markdown,
)
from segmentation.system.files import jsonable, write_atomic, write_json


def write_tables(directory: Path, compared: Compared) -> dict[str, Any]:
    """Write comparison.csv, classes.csv, comparison.md, comparison.tex and comparison.json.

    Args:
        directory: it is there; files of an earlier comparison are replaced.
        compared: what is written.

    Returns:
        What comparison.json holds.
    """
    write_atomic(directory / "comparison.csv", compared.table.to_csv(index=False))
    write_atomic(directory / "classes.csv", in_words(compared.classes).to_csv(index=False))
    write_atomic(directory / "comparison.md", _markdown(compared))
    write_atomic(directory / "comparison.tex", _latex(compared))
    result = _values(compared) | {"directory": str(directory)}
    write_json(directory / "comparison.json", result)
    return result


def _markdown(compared: Compared) -> str:
    table, texts = compared.table, shown(compared.table)
    verdicts = [
        f"- **{name}**: {words}"
        for name, words in zip(table["name"], table["verdict"], strict=True)
    ]
    measured = {one.cost.device for one in compared.contenders if one.cost.device}
    return "\n\n".join(
        [
            f"# Comparison on {compared.split}",
            "mIoU and differences in points (hundredths); SD: over seeds; p: Holm's, for all pairs."
            f" {compared.comparison.resampling}.",
            to_markdown(texts[list(QUALITY)]),
            "\n".join(verdicts),
            "## Cost",
            to_markdown(texts[list(COST)]),
            *(f"Speed measured in alternation on {one}." for one in sorted(measured)),
            "## IoU of each class",
            "In points. \\* highest, = not distinguishable from the highest on these images.",
            to_markdown(shown_classes(compared.classes)),
            "## Notes",
            "\n".join(f"- {note}" for note in _said(compared)) or "None.",
        ]
    ) + "\n"  # fmt: skip


def _latex(compared: Compared) -> str:
    texts = shown(compared.table)
    return "\n".join(
        [
            r"% Needs \usepackage{booktabs}. mIoU and differences in points (hundredths);",
            "% SD: over seeds; p: corrected by Holm's method for all pairs.",
            f"% Split: {compared.split}. {compared.comparison.resampling}.".replace("\n", " "),
            to_latex(texts[list(QUALITY)]),
            "% Cost",
            to_latex(texts[list(COST)]),
            "% IoU of each class; * highest, = not distinguishable from the highest",
            to_latex(shown_classes(compared.classes)),
        ]
    )


def _values(compared: Compared) -> dict[str, Any]:
    comparison = compared.comparison
    lines = []
    for row, entry, one in zip(
        records(compared.table), comparison.entries, compared.contenders, strict=True
    ):
        lines.append(
            row
            | {
                "runs": [str(scored.source) for scored in one.evaluations],
                "miou_of_runs": [scored.metrics["miou"] for scored in one.evaluations],
                "size": one.cost.size,
                "device": one.cost.device,
                "classes": {name: asdict(value) for name, value in entry.classes.items()},
            }
        )
    rivals = [name for name, to in comparison.to_best.items() if not to.distinguishable]
    return jsonable(
        {
            "split": compared.split,
            "images": len(compared.contenders[0].evaluations[0]),
            "best": comparison.entries[0].name,
            "not_distinguishable_from_best": rivals,
            "contenders": lines,
            "pairs": [asdict(pair) for pair in comparison.pairs.values()],
            "classes": records(compared.classes),
            "resampling": comparison.resampling,
            "notes": _said(compared),
        }
    )


def _said(compared: Compared) -> list[str]:
    return [*compared.notes, *compared.warning_lines]

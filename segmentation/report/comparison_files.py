"""The files of a comparison: tables as CSV, Markdown and LaTeX, and all of it as JSON."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from segmentation.evaluation.comparison.result import Comparison
from segmentation.evaluation.comparison.seed_words import (
    effect_words,
    exact_words,
    plan_words,
    spread_words,
)
from segmentation.evaluation.comparison.tables import (
    COST,
    DIFFERENCE,
    QUALITY,
    SCORES,
    Compared,
    in_words,
    records,
    shown,
    shown_classes,
    to_csv,
    to_latex,
    to_markdown,
)
from segmentation.system.escaping import markdown
from segmentation.system.files import jsonable, write_atomic, write_json


def write_tables(directory: Path, compared: Compared) -> dict[str, Any]:
    """Write comparison.csv, classes.csv, comparison.md, comparison.tex and comparison.json.

    Files of an earlier comparison are replaced. Returns the content of comparison.json.
    """
    write_atomic(directory / "comparison.csv", to_csv(compared.table))
    write_atomic(directory / "classes.csv", to_csv(in_words(compared.classes)))
    write_atomic(directory / "comparison.md", _markdown(compared))
    write_atomic(directory / "comparison.tex", _latex(compared))
    result = _values(compared) | {"directory": str(directory)}
    write_json(directory / "comparison.json", result)
    return result


def _markdown(compared: Compared) -> str:
    comparison, table, texts = compared.comparison, compared.table, shown(compared.table)
    verdicts = [
        f"- **{markdown(name)}**: {markdown(words)}{_causes(comparison, name)}"
        for name, words in zip(table["name"], table["verdict"], strict=True)
    ]
    costs = [contender.cost for contender in compared.contenders]
    devices = sorted({cost.device for cost in costs if cost.device})
    marks = (
        " \\* highest, = not distinguishable from the highest on these images."
        if compared.marked
        else ""
    )
    parts = [
        f"# Comparison on {markdown(compared.split)}",
        *(f"**Warning**: {markdown(text)}" for text in [compared.weights_warning] if text),
        f"{SCORES} {comparison.correction} {comparison.resampling}.",
        to_markdown(texts[list(QUALITY)]),
        "\n".join(verdicts),
        *_seeds(comparison),
        "## Cost",
        to_markdown(texts[list(COST)]),
        *(f"Speed measured in alternation on {markdown(device)}." for device in devices),
        "## IoU of each class",
        f"In points.{marks}",
        to_markdown(shown_classes(compared.classes, compared.marked)),
        "## Notes",
        "\n".join(f"- {markdown(note)}" for note in _notes(compared)) or "None.",
    ]
    return "\n\n".join(parts) + "\n"


def _causes(comparison: Comparison, name: str) -> str:
    if name not in comparison.effects:
        return ""
    return f" ({markdown(effect_words(comparison, name))})"


def _seeds(comparison: Comparison) -> list[str]:
    """Return the part on seeds, as paragraphs."""
    plan = comparison.plan
    if plan is None:
        return []
    lines = [
        f"- **{markdown(name)}**: {plan_words(plan, name)} {exact_words(difference)}".rstrip()
        for name, difference in comparison.to_best.items()
    ]
    return ["## Seeds", spread_words(plan), "\n".join(lines)]


def _latex(compared: Compared) -> str:
    texts = shown(compared.table)
    marks = "; * highest, = not distinguishable from the highest" if compared.marked else ""
    comments = [
        r"Needs \usepackage{booktabs}.",
        SCORES,
        compared.weights_warning or "",
        f"{compared.comparison.correction} {compared.comparison.resampling}.",
        f"Split: {compared.split}.",
    ]
    return "\n".join(
        [
            *(f"% {' '.join(text.split())}" for text in comments if text),
            to_latex(texts[[head for head in QUALITY if head not in DIFFERENCE]]),
            "% Differences to the highest",
            to_latex(texts[["contender", *DIFFERENCE]].iloc[1:]) if len(texts) > 1 else "% None",
            "% Cost",
            to_latex(texts[list(COST)]),
            f"% IoU of each class{marks}",
            to_latex(shown_classes(compared.classes, compared.marked)),
        ]
    )


def _values(compared: Compared) -> dict[str, Any]:
    comparison = compared.comparison
    rows = records(compared.table)
    for row, entry, contender in zip(rows, comparison.entries, compared.contenders, strict=True):
        row |= {
            "runs": [str(scored.source) for scored in contender.evaluations],
            "miou_of_runs": [scored.metrics["miou"] for scored in contender.evaluations],
            "size": contender.cost.size,
            "device": contender.cost.device,
            "classes": {name: asdict(iou) for name, iou in entry.classes.items()},
        }
    rivals = [name for name, to in comparison.to_best.items() if not to.distinguishable]
    return jsonable(
        {
            "split": compared.split,
            "images": len(compared.contenders[0].evaluations[0]),
            "best": comparison.entries[0].name,
            "not_distinguishable_from_best": rivals,
            "contenders": rows,
            "pairs": [
                asdict(pair) | {"compares": pair.compares} for pair in comparison.pairs.values()
            ],
            "effects": {name: asdict(effect) for name, effect in comparison.effects.items()},
            "plan": comparison.plan and asdict(comparison.plan),
            "correction": comparison.correction,
            "weights_warning": compared.weights_warning,
            "classes": records(compared.classes),
            "resampling": comparison.resampling,
            "notes": _notes(compared),
        }
    )


def _notes(compared: Compared) -> list[str]:
    return [*compared.notes, *compared.warning_lines]

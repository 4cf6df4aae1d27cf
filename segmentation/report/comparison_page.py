"""`report.html` of a comparison."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from segmentation.console import percent
from segmentation.errors import listed
from segmentation.evaluation.comparison.result import Contender
from segmentation.evaluation.comparison.tables import Compared, shown, shown_classes
from segmentation.report.charts.comparison import class_chart, difference_chart, miou_chart
from segmentation.report.charts.cost import cost_chart
from segmentation.report.charts.curves import overlaid_curves, read_curves
from segmentation.report.evaluation import class_colors, image_scores
from segmentation.report.pages.plots_page import write_plots_page
from segmentation.report.pictures import Shown, keyed, whole
from segmentation.report.settings import differing, kept_facts, kept_settings
from segmentation.report.table import Cell, Grid, number_cells
from segmentation.runs.views import read_views, view_names

DISAGREEING = 12
"""So many images are shown, on which the contenders differ most."""
TOGETHER = 6
"""So many contenders are shown side by side, the best ones."""
SORTED_BY = {
    "seeds": "seeds",
    "mIoU": "miou",
    "95% interval": "low",
    "SD": "sd",
    "to best": "difference",
    "95% of that": "difference_low",
    "p": "p",
    "parameters": "parameters",
    "FLOPs": "flops",
    "images/s": "images_per_second",
    "latency": "latency_ms",
    "training": "training_seconds",
}
"""By the column that is shown, the one of plain numbers that it is sorted by."""


def write_comparison_page(path: Path, compared: Compared) -> None:
    """Write the page of a comparison.

    Args:
        path: the file.
        compared: what it shows.
    """
    comparison, ordered = compared.comparison, compared.contenders
    first = ordered[0].evaluations[0]
    runs = {one.name: one.runs[0] for one in ordered}
    curves = {
        one.name: [found for run in one.runs if run is not None and (found := read_curves(run))]
        for one in ordered
    }
    write_plots_page(
        path,
        "comparison.html",
        [
            miou_chart(comparison, ordered),
            difference_chart(comparison),
            class_chart(comparison, _class_grid(compared.classes)),
            cost_chart(comparison, ordered),
            overlaid_curves(curves),
        ],
        comparison=comparison,
        split=compared.split,
        images=len(first),
        table=_table(compared.table),
        cost=next((one.cost for one in ordered if one.cost.device), None),
        pictures=_disagreeing(ordered),
        together=[one.name for one in ordered[:TOGETHER]],
        legend=class_colors(first),
        settings=_alike({name: kept_settings(run) for name, run in runs.items()}, "settings"),
        environments=_alike({name: kept_facts(run) for name, run in runs.items()}, "environments"),
        warnings=[(text, listed(names)) for text, names in compared.warnings],
        notes=compared.notes,
    )


def _table(table: pd.DataFrame) -> Grid:
    texts = shown(table)
    columns: list[list[Cell]] = []
    for head in texts.columns:
        plain = SORTED_BY.get(head)
        values = [None] * len(texts) if plain is None else _numbers(table[plain])
        columns.append(number_cells(texts[head].tolist(), values))
    rows = [list(row) for row in zip(*columns, strict=True)]
    return Grid("comparison", [str(head) for head in texts.columns], rows)


def _class_grid(classes: pd.DataFrame) -> Grid:
    texts = shown_classes(classes)
    columns = [number_cells(texts["class"].tolist(), [None] * len(texts))]
    for head in texts.columns[1:]:
        columns.append(number_cells(texts[head].tolist(), _numbers(classes[f"iou: {head}"])))
    rows = [list(row) for row in zip(*columns, strict=True)]
    return Grid("IoU by class and contender", [str(head) for head in texts.columns], rows)


def _numbers(column: pd.Series) -> list[float | None]:
    return [None if pd.isna(value) else float(value) for value in column]


def _disagreeing(contenders: Sequence[Contender]) -> list[Shown]:
    """Return the images whose mIoU differs most between contenders, with what each predicts.

    The mIoU of an image is a contender's mean over its seeds; predictions are of its first seed
    that has views.
    """
    if len(contenders) < 2:
        return []
    first = contenders[0]
    names = first.evaluations[0].names
    scores = np.array(
        [
            np.mean([image_scores(run.ordered_like(names))[0] for run in one.evaluations], axis=0)
            for one in contenders
        ]
    )
    spread = scores.max(axis=0) - scores.min(axis=0)  # NaN where there is no truth
    # A large split has views of a part of its images, the same part in every evaluation.
    seen = next(filter(None, (view_names(run.source) for run in first.evaluations)), set())
    order = [names[index] for index in np.argsort(-spread, kind="stable") if spread[index] >= 0]
    chosen = [name for name in order if not seen or name in seen][:DISAGREEING]
    views = {}
    for one in contenders[:TOGETHER]:
        found = (read_views(run.source, chosen) for run in one.evaluations)
        if some := next(filter(None, found), None):
            views[one.name] = some
    result = []
    place = {name: index for index, name in enumerate(names)}
    for name, key in keyed("disagreeing", chosen).items():
        held = {who: some[name] for who, some in views.items() if name in some}
        if not held:
            continue
        column = scores[:, place[name]]
        score = ", ".join(
            f"{one.name} {percent(value)}"
            for one, value in zip(contenders[:TOGETHER], column, strict=False)
        )
        result.append(whole(key, name, score, next(iter(held.values())), held))
    return result


def _alike(known: Mapping[str, dict[str, Any] | None], name: str) -> Grid | None:
    """Return the table of differences, None where fewer than two are known."""
    there = {who: values for who, values in known.items() if values is not None}
    return differing(there, name) if len(there) > 1 else None

"""The page of a comparison, `report.html`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from segmentation.console import percent
from segmentation.errors import listed
from segmentation.evaluation.comparison.result import Comparison, Contender
from segmentation.evaluation.comparison.seed_words import (
    exact_words,
    plan_columns,
    plan_words,
    spread_words,
)
from segmentation.evaluation.comparison.tables import (
    COST,
    DIFFERENCE,
    QUALITY,
    SCORES,
    Compared,
    shown,
    shown_classes,
)
from segmentation.report.charts.comparison import class_chart, difference_chart, miou_chart
from segmentation.report.charts.cost import cost_chart
from segmentation.report.charts.curves import Curves, overlaid_curves, read_curves
from segmentation.report.evaluation import class_colors, image_scores
from segmentation.report.pages.plots_page import write_plots_page
from segmentation.report.pictures import LayeredImage, keyed, layered
from segmentation.report.settings import differences_grid, kept_facts, kept_settings
from segmentation.report.table import Grid, Row, number, number_cells, points
from segmentation.runs.views import View, read_views, view_names

DISAGREEING = 12
"""The number of images shown, those on which the contenders differ most."""
TOGETHER = 6
"""The number of contenders whose predictions are shown, the best ones."""
SORTED_BY = {
    "seeds": "seeds",
    "mIoU": "miou",
    "95% CI": "low",
    "SD": "sd",
    "Δ mIoU": "difference",
    "Δ 95% CI": "difference_low",
    "p": "p",
    "won–lost–tied": "won",
    "parameters": "parameters",
    "FLOPs": "flops",
    "images/s": "images_per_second",
    "latency": "latency_ms",
    "training": "training_seconds",
}
"""Column of texts -> the column of numbers that it is sorted by."""


def write_comparison_page(path: Path, compared: Compared) -> None:
    """Write the page of a comparison."""
    # The first run of each contender stands for its configuration and environment
    comparison, contenders = compared.comparison, compared.contenders
    runs = {contender.name: contender.runs[0] for contender in contenders}
    settings = {name: kept_settings(run) for name, run in runs.items()}
    environments = {name: kept_facts(run) for name, run in runs.items()}

    # Its tables
    texts, classes = shown(compared.table), shown_classes(compared.classes, compared.marked)
    texts["mIoU of each seed"] = [_seeds(contender) for contender in contenders]
    numbers = {head: compared.table[key] for head, key in SORTED_BY.items()}
    iou = {head: compared.classes[f"iou: {head}"] for head in classes.columns[1:]}
    quality = _grid("comparison", texts[list(QUALITY)], numbers)
    seeds = _grid("mIoU of each seed", texts[["contender", "mIoU of each seed"]], {})
    differences = _grid("differences to the best", texts[["contender", *DIFFERENCE]], numbers)
    cost = _grid("quality and cost", texts[["contender", "mIoU", *COST[1:]]], numbers)

    # Its plots
    charts = [
        miou_chart(comparison, contenders, seeds),
        difference_chart(comparison, differences),
        class_chart(comparison, _grid("IoU by class and contender", classes, iou), compared.marked),
        cost_chart(comparison, contenders, cost),
        overlaid_curves({contender.name: _curves(contender) for contender in contenders}),
    ]

    # The page
    first = contenders[0].evaluations[0]
    costs = [contender.cost for contender in contenders]
    write_plots_page(
        path,
        "comparison.html",
        charts,
        comparison=comparison,
        split=compared.split,
        images=len(first),
        table=quality,
        columns=SCORES,
        weights_warning=compared.weights_warning,
        marked=compared.marked,
        causes=_causes(comparison),
        influential=_influential(comparison),
        spread=spread_words(comparison.plan) if comparison.plan else "",
        seeds=_seed_plans(comparison),
        measured=next((cost for cost in costs if cost.device), None),
        pictures=_disagreeing(contenders),
        together=[contender.name for contender in contenders[:TOGETHER]],
        legend=class_colors(first),
        settings=differences_grid(settings, "settings"),
        environments=differences_grid(environments, "environments"),
        warnings=[(text, listed(names)) for text, names in compared.warnings],
        notes=compared.notes,
    )


def _causes(comparison: Comparison) -> Grid:
    """Make the table of images won and lost, and of the classes behind each difference."""
    rows: list[Row] = []
    for name, effect in comparison.effects.items():
        counts = [number(value, "d") for value in (effect.won, effect.lost, effect.tied)]
        rows.append([name, *counts, effect.named_classes()])
    heads = ["contender", "images won", "lost", "tied", "classes, points of IoU"]
    return Grid("where the differences come from", heads, rows)


def _influential(comparison: Comparison) -> Grid:
    """Make the table of the images that make the most of each difference."""
    rows: list[Row] = []
    for name, total in comparison.to_best.items():
        for image in comparison.effects[name].images:
            values = (image.difference, total.miou.value, image.without)
            rows.append([name, image.name, *map(points, values)])
    heads = ["contender", "image", "Δ mIoU of the image", "Δ mIoU of all", "Δ mIoU without it"]
    return Grid("images that make the difference", heads, rows)


def _seed_plans(comparison: Comparison) -> list[tuple[str, str, Grid]]:
    """Return the sentences and the table of each contender's plan, by its name."""
    plan = comparison.plan
    if plan is None:
        return []
    plans = []
    for name, difference in comparison.to_best.items():
        columns = plan_columns(plan, name)
        rows: list[Row] = [
            [seeds, *number_cells(texts, powers)]
            for (seeds, *texts), powers in zip(
                zip(*columns.values(), strict=True), plan.power[name], strict=True
            )
        ]
        words = f"{plan_words(plan, name)} {exact_words(difference)}"
        plans.append((name, words, Grid(f"power for {name}", list(columns), rows)))
    return plans


def _curves(contender: Contender) -> list[Curves]:
    curves = [read_curves(run) for run in contender.runs if run is not None]
    return [seed for seed in curves if seed is not None]


def _seeds(contender: Contender) -> str:
    return ", ".join(f"{100 * scored.metrics['miou']:.1f}" for scored in contender.evaluations)


def _grid(name: str, texts: pd.DataFrame, values: Mapping[str, pd.Series]) -> Grid:
    """Make a table of texts whose columns are sorted by `values`, where there are some."""
    unsorted = [None] * len(texts)
    columns = [
        number_cells(texts[head].tolist(), _numbers(values[head]) if head in values else unsorted)
        for head in texts.columns
    ]
    rows = [list(row) for row in zip(*columns, strict=True)]
    return Grid(name, [str(head) for head in texts.columns], rows)


def _numbers(column: pd.Series) -> list[float | None]:
    return [None if pd.isna(value) else float(value) for value in column]


def _disagreeing(contenders: Sequence[Contender]) -> list[LayeredImage]:
    """Return the images whose mIoU differs most between contenders, with their predictions.

    The mIoU of an image is a contender's mean over its seeds; predictions are those of its first
    seed that has views.
    """
    if len(contenders) < 2:
        return []
    first = contenders[0].evaluations
    names = first[0].names
    scores = np.array([_mean_scores(contender, names) for contender in contenders])
    spread = scores.max(axis=0) - scores.min(axis=0)  # NaN without a labelled pixel

    # A large split has views of a part of its images, the same part in each evaluation
    seen = next(filter(None, (view_names(scored.source) for scored in first)), set())
    order = [names[index] for index in np.argsort(-spread, kind="stable") if spread[index] >= 0]
    chosen = [name for name in order if not seen or name in seen][:DISAGREEING]
    views: dict[str, dict[str, View]] = {}
    for contender in contenders[:TOGETHER]:
        seeds = (read_views(scored.source, chosen) for scored in contender.evaluations)
        views[contender.name] = next(filter(None, seeds), {})

    # Each image with the predictions of those that have a view of it
    images = []
    for name, key in keyed("disagreeing", chosen).items():
        predictions = {who: own[name] for who, own in views.items() if name in own}
        if predictions:
            own_scores = scores[:TOGETHER, names.index(name)]
            words = [f"{who} {percent(miou)}" for who, miou in zip(views, own_scores, strict=True)]
            truth = next(iter(predictions.values()))
            images.append(layered(key, name, ", ".join(words), truth, predictions))
    return images


def _mean_scores(contender: Contender, names: Sequence[str]) -> np.ndarray:
    """Compute the mIoU of each image as the mean over seeds, (n,)."""
    seeds = [image_scores(scored.ordered_like(names))[0] for scored in contender.evaluations]
    return np.mean(seeds, axis=0)

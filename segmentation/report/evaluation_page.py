"""The page of an evaluation, `report.html`: written by a training and by `evaluate.py`."""

from collections.abc import Mapping
from math import isnan
from pathlib import Path
from typing import Any

from segmentation.config import value_at
from segmentation.console import argument, percent, typed
from segmentation.errors import DataError
from segmentation.report.charts.chart import Chart
from segmentation.report.charts.classes import class_scores
from segmentation.report.charts.confusion import confusion_chart
from segmentation.report.charts.curves import learning_curves, read_curves
from segmentation.report.charts.reliability import reliability_chart
from segmentation.report.charts.slices import read_slices, slices_chart
from segmentation.report.evaluation import (
    OVERALL,
    class_colors,
    image_scores,
    overall_score,
    read_evaluation,
)
from segmentation.report.pages.plots_page import write_plots_page
from segmentation.report.pictures import (
    extremes,
    gallery,
    keyed,
    layered,
    worst_first,
)
from segmentation.report.settings import kept_facts, kept_settings, settings_grid, texts
from segmentation.report.table import Cell, Grid, interval, number, points
from segmentation.runs.directory import REPORT, read_metrics
from segmentation.runs.scored_images import ScoredImages
from segmentation.runs.views import VIEWS, read_views

WHOLE = 12
"""The number of the worst and of the best images that are shown at full size."""
FACTS = (
    "split",
    "images",
    "data",
    "model",
    "weights",
    "class_map",
    "size",
    "epoch",
    "encoder_weights",
    "parameters",
    "latency_ms",
    "seconds",
    "precision",
    "inference",
    "data_fingerprint",
)
FINGERPRINT = 12
"""Characters of a hash that are shown: enough to tell models apart."""


def write_evaluation_page(directory: Path, run: Path | None) -> Path:
    """Write `report.html` into an evaluation directory, and return its path.

    The page says so where the directory lacks a part, or where its slices cannot be read.

    Args:
        directory: contains `metrics.json` and the other files of an evaluation.
        run: the run directory of the model, which may be the same; None if there is none.

    Raises:
        DataError: files are damaged or do not belong together.
    """
    # The evaluation, and the run that it belongs to
    evaluation = read_evaluation(directory)
    metrics, scored = evaluation.metrics, evaluation.scored
    curves = None if run is None else read_curves(run)
    problem = ""
    try:
        slices = read_slices(directory)
    except DataError as error:
        slices, problem = None, str(error)
    own, environment = kept_settings(run), kept_facts(run)

    # Its plots
    charts: list[Chart | None] = [None if curves is None else learning_curves(curves)]
    if scored is not None:
        charts += [
            class_scores(evaluation, scored),
            confusion_chart(scored),
            reliability_chart(evaluation, scored),
        ]
    if slices is not None and len(slices):
        charts.append(slices_chart(slices))

    # The page
    known = [key for key in FACTS if metrics.get(key) is not None]
    facts = [(key.replace("_", " "), _fact(key, metrics[key])) for key in known]
    write_plots_page(
        directory / REPORT,
        "run.html",
        charts,
        name=(run or directory).absolute().name,
        metrics=metrics,
        miou=metrics.get("miou"),
        miou_ends=None if evaluation.miou_ends is None else interval(evaluation.miou_ends).text,
        tiles=_tiles(metrics),
        slice_problem=problem,
        slice_notes=value_at(metrics, "slices.notes") or [],
        facts=facts,
        intervals=metrics.get("intervals") or {},
        warnings=[(text, "") for text in metrics.get("warnings") or []],
        legend={} if scored is None else class_colors(scored),
        targets=_targets(metrics.get("targets") or {}),
        settings=None if own is None else settings_grid(own),
        environment=None if environment is None else _environment(environment),
        commands=_commands(metrics, run),
        **_pictures(directory, scored),
    )
    return directory / REPORT


def _tiles(metrics: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return name, value and method of each score besides mIoU."""
    tiles = []
    for key, name in OVERALL.items():
        if (value := overall_score(metrics, key)) is not None:
            distance = value_at(metrics, f"{key.partition('.')[0]}.distance")
            tiles.append((name, f"{value:.1%}", str(distance or "")))
    return tiles


def _fact(key: str, value: Any) -> str:
    if key == "class_map":
        return ", ".join(
            f"{learnt} → {scored or 'never predicted'}" for learnt, scored in value.items()
        )
    if key == "weights":
        return str(value)[:FINGERPRINT]
    if key == "size":
        return f"{' x '.join(map(str, value))} pixels (height x width)"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {text}" for name, text in texts(value).items())
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _environment(facts: Mapping[str, Any]) -> Grid:
    return Grid("environment", ["what", "value"], [list(row) for row in texts(facts).items()])


def _targets(targets: Mapping[str, Any]) -> list[Grid]:
    """Return the tables of image-level targets."""
    grids = []
    if category := targets.get("category"):
        rows: list[list[Cell | str]] = [
            [name, points(value)] for name, value in (category.get("f1") or {}).items()
        ]
        rows += [["mean", points(category.get("macro_f1"))]]
        grids.append(Grid("scores by category", ["category", "F1 %"], rows))
    if values := targets.get("values"):
        keys = list(dict.fromkeys(key for scores in values.values() for key in scores))
        rows = [
            [column, *(number(scores.get(key)) for key in keys)]
            for column, scores in values.items()
        ]
        grids.append(Grid("scores of values", ["column", *keys], rows))
    return grids


def _commands(metrics: Mapping[str, Any], run: Path | None) -> list[str]:
    """Return commands to type next, quoted for a shell."""
    model = str(metrics.get("model") or run or "<run>")
    overlay = " overlay=true" if "miou" in metrics else ""
    commands = [
        f"{typed('evaluate')} {argument('run', model)} {argument('split', split)}"
        for split in _other_splits(metrics, run)
    ]
    commands += [
        f"{typed('predict')} {argument('model', model)} input=<images> output=<folder>{overlay}",
    ]
    if run is not None and "miou" in metrics:
        commands.append(f"{typed('compare')} {argument('runs', [str(run), 'another_run'])}")
    return commands


def _other_splits(metrics: Mapping[str, Any], run: Path | None) -> list[str]:
    """Return the splits left to score; a training scores test if there is one."""
    trained = (run and read_metrics(run)) or {}
    splits = ["val"] if run is not None else []
    if trained.get("split") == "test":
        splits.append("test")
    return [split for split in splits if split != metrics.get("split")]


def _pictures(directory: Path, scored: ScoredImages | None) -> dict[str, Any]:
    """Return the worst and the best images, and the gallery of all."""
    if scored is None or not (directory / VIEWS).is_file():
        return {"worst": [], "best": [], "gallery": [], "images": 0}

    # The extremes of the images that have a score and a view
    miou, accuracy = image_scores(scored)
    views = read_views(directory, scored.names)
    order = [index for index in worst_first(miou) if not isnan(miou[index])]
    ranked = [scored.names[index] for index in order if scored.names[index] in views]
    worst, best = extremes(ranked, WHOLE)

    # Shown at full size, which the gallery opens
    score = dict(zip(scored.names, miou, strict=True))
    keys = {"worst": keyed("worst", worst), "best": keyed("best", best)}
    pictures: dict[str, Any] = {
        part: [
            layered(key, name, f"mIoU {percent(score[name])}", views[name], {"": views[name]})
            for name, key in names.items()
        ]
        for part, names in keys.items()
    }
    every_key = keys["worst"] | keys["best"]
    return {
        **pictures,
        "gallery": gallery(views, scored.names, miou, accuracy, every_key),
        "images": len(scored),
    }

"""`report.html` of an evaluation: at the end of a training, and of `evaluate.py`."""

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
from segmentation.report.charts.slices import Slices, read_slices, slices_chart
from segmentation.report.evaluation import class_colors, image_scores, read_evaluation
from segmentation.report.pages.plots_page import write_plots_page
from segmentation.report.pictures import (
    MOST_THUMBNAILS,
    Shown,
    extremes,
    keyed,
    thumbnails,
    whole,
    worst_first,
)
from segmentation.report.settings import kept_facts, kept_settings, settings_grid, texts
from segmentation.report.table import Cell, Grid, interval, number, points
from segmentation.runs.directory import REPORT, read_metrics
from segmentation.runs.scored_images import ScoredImages
from segmentation.runs.views import FILE as VIEWS
from segmentation.runs.views import read_views

WHOLE = 12
"""So many of the worst and of the best images are shown whole."""
TILES = (
    ("pixel_accuracy", "pixel accuracy"),
    ("mean_accuracy", "mean accuracy"),
    ("dice", "Dice"),
    ("frequency_weighted_iou", "frequency-weighted IoU"),
    ("boundary_iou.mean", "boundary IoU"),
    ("boundary_f.mean", "boundary F-score"),
    ("calibration.ece", "calibration error (ECE)"),
)
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
"""So many characters of a hash tell models apart."""


def write_evaluation_page(directory: Path, run: Path | None) -> Path:
    """Write `report.html` into an evaluation, and return its path.

    What the directory does not hold is left out of the page, which says so. So are slices that
    cannot be read.

    Args:
        directory: it holds `metrics.json` and what else was scored.
        run: the run directory of the model, which may be the same; None where there is none.

    Raises:
        DataError: its files are damaged or do not belong together.
    """
    found = read_evaluation(directory)
    scored = found.scored
    curves = None if run is None else read_curves(run)
    slices, problem = _slices(directory)
    charts: list[Chart | None] = [None if curves is None else learning_curves(curves)]
    if scored is not None:
        charts += [
            class_scores(found, scored),
            confusion_chart(scored),
            reliability_chart(found, scored),
        ]
    if slices:
        charts.append(slices_chart(slices))
    own = kept_settings(run)
    facts = kept_facts(run)
    write_plots_page(
        directory / REPORT,
        "run.html",
        charts,
        name=(run or directory).absolute().name,
        metrics=found.metrics,
        miou=found.metrics.get("miou"),
        miou_ends=None if found.miou_ends is None else interval(found.miou_ends).text,
        tiles=_tiles(found.metrics),
        slice_problem=problem,
        slice_notes=value_at(found.metrics, "slices.notes") or [],
        facts=_facts(found.metrics),
        intervals=found.metrics.get("intervals") or {},
        warnings=[(text, "") for text in found.metrics.get("warnings") or []],
        legend=class_colors(scored) if scored is not None else {},
        targets=_targets(found.metrics.get("targets") or {}),
        settings=None if own is None else settings_grid(own),
        environment=None
        if facts is None
        else Grid("environment", ["what", "value"], [list(row) for row in texts(facts).items()]),
        commands=_commands(found.metrics, run),
        **_pictures(directory, scored),
    )
    return directory / REPORT


def _slices(directory: Path) -> tuple[Slices, str]:
    """Return the rows of `slices.csv`, or why they cannot be read."""
    try:
        return read_slices(directory), ""
    except DataError as error:
        return [], str(error)


def _tiles(metrics: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return the scores besides mIoU: name, value and how it was found."""
    found = []
    for path, name in TILES:
        value = value_at(metrics, path)
        if isinstance(value, int | float):
            distance = value_at(metrics, f"{path.partition('.')[0]}.distance")
            found.append((name, f"{value:.1%}", str(distance or "")))
    return found


def _facts(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = []
    for key in FACTS:
        value = metrics.get(key)
        if value is None:
            continue
        found.append((key.replace("_", " "), _fact(key, value)))
    return found


def _fact(key: str, value: Any) -> str:
    if key == "class_map":
        return ", ".join(f"{one} → {value[one] or 'never predicted'}" for one in value)
    if key == "weights":
        return str(value)[:FINGERPRINT]
    if key == "size":
        return f"{' x '.join(map(str, value))} pixels (height x width)"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {one}" for name, one in texts(value).items())
    return f"{value:,}" if isinstance(value, int | float) else str(value)


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
        keys = list(dict.fromkeys(key for one in values.values() for key in one))
        rows = [[column, *(number(one.get(key)) for key in keys)] for column, one in values.items()]
        grids.append(Grid("scores of values", ["column", *keys], rows))
    return grids


def _commands(metrics: Mapping[str, Any], run: Path | None) -> list[str]:
    """Return what may be typed next, as a shell reads it."""
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
    """Return what else there is to score: a training scores test where there is one."""
    trained = (run and read_metrics(run)) or {}
    there = ["val"] if run is not None else []
    if trained.get("split") == "test":
        there.append("test")
    return [split for split in there if split != metrics.get("split")]


def _pictures(directory: Path, scored: ScoredImages | None) -> dict[str, Any]:
    """Return the worst and the best images, and the gallery of all."""
    nothing: dict[str, Any] = {"worst": [], "best": [], "gallery": [], "images": 0}
    if scored is None or not (directory / VIEWS).is_file():
        return nothing
    miou, accuracy = image_scores(scored)
    views = read_views(directory, scored.names)
    place = {name: index for index, name in enumerate(scored.names)}
    order = [scored.names[index] for index in worst_first(miou) if not isnan(miou[index])]
    ends = extremes([name for name in order if name in views], WHOLE)
    keys: dict[str, str] = {}
    parts: list[list[Shown]] = []
    for prefix, some in zip(("worst", "best"), ends, strict=True):
        mine = keyed(prefix, some)
        keys |= mine
        parts.append(
            [
                whole(
                    key, name, f"mIoU {percent(miou[place[name]])}", views[name], {"": views[name]}
                )
                for name, key in mine.items()
            ]
        )
    gallery = thumbnails(views, scored.names, miou, accuracy, keys)
    return {
        "worst": parts[0],
        "best": parts[1],
        "gallery": gallery,
        "images": len(scored),
        "most": MOST_THUMBNAILS,
    }

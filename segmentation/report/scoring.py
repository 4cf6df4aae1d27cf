"""`report.html` of a scoring: at the end of a training, and of `evaluate.py`."""

from collections.abc import Mapping
from math import isnan
from pathlib import Path
from typing import Any

from segmentation.console import argument
from segmentation.evaluation.stored import ScoredImages
from segmentation.report.chart import Chart
from segmentation.report.class_bars import class_bars
from segmentation.report.confusion import confusion_map
from segmentation.report.curves import learning_curves, read_curves
from segmentation.report.page import FILE, write_report_page
from segmentation.report.pictures import (
    MOST_THUMBNAILS,
    Shown,
    extremes,
    keyed,
    percent,
    thumbnails,
    whole,
    worst_first,
)
from segmentation.report.reliability import reliability
from segmentation.report.scores import class_colors, image_scores, read_scoring, value_of
from segmentation.report.settings import flat, read_facts, read_settings, settings_grid
from segmentation.report.slices import read_slices, slices_chart
from segmentation.report.table import Cell, Grid, interval, number, points
from segmentation.views import FILE as VIEWS
from segmentation.views import read_views

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
    "epoch",
    "encoder_weights",
    "parameters",
    "latency_ms",
    "seconds",
    "precision",
    "inference",
    "data_fingerprint",
)


def write_scoring_report(scoring: Path, run: Path | None) -> Path:
    """Write `report.html` into a scoring directory, and return its path.

    What the directory does not hold is left out of the page, which says so.

    Args:
        scoring: it holds `metrics.json` and what else was scored.
        run: the run directory of the model, which may be the same; None where there is none.

    Raises:
        DataError: files of the scoring are damaged or do not belong together.
    """
    found = read_scoring(scoring)
    scored = found.scored
    curves = None if run is None else read_curves(run)
    slices = read_slices(scoring)
    charts: list[Chart | None] = [None if curves is None else learning_curves(curves)]
    if scored is not None:
        charts += [class_bars(found, scored), confusion_map(scored), reliability(found, scored)]
    if slices:
        charts.append(slices_chart(slices))
    own = read_settings(run)
    facts = read_facts(run)
    write_report_page(
        scoring / FILE,
        "run.html",
        charts,
        name=(run or scoring).absolute().name,
        metrics=found.metrics,
        miou=found.metrics.get("miou"),
        miou_ends=None if found.miou_ends is None else interval(found.miou_ends).text,
        tiles=_tiles(found.metrics),
        facts=_facts(found.metrics),
        intervals=found.metrics.get("intervals") or {},
        warnings=[(text, "") for text in found.metrics.get("warnings") or []],
        legend=class_colors(scored) if scored is not None else {},
        targets=_targets(found.metrics.get("targets") or {}),
        settings=None if own is None else settings_grid(own),
        environment=None
        if facts is None
        else Grid("environment", ["what", "value"], [list(row) for row in flat(facts).items()]),
        commands=_commands(found.metrics, run),
        **_pictures(scoring, scored),
    )
    return scoring / FILE


def _tiles(metrics: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return the scores besides mIoU: name, value and how it was found."""
    found = []
    for path, name in TILES:
        value = value_of(metrics, *path.split("."))
        if isinstance(value, int | float):
            distance = value_of(metrics, path.split(".")[0], "distance")
            found.append((name, f"{value:.1%}", str(distance or "")))
    return found


def _facts(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = []
    for key in FACTS:
        value = metrics.get(key)
        if value is None:
            continue
        text = f"{value:,}" if isinstance(value, int | float) else str(value)
        if isinstance(value, Mapping):
            text = ", ".join(f"{name}: {one}" for name, one in flat(value).items())
        found.append((key.replace("_", " "), text))
    return found


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
    """Return what may be typed next."""
    model = str(metrics.get("model") or run or "<run>")
    other = "val" if metrics.get("split") == "test" else "test"
    overlay = " overlay=true" if "miou" in metrics else ""
    commands = [
        f"python evaluate.py {argument('run', model)} split={other}",
        f"python predict.py {argument('model', model)} input=<images> output=<folder>{overlay}",
    ]
    if run is not None and "miou" in metrics:
        commands.append(f"python compare.py 'runs=[{run},<another run>]'")
    return commands


def _pictures(scoring: Path, scored: ScoredImages | None) -> dict[str, Any]:
    """Return the worst and the best images, and the gallery of all."""
    nothing: dict[str, Any] = {"worst": [], "best": [], "gallery": [], "images": 0}
    if scored is None or not (scoring / VIEWS).is_file():
        return nothing
    miou, accuracy = image_scores(scored)
    views = read_views(scoring, scored.names)
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

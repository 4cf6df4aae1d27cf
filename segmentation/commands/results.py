"""Write and show the results of a pass over a split."""

from collections.abc import Collection, Iterator, Sequence
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np

from segmentation.classes import ClassTable
from segmentation.data.dataset import SegmentationDataset
from segmentation.evaluation.statistics.intervals import interval_facts
from segmentation.pictures import evenly_spaced, save_pictures, viewed
from segmentation.report.terminal.scores import show_scores, show_target_scores
from segmentation.runs.directory import METRICS, REPORT, SLICES_FILE, read_metrics
from segmentation.runs.results import Results, write_results
from segmentation.runs.scored_images import ScoredImages
from segmentation.runs.views import (
    MOST_VIEWS,
    View,
    encode_labels,
    encode_photo,
    recoloured,
    small,
    write_views,
)
from segmentation.system.packages import missing_packages
from segmentation.training.scoring import ScoringModule

EXTRA = "report"
"""Of pyproject.toml: brings what intervals and `report.html` need. A training says at its start
that it goes without; `evaluate` requires it."""


def report(
    directory: Path,
    title: str,
    module: ScoringModule,
    dataset: SegmentationDataset,
    pixels: np.ndarray,
    left_out: Collection[str],
    **facts: Any,
) -> Results:
    """Write scores, the counts and predictions of every image, and pictures; print the tables.

    `metrics.json` is removed first and written last, so that a directory with it is complete.

    Args:
        directory: of the results.
        title: of the tables.
        module: after its pass over the split.
        dataset: the split.
        pixels: (C,) its labelled pixels of each class.
        left_out: names of unreadable images.
        facts: further content of `metrics.json`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    discard_evaluation(directory)
    readable = [name not in left_out for name in dataset.names]
    names = list(compress(dataset.names, readable))
    scored = None
    if module.classes is not None and module.confusion is not None:
        save_pictures(module.model, dataset, module.classes, directory / "pictures.png")
        details = {
            name: dataset.per_image(counts)
            for name, counts in module.details.items()
            if isinstance(counts, np.ndarray)
        }
        confusion = dataset.per_image(module.confusion)
        scored = ScoredImages.from_counts(
            directory, dataset.names, module.classes, confusion, details
        ).select(np.array(readable, dtype=bool))
        shown = {  # of images that come in tiles there are no views
            dataset.names[index]: view
            for (index, window), view in zip(
                dataset.tiles, module.details.get("view", []), strict=False
            )
            if window is None and readable[index]
        }
        write_views(directory, _views(list(shown), list(shown.values()), dataset, module.classes))
        facts = {"intervals": _intervals(scored) if names else None, **facts}
    predictions = module.predictions
    if predictions is not None:
        predictions = predictions.select(np.array(readable))
    results = write_results(directory, scored, names, predictions, **facts)
    if results.segmentation is not None:
        show_scores(title, read_metrics(directory) or {}, pixels)
    if results.targets is not None and module.predictions is not None:
        show_target_scores(title, results.targets, module.predictions.columns)
    return results


def _intervals(scored: ScoredImages) -> dict[str, Any] | None:
    """Return the intervals for `metrics.json`; None without the packages they need."""
    return None if missing_packages(EXTRA) else interval_facts(scored)


def training_warnings(run: Path | None) -> list[str]:
    """Return the warnings of a training, such as random encoder weights."""
    metrics = None if run is None else read_metrics(run)
    return (metrics or {}).get("warnings", [])


def write_page(directory: Path, run: Path | None) -> None:
    """Write `report.html` of a complete evaluation, if the packages for it are installed."""
    if missing_packages(EXTRA):
        return
    # Plotly takes a second to import.
    from segmentation.report.evaluation_page import write_evaluation_page

    write_evaluation_page(directory, run)


def _views(
    names: Sequence[str],
    predicted: Sequence[bytes],
    dataset: SegmentationDataset,
    classes: ClassTable,
) -> Iterator[tuple[str, View]]:
    """Yield small pictures of the images, at most `MOST_VIEWS` of them, evenly spaced.

    Args:
        names: of the scored images.
        predicted: their labels as PNGs; empty where none were made.
        dataset: the split.
        classes: of the model.
    """
    place = {name: index for index, name in enumerate(dataset.names)}
    for index in evenly_spaced(len(predicted), MOST_VIEWS):
        (image, truth), failed = dataset.read(place[names[index]])
        if failed:  # since it was scored
            continue
        shown = dataset.pairs.reader.channels.shown
        photo = encode_photo(viewed(image, shown), small(truth.shape))
        prediction = recoloured(predicted[index], classes)
        yield names[index], View(photo, encode_labels(truth, classes), prediction)


def discard_evaluation(directory: Path) -> None:
    """Remove the files that mark an evaluation as complete, so that two are never mixed up."""
    for name in (METRICS, REPORT, SLICES_FILE):
        (directory / name).unlink(missing_ok=True)

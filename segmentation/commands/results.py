"""What a pass over a split gave: kept in a directory, and shown."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from segmentation import console, runs
from segmentation.data.dataset import SegmentationDataset
from segmentation.pictures import save_pictures
from segmentation.training.scoring import ScoringModule


def report(
    directory: Path,
    title: str,
    module: ScoringModule,
    dataset: SegmentationDataset,
    pixels: np.ndarray,
    left_out: Collection[str],
    **facts: Any,
) -> runs.Results:
    """Write metrics, what was predicted of every image, and pictures; print the tables.

    Args:
        directory: where they go.
        title: of the tables.
        module: has gone through the split.
        dataset: the split.
        pixels: (C,) its labelled pixels of each class.
        left_out: names of images that could not be read.
        facts: what else `metrics.json` says.
    """
    classes = module.classes
    if classes is not None:
        directory.mkdir(parents=True, exist_ok=True)
        save_pictures(module.model, dataset, classes, directory / "pictures.png")
    results = runs.write_results(
        directory, dataset.names, classes, module.confusion, module.predictions, left_out, **facts
    )
    if classes is not None and results.segmentation is not None:
        console.show_scores(title, results.segmentation, classes.names, pixels)
    if results.targets is not None and module.predictions is not None:
        console.show_target_scores(title, results.targets, module.predictions.columns)
    return results

"""Write predicted image-level targets of each image as a CSV file, beside the truth."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from segmentation.metrics.targets import TargetPredictions
from segmentation.system.files import write_csv
from segmentation.targets import NO_CATEGORY

TARGET_PREDICTIONS = "target_predictions.csv"


def write_predictions(
    path: Path, names: Sequence[str], predictions: TargetPredictions, truth: bool = True
) -> None:
    """Write a row for each image, with all digits, so that every score can be computed again.

    Args:
        path: the file.
        names: of the images.
        predictions: what is written: ``<column>_predicted``, and for a category its
            ``<column>_probability``.
        truth: the columns themselves hold the truth; else it is not known, and they hold the
            prediction, as `targets.csv` would.
    """
    columns, suffix = predictions.columns, "_predicted" if truth else ""
    table: dict[str, list[str]] = {"image": list(names)}
    if columns.category is not None:
        chosen = predictions.predicted_category
        if truth:
            table[columns.category] = [
                "" if index == NO_CATEGORY else columns.categories[index]
                for index in predictions.category
            ]
        table[f"{columns.category}{suffix}"] = [columns.categories[index] for index in chosen]
        table[f"{columns.category}_probability"] = _cells(
            np.take_along_axis(predictions.probabilities, chosen[:, None], axis=1)[:, 0]
        )
    for index, column in enumerate(columns.values):
        if truth:
            table[column] = _cells(predictions.values[:, index])
        table[f"{column}{suffix}"] = _cells(predictions.predicted[:, index])
    write_csv(path, table)


def _cells(numbers: np.ndarray) -> list[str]:
    """Return the shortest text from which each `float32` can be read again; none for NaN."""
    return ["" if np.isnan(number) else str(np.float32(number)) for number in numbers]

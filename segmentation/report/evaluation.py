"""The files of an evaluation, read for the pages; missing parts are None."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segmentation.config import value_at
from segmentation.metrics.scores import ious, pixel_counts, ratio
from segmentation.runs.directory import MATRICES, read_metrics
from segmentation.runs.per_image_file import read_scored
from segmentation.runs.scored_images import ScoredImages

OVERALL = {
    "pixel_accuracy": "pixel accuracy",
    "mean_accuracy": "mean accuracy",
    "dice": "Dice",
    "frequency_weighted_iou": "frequency-weighted IoU",
    "boundary_iou.mean": "boundary IoU",
    "boundary_f.mean": "boundary F",
    "calibration.ece": "calibration error (ECE)",
}
"""Dotted key in metrics.json -> name, of each score over all classes besides mIoU."""


def overall_score(metrics: Mapping[str, Any], key: str) -> float | None:
    """Return the score of a key of `OVERALL`; None if it is not known."""
    value = value_at(metrics, key)
    return value if isinstance(value, int | float) else None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The content of an evaluation directory.

    Attributes:
        metrics: the content of metrics.json.
        scored: the confusion matrices; None if the model does not segment.
    """

    metrics: dict[str, Any]
    scored: ScoredImages | None

    @property
    def miou_ends(self) -> list[float] | None:
        """The interval of mIoU."""
        return (self.metrics.get("intervals") or {}).get("miou")

    def class_ends(self, name: str) -> list[float] | None:
        """Return the interval of a class's IoU."""
        return ((self.metrics.get("intervals") or {}).get("iou") or {}).get(name)

    def of_class(self, part: str, name: str) -> float | None:
        """Return a class's value of a score that metrics.json splits into classes and mean."""
        return ((self.metrics.get(part) or {}).get("classes") or {}).get(name)


def read_evaluation(directory: Path) -> Evaluation:
    """Read an evaluation directory.

    Raises:
        DataError: its files are damaged or do not belong together.
    """
    scored = read_scored(directory) if (directory / MATRICES).is_file() else None
    metrics = (read_metrics(directory) or {}) if scored is None else scored.metrics
    return Evaluation(metrics, scored)


def image_scores(scored: ScoredImages) -> tuple[np.ndarray, np.ndarray]:
    """Compute mIoU and pixel accuracy of each image, (n,) each; NaN without a labelled pixel."""
    correct, union = pixel_counts(scored.confusion)
    labelled = scored.confusion.sum(axis=(1, 2))
    return ious(correct, union)[:, -1], ratio(correct.sum(axis=1), labelled)


def class_colors(scored: ScoredImages) -> dict[str, str]:
    """Return the CSS colours of the classes; none for an evaluation of an older version."""
    if scored.colors is None:
        return {}
    return {
        name: f"rgb({', '.join(map(str, color))})"
        for name, color in zip(scored.classes, scored.colors.tolist(), strict=True)
    }

"""The images of a split with the pixels that a model's predictions count in each of them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from segmentation.classes import ClassTable
from segmentation.metrics.boundary import (
    BAND_WORDS,
    TOLERANCE_WORDS,
    boundary_f,
    boundary_iou,
)
from segmentation.metrics.calibration import BINS, calibration
from segmentation.metrics.scores import ratio, scores
from segmentation.system.files import jsonable

DETAILS = {"boundary": (2,), "boundary_f": (4,), "calibration": (BINS, 3)}
"""The counts of each class in each image besides its confusion matrix, and their shapes."""


@dataclass(frozen=True, eq=False)
class ScoredImages:
    """The counts of n images, and of which evaluation they are.

    Attributes:
        names: of the images, without repeats.
        confusion: `int64` (n, C, C) pixel counts; rows are the truth, void is not counted.
        classes: names of the C classes.
        source: the evaluation's directory.
        metrics: the contents of its `metrics.json`; empty before that is written.
        data_fingerprint: a hash of images and masks; None where it is not known.
        colors: `uint8` (C, 3) of the classes; this and the following are None where not counted.
        boundary: `int64` (n, C, 2), see `segmentation.metrics.boundary.band_counts`.
        boundary_f: `int64` (n, C, 4), see `segmentation.metrics.boundary.contour_counts`.
        calibration: `int64` (n, C, BINS, 3), see `segmentation.metrics.counting`.
    """

    names: tuple[str, ...]
    confusion: np.ndarray
    classes: tuple[str, ...]
    source: Path
    metrics: dict[str, Any] = field(default_factory=dict)
    data_fingerprint: str | None = None
    colors: np.ndarray | None = None
    boundary: np.ndarray | None = None
    boundary_f: np.ndarray | None = None
    calibration: np.ndarray | None = None

    @classmethod
    def from_counts(
        cls,
        source: Path,
        names: Sequence[str],
        classes: ClassTable,
        confusion: np.ndarray,
        details: Mapping[str, Any] | None = None,
    ) -> "ScoredImages":
        """Make it from the counts of a pass over a split.

        Args:
            source: the directory that the counts are written to.
            names: of the n images.
            classes: of the model.
            confusion: `int64` (n, C, C), rows are the truth.
            details: further counts by name, see `DETAILS`; other keys are ignored.
        """
        counts = {name: values for name, values in (details or {}).items() if name in DETAILS}
        colors = np.array(classes.colors, np.uint8).reshape(-1, 3)
        return cls(tuple(names), confusion, classes.names, source, colors=colors, **counts)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def truth(self) -> np.ndarray:
        """The labelled pixels of each class in each image, `int64` (n, C)."""
        return self.confusion.sum(axis=2)

    @property
    def details(self) -> dict[str, np.ndarray]:
        """The counts besides the confusion matrices, by name."""
        details = {name: getattr(self, name) for name in DETAILS}
        return {name: values for name, values in details.items() if values is not None}

    def select(self, images: np.ndarray) -> "ScoredImages":
        """Return a part of the images: a mask, `bool` (n,), or indices in their new order."""
        names = tuple(np.array(self.names, dtype=object)[images])
        details = {name: values[images] for name, values in self.details.items()}
        return replace(self, names=names, confusion=self.confusion[images], **details)

    def ordered_like(self, names: Sequence[str]) -> "ScoredImages":
        """Return the images in the order of `names`, a permutation of their own."""
        place = {name: index for index, name in enumerate(self.names)}
        return self.select(np.array([place[name] for name in names], dtype=np.int64))

    def split_scores(self) -> dict[str, Any]:
        """Compute the scores of the split as `metrics.json` keeps them; None for NaN."""
        result = scores(self.confusion.sum(axis=0)).to_dict(self.classes)
        if self.boundary is not None:
            iou = boundary_iou(self.boundary.sum(axis=0))
            result["boundary_iou"] = {"mean": iou.mean, "distance": BAND_WORDS}
            result["boundary_iou"]["classes"] = self._by_name(iou.classes)
        if self.boundary_f is not None:
            f = boundary_f(self.boundary_f.sum(axis=0))
            result["boundary_f"] = {"mean": f.mean, "distance": TOLERANCE_WORDS}
            result["boundary_f"]["classes"] = self._by_name(f.classes)
        if self.calibration is not None:
            reliability = calibration(self.calibration.sum(axis=0))
            result["calibration"] = {"ece": reliability.ece, "bins": BINS}
            result["calibration"]["classes"] = self._by_name(reliability.classes)
        return jsonable(result)

    def image_table(self) -> dict[str, list[Any]]:
        """Compute the columns of `per_image.csv`, a row for each image; NaN where undefined."""
        columns = defaultdict[str, list[Any]](list)
        for index, name in enumerate(self.names):
            image = scores(self.confusion[index])
            row = {"image": name, "miou": image.miou, "pixel_accuracy": image.pixel_accuracy}
            row |= {f"iou/{key}": value for key, value in self._by_name(image.iou).items()}
            if self.boundary is not None:
                row["boundary_iou"] = boundary_iou(self.boundary[index]).mean
            if self.boundary_f is not None:
                row["boundary_f"] = boundary_f(self.boundary_f[index]).mean
            if self.calibration is not None:
                row["ece"] = calibration(self.calibration[index]).ece
            for column, value in row.items():
                columns[column].append(value)
        return columns

    def confusion_table(self) -> dict[str, list[Any]]:
        """Return the columns of `confusion.csv`: a row per pair of classes, normalised both ways."""
        pixels = self.confusion.sum(axis=0)
        columns = {
            "truth": np.repeat(self.classes, len(self.classes)),
            "predicted": np.tile(self.classes, len(self.classes)),
            "pixels": pixels,
            "share_of_truth": ratio(pixels, pixels.sum(axis=1, keepdims=True)),
            "share_of_prediction": ratio(pixels, pixels.sum(axis=0, keepdims=True)),
        }
        return {name: column.ravel().tolist() for name, column in columns.items()}

    def _by_name(self, values: np.ndarray) -> dict[str, float]:
        return dict(zip(self.classes, values.tolist(), strict=True))

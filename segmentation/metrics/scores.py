"""Predictions and labels -> confusion matrix -> mIoU and the other scores.

Every score is computed from confusion matrices alone, so that what a run directory keeps is enough
to compute any of them again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


def pixel_counts(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what IoU needs of each image: pixels in the intersection and in the union.

    Args:
        confusion: integers (n, C, C), rows are the truth.

    Returns:
        TP and TP + FP + FN, each `float64` (n, C).
    """
    correct = np.diagonal(confusion, axis1=1, axis2=2).astype(np.float64)
    union = confusion.sum(axis=2) + confusion.sum(axis=1) - correct
    return correct, union


def ious(correct: np.ndarray, union: np.ndarray) -> np.ndarray:
    """Return the IoU of every class and, in the last column, their mean.

    IoU of class c is TP / (TP + FP + FN) (Jaccard 1912; Everingham et al. 2010, eq. 1). A class
    that occurs neither in the truth nor in the predictions of a resample is NaN there and left out
    of the resample's mean; with no class at all the mean is NaN too.

    Args:
        correct: TP, summed over images, `float64` (B, C).
        union: TP + FP + FN, likewise.

    Returns:
        `float64` (B, C + 1), fractions: the classes, then mIoU.
    """
    count, classes = correct.shape
    result = np.full((count, classes + 1), np.nan)
    np.divide(correct, union, out=result[:, :classes], where=union != 0)
    present = union != 0
    # The order of additions decides the last digit, so zeros may not stand in for absent classes.
    for number in np.unique(present.sum(axis=1)):
        if number:
            rows = np.flatnonzero(present.sum(axis=1) == number)
            values = result[rows, :classes][present[rows]].reshape(-1, number)
            result[rows, classes] = values.mean(axis=1)
    return result


@dataclass(frozen=True)
class Scores:
    """The scores of one confusion matrix; all are fractions between 0 and 1.

    Attributes:
        miou: mean Jaccard index over the classes that occur in the truth or in the predictions.
        frequency_weighted_iou: mean Jaccard index, each class weighted by its share of the truth
            (Long et al. 2015, sec. 5).
        pixel_accuracy: share of the labelled pixels that are right.
        mean_accuracy: mean recall over the classes that occur in the truth.
        dice: mean Dice coefficient (F1) over the same classes as `miou`.
        iou: (C,) Jaccard index of each class, NaN where it does not occur.
        accuracy: (C,) recall of each class, NaN where it does not occur in the truth.
    """

    miou: float
    frequency_weighted_iou: float
    pixel_accuracy: float
    mean_accuracy: float
    dice: float
    iou: np.ndarray
    accuracy: np.ndarray

    def to_dict(self, names: Sequence[str]) -> dict:
        """Return plain values with one entry for each class; None stands for "does not occur"."""
        return {
            "miou": _number(self.miou),
            "frequency_weighted_iou": _number(self.frequency_weighted_iou),
            "pixel_accuracy": _number(self.pixel_accuracy),
            "mean_accuracy": _number(self.mean_accuracy),
            "dice": _number(self.dice),
            "iou": {name: _number(value) for name, value in zip(names, self.iou, strict=True)},
            "accuracy": {
                name: _number(value) for name, value in zip(names, self.accuracy, strict=True)
            },
        }


def scores(confusion: np.ndarray) -> Scores:
    """Compute the scores of a confusion matrix.

    IoU is that of `ious`. A class that occurs neither in the truth nor in the predictions is left
    out of the means; with no labelled pixel at all every score is NaN.

    Args:
        confusion: (C, C) counts, rows are the truth; one image's or the sum over a split.
    """
    confusion = np.asarray(confusion, dtype=np.float64)
    correct, union = pixel_counts(confusion[None])
    *iou, miou = ious(correct, union)[0]
    correct, iou = correct[0], np.array(iou)
    truth = confusion.sum(axis=1)
    predicted = confusion.sum(axis=0)
    accuracy = ratio(correct, truth)
    return Scores(
        miou=float(miou),
        frequency_weighted_iou=float(ratio((truth * np.nan_to_num(iou)).sum(), truth.sum())),
        pixel_accuracy=float(ratio(correct.sum(), confusion.sum())),
        mean_accuracy=_mean(accuracy),
        dice=_mean(ratio(2 * correct, truth + predicted)),
        iou=iou,
        accuracy=accuracy,
    )


def _mean(values: np.ndarray) -> float:
    present = values[~np.isnan(values)]
    return float(present.mean()) if present.size else float("nan")


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def ratio(part: ArrayLike, whole: ArrayLike, empty: float = np.nan) -> np.ndarray:
    """Return part / whole, `float64`, and `empty` where `whole` is 0; shapes are broadcast."""
    part, whole = np.broadcast_arrays(np.asarray(part, np.float64), np.asarray(whole, np.float64))
    return np.divide(part, whole, out=np.full(whole.shape, float(empty)), where=whole != 0)

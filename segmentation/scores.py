"""Predictions and labels -> confusion matrix -> mIoU and the other scores.

Every score is computed from confusion matrices alone, so that what a run directory keeps is enough
to compute any of them again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from segmentation.classes import VOID
from segmentation.ratio import ratio


def confusion_matrix(labels: Tensor, predictions: Tensor, num_classes: int) -> Tensor:
    """Count the pixels of one image by true and by predicted class.

    Args:
        labels: integers, any shape; `VOID` is not counted.
        predictions: integers 0..num_classes-1, the same shape.
        num_classes: how many classes there are.

    Returns:
        `int64` (num_classes, num_classes): rows are the truth, columns the prediction.
    """
    # Void is counted into a bin of its own and cut off: indexing by a mask would stop the device
    # to learn how many pixels are left.
    truth = torch.where(labels == VOID, num_classes, labels.long())
    cells = truth.flatten() * num_classes + predictions.long().flatten()
    counts = cells.new_zeros(num_classes * (num_classes + 1))
    counts.scatter_add_(0, cells, torch.ones_like(cells))  # bincount would wait for the device
    return counts[: num_classes * num_classes].reshape(num_classes, num_classes)


def label_map(logits: Tensor, size: Sequence[int]) -> Tensor:
    """Return the predicted label of every pixel at another resolution.

    Logits are upsampled (bilinear) before the argmax: labels themselves are never resized.

    Args:
        logits: float (N, C, H, W).
        size: (height, width) of the result.

    Returns:
        `int64` (N, height, width), values 0..C-1.
    """
    return upsampled(logits, size).argmax(dim=1)


def upsampled(logits: Tensor, size: Sequence[int]) -> Tensor:
    """Return logits (N, C, H, W) at another resolution (height, width), bilinear."""
    if logits.shape[-2:] == torch.Size(size):
        return logits
    return F.interpolate(logits.float(), size=tuple(size), mode="bilinear")


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

    IoU of class c is TP / (TP + FP + FN) (Jaccard 1912; Everingham et al. 2010, eq. 1). A class
    that occurs neither in the truth nor in the predictions has none and is left out of the means;
    with no labelled pixel at all every score is NaN.

    Args:
        confusion: (C, C) counts, rows are the truth; one image's or the sum over a split.
    """
    confusion = np.asarray(confusion, dtype=np.float64)
    correct = np.diag(confusion)
    truth = confusion.sum(axis=1)
    predicted = confusion.sum(axis=0)
    iou = ratio(correct, truth + predicted - correct)
    accuracy = ratio(correct, truth)
    return Scores(
        miou=_mean(iou),
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

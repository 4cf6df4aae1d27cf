"""From logits and labels to counts: label maps, confusion matrices, confidence bins."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from segmentation.classes import VOID
from segmentation.metrics.calibration import BINS, UNIT


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


def confidence_counts(labels: Tensor, logits: Tensor) -> Tensor:
    """Count the pixels of one image by predicted class and by confidence.

    The confidence of a pixel is its largest softmax probability.

    Args:
        labels: integers (H, W); `VOID` is not counted.
        logits: float (C, H, W).

    Returns:
        `int64` (C, BINS, 3): pixels, those of them that are right, and the sum of their
        confidences in `UNIT`.
    """
    num_classes = len(logits)
    confidence, predicted = logits.float().softmax(dim=0).max(dim=0)
    bin_ = (confidence * BINS).ceil().long().clamp(1, BINS) - 1  # (lower, upper] as Guo et al.
    # Void is counted into a class of its own and cut off, as in `confusion_matrix`.
    cell = torch.where(labels == VOID, num_classes, predicted) * BINS + bin_
    values = torch.stack(
        [
            torch.ones_like(cell),
            (labels.long() == predicted).long(),
            (confidence * UNIT).round().long(),
        ]
    ).flatten(1)
    sums = values.new_zeros(3, (num_classes + 1) * BINS)
    sums.scatter_add_(1, cell.flatten().expand(3, -1), values)
    return sums[:, : num_classes * BINS].reshape(3, num_classes, BINS).permute(1, 2, 0)

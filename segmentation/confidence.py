"""Pixels counted by the confidence with which they were predicted."""

import torch
from torch import Tensor

from segmentation.calibration import BINS, UNIT
from segmentation.classes import VOID


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

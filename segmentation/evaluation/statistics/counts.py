"""Pixel counts of each image that IoU needs, and each image's influence on the scores.

Counts are whole numbers below 2^53, so sums in `float64` are exact.
"""

from dataclasses import dataclass

import numpy as np

from segmentation.metrics.scores import ious, pixel_counts, ratio


@dataclass(frozen=True, eq=False)
class Counts:
    """Pixel counts of n images, a C-th of the size of their confusion matrices.

    Attributes:
        correct: TP, `float64` (n, C).
        union: TP + FP + FN, `float64` (n, C).
        truth: TP + FN, `int64` (n, C).
    """

    correct: np.ndarray
    union: np.ndarray
    truth: np.ndarray

    @classmethod
    def of(cls, confusion: np.ndarray) -> "Counts":
        """Return the counts of confusion matrices, integer (n, C, C), rows are the truth."""
        return cls(*pixel_counts(confusion), confusion.sum(axis=2))

    def part(self, chosen: np.ndarray) -> "Counts":
        """Return all n images with zeros for those not chosen, `bool` (n,)."""
        mask = chosen[:, None]
        return Counts(self.correct * mask, self.union * mask, self.truth * mask)

    def rows(self, indices: np.ndarray) -> "Counts":
        """Return the images at some indices, in that order."""
        return Counts(self.correct[indices], self.union[indices], self.truth[indices])


def influence(correct: np.ndarray, union: np.ndarray) -> np.ndarray:
    """Return the influence of each image on every IoU and on mIoU.

    With IoU_c = sum TP / sum U, that of image i is n (TP_ic - IoU_c U_ic) / sum U_c: the empirical
    influence function of a ratio (Efron and Tibshirani 1993, ch. 21; Davison and Hinkley 1997,
    sec. 2.7). Each column sums to zero, and its variance over n is the variance of the score.

    Args:
        correct: TP of each image, (n, C).
        union: TP + FP + FN of each image, (n, C).

    Returns:
        `float64` (n, C + 1): the classes, then mIoU; NaN for a class that does not occur.
    """
    total = union.sum(axis=0)
    score = ious(correct.sum(axis=0)[None], total[None])[0, :-1]
    share = ratio(len(union), total)
    classes = (correct - score * union) * share
    present = total != 0
    mean = classes[:, present].mean(axis=1) if present.any() else np.full(len(union), np.nan)
    return np.column_stack([classes, mean])

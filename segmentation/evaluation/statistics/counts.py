"""IoU and mIoU of many resamples at once, from what each image counts.

The formulas are those of `segmentation.metrics.scores`, which serves one confusion matrix. Both
agree to the last digit: counts are whole numbers below 2^53, so their sums are exact.
"""

from dataclasses import dataclass

import numpy as np

from segmentation.metrics.scores import ious, pixel_counts, ratio


@dataclass(frozen=True, eq=False)
class Counts:
    """The pixels of n images that IoU needs: a C-th of what confusion matrices take.

    Attributes:
        correct: TP, `float64` (n, C).
        union: TP + FP + FN, `float64` (n, C).
        truth: labelled pixels, TP + FN, `int64` (n, C).
    """

    correct: np.ndarray
    union: np.ndarray
    truth: np.ndarray

    @classmethod
    def of(cls, confusion: np.ndarray) -> "Counts":
        """Count integers (n, C, C), rows are the truth."""
        return cls(*pixel_counts(confusion), confusion.sum(axis=2))

    def part(self, chosen: np.ndarray) -> "Counts":
        """Return the same n images, of which only the chosen ones, `bool` (n,), count."""
        kept = chosen[:, None]
        return Counts(self.correct * kept, self.union * kept, self.truth * kept)

    def rows(self, indices: np.ndarray) -> "Counts":
        """Return some of the images, in the order of their indices."""
        return Counts(self.correct[indices], self.union[indices], self.truth[indices])


def influence(correct: np.ndarray, union: np.ndarray) -> np.ndarray:
    """Return how much each image moves every IoU and mIoU: the linear part of the scores.

    With IoU_c = sum TP / sum U, image i moves it by n (TP_ic - IoU_c U_ic) / sum U_c: the empirical
    influence function of a ratio (Efron and Tibshirani 1993, ch. 21; Davison and Hinkley 1997,
    sec. 2.7). Each column sums to zero, and its variance over n is the variance of the score.

    Args:
        correct: TP of each image, (n, C).
        union: TP + FP + FN of each image, (n, C).

    Returns:
        `float64` (n, C + 1): the classes, then mIoU. A class that occurs nowhere is NaN.
    """
    total = union.sum(axis=0)
    score = ious(correct.sum(axis=0)[None], total[None])[0, :-1]
    share = ratio(len(union), total)
    classes = (correct - score * union) * share
    present = total != 0
    mean = classes[:, present].mean(axis=1) if present.any() else np.full(len(union), np.nan)
    return np.column_stack([classes, mean])

"""Whether a model's confidence is its accuracy: the reliability diagram and its error."""

from dataclasses import dataclass

import numpy as np

from segmentation.metrics.scores import ratio

BINS = 15
"""Bins of equal width between 0 and 1 (Guo et al. 2017)."""
UNIT = 2**24
"""A confidence is added up as a whole number, of 1/UNIT: then no order of adding matters. `float32`
has no finer steps just below 1."""


@dataclass(frozen=True)
class Calibration:
    """The reliability diagram of a split, and how far it is from the diagonal; fractions.

    Attributes:
        ece: the expected calibration error; NaN without a labelled pixel.
        classes: (C,) the same of the pixels that were predicted to be of each class; NaN for none.
        share: (BINS,) part of the pixels in each bin.
        accuracy: (BINS,) part of a bin's pixels that is right, NaN where it is empty.
        confidence: (BINS,) their mean confidence, likewise.
    """

    ece: float
    classes: np.ndarray
    share: np.ndarray
    accuracy: np.ndarray
    confidence: np.ndarray


def calibration(counts: np.ndarray) -> Calibration:
    """Return the calibration of a split from the counts of `confidence_counts`.

    ECE is the mean of |accuracy - confidence| over bins, weighted by their pixels (Naeini et al.
    2015; Guo et al. 2017, eq. 3).

    Args:
        counts: (C, BINS, 3), one image's or the sum over a split.
    """
    pixels, right, confidence = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
    confidence = confidence / UNIT
    of_bin, of_class = pixels.sum(axis=0), pixels.sum(axis=1)
    gap = np.abs(right.sum(axis=0) - confidence.sum(axis=0)).sum()
    return Calibration(
        ece=float(ratio(gap, of_bin.sum())),
        classes=ratio(np.abs(right - confidence).sum(axis=1), of_class),
        share=ratio(of_bin, of_bin.sum()),
        accuracy=ratio(right.sum(axis=0), of_bin),
        confidence=ratio(confidence.sum(axis=0), of_bin),
    )

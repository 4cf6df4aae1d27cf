"""Holm's correction for many comparisons."""

import numpy as np

from segmentation.evaluation.statistics.intervals import ALPHA


def holm(p: np.ndarray) -> np.ndarray:
    """Return p-values adjusted so that the chance of any false finding stays below the level.

    Holm (1979): with p sorted, the i-th of m (from 1) becomes the largest of (m - j + 1) p_j over
    j <= i, at most 1. It holds whatever the dependence between the comparisons.

    Args:
        p: any shape; NaN is no comparison, is not counted, and stays NaN.

    Returns:
        The same shape.
    """
    values = np.asarray(p, dtype=np.float64)
    adjusted = np.full(values.shape, np.nan)
    known = ~np.isnan(values)
    flat = values[known]
    order = np.argsort(flat)
    raised = np.maximum.accumulate((len(flat) - np.arange(len(flat))) * flat[order])
    result = np.empty(len(flat))
    result[order] = np.minimum(raised, 1.0)
    adjusted[known] = result
    return adjusted


def enough(comparisons: int, resamples: int = 10_000) -> int:
    """Return how many resamples, at least so many, let one of some comparisons be told apart.

    Of B resamples the least p-value is 2 / (B + 1), which Holm multiplies by the number of
    comparisons: with so many resamples that is half of `ALPHA`.
    """
    return max(resamples, int(4 * comparisons / ALPHA))

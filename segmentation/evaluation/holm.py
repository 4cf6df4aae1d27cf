"""Holm's correction for many comparisons."""

import numpy as np


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

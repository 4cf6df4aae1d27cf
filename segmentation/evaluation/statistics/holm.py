"""Holm's correction for many comparisons."""

import numpy as np

from segmentation.evaluation.statistics.intervals import ALPHA


def holm(p: np.ndarray) -> np.ndarray:
    """Adjust p-values so that the chance of any false finding stays below the level (Holm 1979).

    It holds whatever the dependence between the comparisons.

    Args:
        p: any shape; NaN is no comparison, is not counted, and stays NaN.

    Returns:
        The same shape, 0 to 1.
    """
    from statsmodels.stats.multitest import multipletests  # takes a second to import

    adjusted = np.array(p, dtype=np.float64)
    known = ~np.isnan(adjusted)
    if known.any():
        adjusted[known] = multipletests(adjusted[known], method="holm")[1]
    return adjusted


def enough(comparisons: int, resamples: int = 10_000) -> int:
    """Return how many resamples, at least so many, let one of some comparisons be told apart.

    Of B resamples the least p-value is 2 / (B + 1), which Holm multiplies by the number of
    comparisons: with so many resamples that is half of `ALPHA`.
    """
    return max(resamples, int(4 * comparisons / ALPHA))

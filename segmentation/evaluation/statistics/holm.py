"""Holm's correction for multiple comparisons."""

import numpy as np

from segmentation.evaluation.statistics.intervals import ALPHA


def holm(p: np.ndarray) -> np.ndarray:
    """Adjust p-values to control the family-wise error rate under any dependence (Holm 1979).

    Args:
        p: any shape; NaN is not a comparison and stays NaN.

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
    """Return the number of resamples, at least `resamples`, that some comparisons need.

    The least p-value of B resamples is 2 / (B + 1), which Holm multiplies by the number of
    comparisons; with the returned number that product is half of `ALPHA`.
    """
    return max(resamples, int(4 * comparisons / ALPHA))

"""Correct p-values for multiple comparisons."""

from typing import Literal

import numpy as np

from segmentation.evaluation.statistics.intervals import ALPHA

Correction = Literal["none", "holm", "bh"]

METHODS = {"holm": "holm", "bh": "fdr_bh"}
"""Correction -> its name in statsmodels."""


def adjust(p: np.ndarray, correction: Correction = "holm") -> np.ndarray:
    """Adjust p-values for their number.

    Args:
        p: any shape; NaN is not a comparison and stays NaN.
        correction: ``holm`` controls the chance of any false finding under any dependence (Holm
            1979), ``bh`` the expected share of false ones among the findings (Benjamini and
            Hochberg 1995), ``none`` neither.

    Returns:
        The same shape, 0 to 1.
    """
    from statsmodels.stats.multitest import multipletests  # takes a second to import

    adjusted = np.array(p, dtype=np.float64)
    known = ~np.isnan(adjusted)
    if known.any() and correction != "none":
        adjusted[known] = multipletests(adjusted[known], method=METHODS[correction])[1]
    return adjusted


def describe(correction: Correction, comparisons: int) -> str:
    """Describe in a sentence what a correction promises for some comparisons."""
    if comparisons == 1:
        return "p needs no correction: there is one comparison."
    if correction == "none":
        return (
            f"p is not corrected for the {comparisons} pairs: of pairs that are equal, one in "
            f"{round(1 / ALPHA)} is called different."
        )
    if correction == "bh":
        return (
            f"p is corrected by Benjamini and Hochberg's method for all {comparisons} pairs: of "
            f"those called different, {ALPHA:.0%} are equal on average, at most."
        )
    return (
        f"p is corrected by Holm's method for all {comparisons} pairs: the chance of calling even "
        f"one of them different that is not stays below {ALPHA:.0%}."
    )


def enough(comparisons: int, resamples: int = 10_000) -> int:
    """Return the number of resamples, at least `resamples`, that some comparisons need.

    The least p-value of B resamples is 2 / (B + 1), which a correction multiplies by the number of
    comparisons at most; with the returned number that product is half of `ALPHA`.
    """
    return max(resamples, int(4 * comparisons / ALPHA))

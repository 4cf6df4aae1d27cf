"""How many neighbouring frames a block of the bootstrap holds."""

from collections.abc import Sequence

import numpy as np

FEWEST_BLOCKS = 5
"""A block holds at most 1/5 of the images: fewer blocks say nothing about what varies."""
FEWEST_IMAGES = 20
"""With fewer images no autocorrelation can be estimated, and blocks are as long as may be."""


def block_length(series: np.ndarray, sequences: Sequence[np.ndarray]) -> int:
    """Return the block length for a moving block bootstrap of the mean of some series.

    Politis and White (2004), corrected by Patton, Politis and White (2009), as `arch` has it: the
    length that estimates the variance of the mean best. Sequences are laid end to end. Of several
    series the longest length counts: too short a block makes an interval too narrow, too long a one
    only rough.

    Args:
        series: one value for each image and series, (n, m), such as `iou.influence`.
        sequences: positions of the images of each sequence, in order of time.

    Returns:
        A length from 1 to n / 5 (rounded down, at least 1).
    """
    # `arch` brings statsmodels and pandas, seconds of import that only videos need.
    from arch.bootstrap import optimal_block_length

    longest = max(1, len(series) // FEWEST_BLOCKS)
    if len(series) < FEWEST_IMAGES:
        return longest
    ordered = series[np.concatenate(sequences)]
    varying = ordered[:, np.ptp(ordered, axis=0) > 0]
    if not varying.size:
        return 1
    # The length for circular blocks: that of moving blocks is the same in the limit.
    lengths = optimal_block_length(varying)["circular"].to_numpy()
    return int(np.clip(np.ceil(lengths.max()), 1, longest))

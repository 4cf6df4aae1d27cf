"""One row of a table of slices: a mean over some classes, and its difference to other images."""

import numpy as np
import pandas as pd

from segmentation.evaluation.intervals import ALPHA, Estimate, estimates, p_values
from segmentation.evaluation.iou import Counts
from segmentation.evaluation.resampling import Resampling
from segmentation.evaluation.sampled import Sampled
from segmentation.ratio import ratio

FILE = "slices.csv"
RESAMPLES = 10_000
COLUMNS = (
    "slice", "value", "images", "miou", "low", "high",
    "difference", "difference_low", "difference_high", "p_holm",
)  # fmt: skip
"""Of the tables: fractions, the ends of 95% intervals, and what `distinguishable` looks at."""


def distinguishable(table: pd.DataFrame) -> pd.Series:
    """Return which differences of a table are more than chance, `bool`."""
    return table["p_holm"] <= ALPHA


def classes_held(run: Counts, chosen: np.ndarray) -> np.ndarray:
    """Return the classes that the truth of some images, `bool` (n,), holds: `bool` (C,).

    The mean is over these. A class that is only predicted is not among them: its IoU of 0 would
    make images without a class look worse than those with it. Its pixels still count, as errors of
    the classes that are there.
    """
    return run.truth[chosen].sum(axis=0) > 0


def worth(chosen: np.ndarray, resampling: Resampling) -> float:
    """Return how many images some of a split, `bool` (n,), are worth, as `spread` counts them.

    Where images are drawn one by one that is their number. Where blocks are drawn, images crowded
    into a few of them are worth less than as many spread over all: the independent blocks times
    E(w)^2 / E(w^2), w being the images in a block (the effective size of a weighted sample, Kish
    1965, sec. 11.7), times the length of a block.
    """
    held = resampling.sums(chosen.astype(np.float64))
    square = float(resampling.probability @ held**2)
    mean = float(resampling.probability @ held)
    return resampling.length * resampling.independent * mean**2 / square if square else 0.0


def mean_over(sampled: Sampled, classes: np.ndarray, images: float) -> Sampled:
    """Return the mean over some classes, in a resample over those that occur in it, as one score.

    Args:
        sampled: the scores of every class, and of all together.
        classes: which, `bool` (C,); for none the score is NaN.
        images: how many it rests on, see `worth`.
    """
    if not classes.any():
        nothing = np.full((len(sampled.resamples), 1), np.nan)
        return Sampled(nothing[0], nothing, np.zeros((len(sampled.influence), 1)), (), np.zeros(1))
    resamples = sampled.resamples[:, :-1][:, classes]
    there = np.isfinite(resamples)
    count = there.sum(axis=1, keepdims=True)
    total = np.where(there, resamples, 0).sum(axis=1, keepdims=True)
    means = ratio(total, count)
    return Sampled(
        sampled.value[:-1][classes].mean(keepdims=True), means,
        sampled.influence[:, :-1][:, classes].mean(axis=1, keepdims=True), (), np.array([images]),
    )  # fmt: skip


def row(
    attribute: str, value: str, images: int, score: Sampled, difference: Sampled, by: Resampling
) -> dict[str, object]:
    """Return a row with `COLUMNS`; its `p_holm` is not corrected yet."""
    (own,) = estimates(score, by, (0.0, 1.0))
    (other,) = estimates(difference, by, (-1.0, 1.0))
    return {
        "slice": attribute, "value": value, "images": images,
        "miou": own.value, **_ends("low", "high", own),
        "difference": other.value, **_ends("difference_low", "difference_high", other),
        "p_holm": float(p_values(difference, by)[0]),
    }  # fmt: skip


def _ends(low: str, high: str, estimate: Estimate) -> dict[str, float]:
    return {low: estimate.interval.low, high: estimate.interval.high}

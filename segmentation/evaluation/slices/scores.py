"""The scores of slices, with intervals, against those of the images beside them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from segmentation.evaluation.slices.slices import Slice
from segmentation.evaluation.statistics.bootstrap import Sampled, sample_counts
from segmentation.evaluation.statistics.counts import Counts
from segmentation.evaluation.statistics.holm import enough, holm
from segmentation.evaluation.statistics.intervals import ALPHA, Estimate, estimates, p_values
from segmentation.evaluation.statistics.plan import plan
from segmentation.evaluation.statistics.resampling import Resampling
from segmentation.metrics.scores import ratio
from segmentation.runs.scored_images import ScoredImages

SLICES_FILE = "slices.csv"
RESAMPLES = 10_000
COLUMNS = (
    "slice", "value", "images", "miou", "low", "high",
    "difference", "difference_low", "difference_high", "p_holm",
)  # fmt: skip
"""Of the tables: fractions, the ends of 95% intervals, and what `distinguishable` looks at."""
AT_ONCE = 16
"""Slices that are resampled with the same draws: it bounds the memory that they take."""


def score_slices(
    run: ScoredImages, slices: Sequence[Slice], resamples: int = RESAMPLES, seed: int = 0
) -> tuple[pd.DataFrame, Resampling]:
    """Score slices, and compare each with the images beside it.

    The whole split is resampled, in blocks of neighbouring frames where it is video (see `plan`),
    and both sides are scored on what a resample holds of them. With images that are drawn one by
    one that is the bootstrap of two independent samples; a block that has images on both sides
    counts on both. mIoU is over the classes that a slice's truth holds, a difference over those
    that the truth of both sides holds: the mean of the differences by class. p-values are corrected
    for all slices together (Holm); two slices that are each other's rest are one comparison.

    Args:
        run: the scoring.
        slices: of its images.
        resamples: how many at least; more are taken where many slices need them.
        seed: of the draws.

    Returns:
        A table with `COLUMNS`, a row for each slice in their order, and how it was resampled.
    """
    compared = [(frozenset((s.inside.tobytes(), s.outside.tobytes())), s.only) for s in slices]
    resampling = plan([run], resamples=enough(len(set(compared)), resamples), seed=seed)
    counts, rows = Counts.of(run.confusion), []
    for first in range(0, len(slices), AT_ONCE):
        some = slices[first : first + AT_ONCE]
        sides = [counts.part(side) for one in some for side in (one.inside, one.outside)]
        sampled = iter(sample_counts(sides, resampling))
        for one in some:
            inside, outside = next(sampled), next(sampled)
            here, there = _classes(counts, one, one.inside), _classes(counts, one, one.outside)
            images, others = worth(one.inside, resampling), worth(one.outside, resampling)
            score = mean_over(inside, here, images)
            difference = mean_over(inside - outside, here & there, min(images, others))
            number = int(np.count_nonzero(one.inside))
            rows.append(row(one.attribute, one.value, number, score, difference, resampling))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    p = dict(zip(compared, table["p_holm"], strict=True))
    corrected = dict(zip(p, holm(np.array(list(p.values()))).tolist(), strict=True))
    table["p_holm"] = [corrected[key] for key in compared]
    return table, resampling


def _classes(run: Counts, one: Slice, side: np.ndarray) -> np.ndarray:
    held = classes_held(run, side)
    return held if one.only is None else held & (np.arange(len(held)) == one.only)


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

"""Score slices, with intervals, against the other images."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from segmentation.evaluation.slices.slices import Slice
from segmentation.evaluation.statistics.bootstrap import Sampled, sample_counts
from segmentation.evaluation.statistics.correction import adjust, enough
from segmentation.evaluation.statistics.counts import Counts
from segmentation.evaluation.statistics.intervals import ALPHA, estimates, p_values
from segmentation.evaluation.statistics.plan import plan
from segmentation.evaluation.statistics.resampling import Resampling
from segmentation.metrics.scores import ratio
from segmentation.runs.scored_images import ScoredImages

RESAMPLES = 10_000
COLUMNS = (
    "slice", "value", "images", "miou", "low", "high",
    "difference", "difference_low", "difference_high", "p_holm",
)  # fmt: skip
"""Of the tables; scores are fractions, ``low`` and ``high`` the ends of 95% intervals."""
BATCH = 16
"""Slices that are resampled together, which bounds the memory."""


def score_slices(
    run: ScoredImages, slices: Sequence[Slice], resamples: int = RESAMPLES, seed: int = 0
) -> tuple[pd.DataFrame, Resampling]:
    """Score slices, and compare each with the other images.

    The whole split is resampled, in blocks of neighbouring frames if it is a video (see `plan`),
    and both sides are scored on their images in each resample; a block may have images on both
    sides. mIoU is over the classes in the truth of the slice, a difference over those in the truth
    of both sides. p-values are corrected for all slices together (Holm); two slices that are each
    other's complement are one comparison.

    Args:
        run: the evaluation.
        slices: of its images.
        resamples: least number of resamples; many slices need more.
        seed: of the draws.

    Returns:
        A table with `COLUMNS`, a row for each slice in their order, and the resampling.
    """
    compared = [(frozenset((s.inside.tobytes(), s.outside.tobytes())), s.only) for s in slices]
    resampling = plan([run], resamples=enough(len(set(compared)), resamples), seed=seed)
    counts, rows = Counts.of(run.confusion), []
    for first in range(0, len(slices), BATCH):
        batch = slices[first : first + BATCH]
        sides = [counts.part(side) for s in batch for side in (s.inside, s.outside)]
        sampled = iter(sample_counts(sides, resampling))
        for s in batch:
            inside, outside = next(sampled), next(sampled)
            here, there = _classes(counts, s, s.inside), _classes(counts, s, s.outside)
            images, others = worth(s.inside, resampling), worth(s.outside, resampling)
            score = mean_over(inside, here, images)
            difference = mean_over(inside - outside, here & there, min(images, others))
            number = int(np.count_nonzero(s.inside))
            rows.append(row(s.attribute, s.value, number, score, difference, resampling))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    p = dict(zip(compared, table["p_holm"], strict=True))
    corrected = dict(zip(p, adjust(np.array(list(p.values()))).tolist(), strict=True))
    table["p_holm"] = [corrected[key] for key in compared]
    return table, resampling


def _classes(run: Counts, part: Slice, side: np.ndarray) -> np.ndarray:
    held = classes_held(run, side)
    return held if part.only is None else held & (np.arange(len(held)) == part.only)


def distinguishable(table: pd.DataFrame) -> pd.Series:
    """Return which differences of a table are significant, `bool`."""
    return table["p_holm"] <= ALPHA


def classes_held(run: Counts, chosen: np.ndarray) -> np.ndarray:
    """Return the classes in the truth of the chosen images, `bool` (n,), as `bool` (C,).

    mIoU is over these. The IoU of 0 of a class that is only predicted would make images without it
    look worse than those with it; its pixels still count as errors of the other classes.
    """
    return run.truth[chosen].sum(axis=0) > 0


def worth(chosen: np.ndarray, resampling: Resampling) -> float:
    """Return the effective number of the chosen images, `bool` (n,), as `spread` counts them.

    It is their number if images are drawn one by one. With blocks, images crowded into a few of
    them are worth less than as many spread over all: the independent blocks times
    E(w)^2 / E(w^2), w being the chosen images in a block (the effective size of a weighted sample,
    Kish 1965, sec. 11.7), times the length of a block.
    """
    held = resampling.sums(chosen.astype(np.float64))
    square = float(resampling.probability @ held**2)
    mean = float(resampling.probability @ held)
    return resampling.length * resampling.independent * mean**2 / square if square else 0.0


def mean_over(sampled: Sampled, classes: np.ndarray, images: float) -> Sampled:
    """Return the mean over some classes (in a resample, over those that occur) as one score.

    Args:
        sampled: the scores of every class, then mIoU.
        classes: `bool` (C,); without any the score is NaN.
        images: the effective number of images, see `worth`.
    """
    if not classes.any():
        nothing = np.full((len(sampled.resamples), 1), np.nan)
        return Sampled(nothing[0], nothing, np.zeros((len(sampled.influence), 1)), (), np.zeros(1))
    resamples = sampled.resamples[:, :-1][:, classes]
    occurs = np.isfinite(resamples)
    total = np.where(occurs, resamples, 0).sum(axis=1, keepdims=True)
    return Sampled(
        value=sampled.value[:-1][classes].mean(keepdims=True),
        resamples=ratio(total, occurs.sum(axis=1, keepdims=True)),
        influence=sampled.influence[:, :-1][:, classes].mean(axis=1, keepdims=True),
        seeds=(),
        held=np.array([images]),
    )


def row(
    attribute: str, value: str, images: int, score: Sampled, difference: Sampled, by: Resampling
) -> dict[str, object]:
    """Return a row with `COLUMNS`; its `p_holm` is not corrected yet."""
    (own,) = estimates(score, by, (0.0, 1.0))
    (gap,) = estimates(difference, by, (-1.0, 1.0))
    cells = (
        attribute,
        value,
        images,
        *(own.value, own.interval.low, own.interval.high),
        *(gap.value, gap.interval.low, gap.interval.high),
        float(p_values(difference, by)[0]),
    )
    return dict(zip(COLUMNS, cells, strict=True))

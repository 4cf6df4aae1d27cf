"""The scores of slices, with intervals, against those of the images beside them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from segmentation.evaluation.holm import enough, holm
from segmentation.evaluation.iou import Counts
from segmentation.evaluation.plan import plan
from segmentation.evaluation.resampling import Resampling
from segmentation.evaluation.sampled import sample_counts
from segmentation.evaluation.slice_rows import (
    COLUMNS,
    RESAMPLES,
    classes_held,
    mean_over,
    row,
    worth,
)
from segmentation.evaluation.slices import Slice
from segmentation.evaluation.stored import ScoredImages

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

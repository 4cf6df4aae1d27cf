"""Which resampling fits some images: by image, or by block of neighbouring frames."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from segmentation.errors import ConfigError
from segmentation.evaluation.statistics.counts import Counts, influence
from segmentation.evaluation.statistics.resampling import Resampling, by_block, by_image
from segmentation.evaluation.statistics.sequences import find_sequences, is_video
from segmentation.metrics.scores import pixel_counts
from segmentation.runs.scored_images import ScoredImages

FEWEST_RESAMPLES = 100

UNLIKE = "Neighbouring frames do not resemble each other in score: images are drawn one by one."

TOO_FEW = "Too few frames for blocks: images are drawn one by one, and intervals are too narrow."


def plan(
    runs: Sequence[ScoredImages],
    by: Literal["auto", "image", "block"] = "auto",
    groups: Sequence[str] | None = None,
    resamples: int = 10_000,
    seed: int = 0,
    more: Sequence[Counts] = (),
) -> Resampling:
    """Choose how to resample images that one or more runs were scored on.

    The length of a block is chosen for the influence of each image on every run's mIoU, and on
    every run's difference to their mean (see `block_length`), so it serves comparisons too.

    Args:
        runs: scored on the same images, in the same order.
        by: ``image``, ``block``, or ``auto``: blocks where the images are frames of a video, as
            `groups` say, or as names and labels show (`is_video`).
        groups: the sequence of each image, where it is known.
        resamples, seed: as in `Resampling`.
        more: of further scorings of the same images, in the same order.

    Raises:
        ConfigError: blocks are asked for, but no two images are neighbours; too few resamples.
    """
    if resamples < FEWEST_RESAMPLES:
        raise ConfigError(
            f"resamples={resamples}: at least {FEWEST_RESAMPLES} are needed; 10000 is usual."
        )
    # In the order of names, so that equal images are drawn whatever order they come in.
    order = np.argsort(np.array(runs[0].names))
    images = replace(by_image(len(order), resamples, seed), order=order)
    if by == "image":
        return images
    sequences = find_sequences(runs[0].names, groups)
    if all(len(sequence) == 1 for sequence in sequences):
        if by == "auto":
            return images
        raise ConfigError(
            "by=block needs neighbouring frames, but no two names share what stands before their "
            f"number, as in {runs[0].names[0]!r}. Say by=image, or give the images' sequences."
        )
    if by == "auto" and groups is None and not is_video(runs[0].truth, sequences):
        return images
    counts = [*(pixel_counts(run.confusion) for run in runs), *((m.correct, m.union) for m in more)]
    series = np.column_stack([influence(*both)[:, -1] for both in counts])
    series = np.nan_to_num(np.column_stack([series, series - series.mean(axis=1, keepdims=True)]))
    length = block_length(series, sequences)
    if length == 1:
        return replace(images, notes=(TOO_FEW if len(order) < 2 * FEWEST_BLOCKS else UNLIKE,))
    return by_block(sequences, length, resamples, seed)


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

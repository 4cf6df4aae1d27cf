"""Choose a resampling for a set of images: by image, or by block of neighbouring frames."""

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
    """Choose how to resample the images that one or more runs were scored on.

    The block length suits the influence of each image on every run's mIoU and on its difference to
    their mean (see `block_length`), so that it serves comparisons too.

    Args:
        runs: scored on the same images, in the same order.
        by: ``image``, ``block``, or ``auto``: blocks if the images are frames of a video according
            to `groups`, or to their names and labels (`is_video`).
        groups: the sequence of each image, if known.
        resamples, seed: as in `Resampling`.
        more: counts of further evaluations of the same images, in the same order.

    Raises:
        ConfigError: blocks were requested but no two images are neighbours, or too few resamples.
    """
    if resamples < FEWEST_RESAMPLES:
        raise ConfigError(
            f"resamples={resamples}: at least {FEWEST_RESAMPLES} are needed; 10000 is usual."
        )
    # By name, so that the draws do not depend on the order of the images.
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
            f"number, as in {runs[0].names[0]!r}. Pass by=image."
        )
    if by == "auto" and groups is None and not is_video(runs[0].truth, sequences):
        return images
    counts = [*(pixel_counts(run.confusion) for run in runs), *((m.correct, m.union) for m in more)]
    series = np.column_stack([influence(*both)[:, -1] for both in counts])
    series = np.nan_to_num(np.column_stack([series, series - series.mean(axis=1, keepdims=True)]))
    length = block_length(series, sequences)
    if length == 1:
        why = TOO_FEW if len(order) < 2 * FEWEST_BLOCKS else UNLIKE
        return replace(images, notes=(*images.notes, why))
    return by_block(sequences, length, resamples, seed)


FEWEST_BLOCKS = 5
"""A block holds at most a fifth of the images; fewer blocks do not show the variance."""

FEWEST_IMAGES = 20
"""With fewer images no autocorrelation can be estimated, and blocks are as long as possible."""


def block_length(series: np.ndarray, sequences: Sequence[np.ndarray]) -> int:
    """Return the block length for a moving block bootstrap of the mean of some series.

    By Politis and White (2004), corrected by Patton, Politis and White (2009), from `arch`, over
    the sequences joined end to end. The longest length of all series is taken: short blocks make
    intervals too narrow, long ones only rough.

    Args:
        series: one value for each image and series, (n, m), such as `counts.influence`.
        sequences: positions of the images of each sequence, in temporal order.

    Returns:
        A length from 1 to n / 5 (rounded down, at least 1).
    """
    # Takes seconds to import, and only videos need it.
    from arch.bootstrap import optimal_block_length

    longest = max(1, len(series) // FEWEST_BLOCKS)
    if len(series) < FEWEST_IMAGES:
        return longest
    ordered = series[np.concatenate(sequences)]
    varying = ordered[:, np.ptp(ordered, axis=0) > 0]
    if not varying.size:
        return 1
    # `arch` has no length for moving blocks; that for circular ones is asymptotically the same.
    lengths = optimal_block_length(varying)["circular"].to_numpy()
    return int(np.clip(np.ceil(lengths.max()), 1, longest))

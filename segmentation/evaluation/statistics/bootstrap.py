"""Resample scores of a model, of its seeds together, and of differences."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segmentation.evaluation.statistics.counts import Counts, influence
from segmentation.evaluation.statistics.resampling import Resampling
from segmentation.evaluation.statistics.spread import Spread, spread
from segmentation.metrics.scores import ious
from segmentation.runs.scored_images import ScoredImages


@dataclass(frozen=True, eq=False)
class Sampled:
    """S scores (usually the IoU of C classes, then mIoU) and their resamples.

    Attributes:
        value: (S,) scores; NaN for a class that does not occur.
        resamples: (B, S) scores of each resample; differences are on the same draws.
        influence: (n, S) of each image.
        seeds: variances (S,) between seeds, each with its degrees of freedom.
        held: (S,) number of images that each score rests on.
    """

    value: np.ndarray
    resamples: np.ndarray
    influence: np.ndarray
    seeds: tuple[tuple[np.ndarray, int], ...]
    held: np.ndarray

    def __sub__(self, other: "Sampled") -> "Sampled":
        """Return the difference: paired over images, independent over seeds."""
        return Sampled(
            self.value - other.value, self.resamples - other.resamples,
            self.influence - other.influence, self.seeds + other.seeds, self.held,
        )  # fmt: skip

    def spread(self, resampling: Resampling) -> Spread:
        """Return by how much intervals must be wider than the resamples."""
        return spread(self.influence, self.held, resampling, self.seeds)


def sample(runs: Sequence[ScoredImages], resampling: Resampling) -> list[Sampled]:
    """Resample the scores of runs, all with the same draws.

    The resamples are centred at the scores: blocks draw some images more often than others, which
    shifts the resamples' centre (Lahiri 1992, "Edgeworth correction by moving block bootstrap").

    Args:
        runs: scored on the same images, in the same order.
        resampling: of these images.
    """
    return sample_counts([Counts.of(run.confusion) for run in runs], resampling)


def sample_counts(runs: Sequence[Counts], resampling: Resampling) -> list[Sampled]:
    """Resample the scores of runs like `sample`, from the counts of each image."""
    units = [np.hstack([resampling.sums(run.correct), resampling.sums(run.union)]) for run in runs]
    joined = np.hstack(units)
    width = runs[0].truth.shape[1]

    # Score every run on each resample.
    scores: list[list[np.ndarray]] = [[] for _ in runs]
    for draws in resampling.counts():
        drawn = draws.astype(np.float64) @ joined  # whole numbers: exact
        for of_run, part in zip(scores, np.hsplit(drawn, len(runs)), strict=True):
            of_run.append(ious(part[:, :width], part[:, width:]))

    results = []
    held = np.append((runs[0].truth > 0).sum(axis=0), len(runs[0].truth))
    for run, unit, parts in zip(runs, units, scores, strict=True):
        value = ious(run.correct.sum(axis=0)[None], run.union.sum(axis=0)[None])[0]
        resamples = np.concatenate(parts)
        if resampling.by == "block":
            expected = (resampling.probability @ unit)[None]
            resamples += value - ious(expected[:, :width], expected[:, width:])[0]
        results.append(Sampled(value, resamples, influence(run.correct, run.union), (), held))
    return results


def over_seeds(runs: Sequence[Sampled], name: str, seed: int) -> Sampled:
    """Return the mean of runs that differ only in their seed, resampled over seeds and images.

    A hierarchical bootstrap (Davison and Hinkley 1997, sec. 3.8): each resample draws as many seeds
    as there are, with replacement, then images, which are the same for all seeds (crossed, not
    nested: Owen 2007, "The pigeonhole bootstrap"). Deviations from the seeds' mean are stretched by
    sqrt(s / (s - 1)), without which two seeds would show half their variance (Rao and Wu 1988).

    Args:
        runs: s runs resampled with the same draws of images; a single one is returned unchanged.
        name: of the group; groups with different names draw seeds independently.
        seed: of the draws.
    """
    if len(runs) == 1:
        return runs[0]
    count, number = len(runs[0].resamples), len(runs)
    random = np.random.default_rng((seed, zlib.crc32(name.encode())))
    chosen = random.integers(number, size=(count, number))
    times = (chosen[:, :, None] == np.arange(number)).sum(axis=1)
    weight = (1 + np.sqrt(number / (number - 1)) * (times - 1)) / number
    values = np.array([run.value for run in runs])
    return Sampled(
        value=values.mean(axis=0),
        resamples=sum(weight[:, [i]] * run.resamples for i, run in enumerate(runs)),
        influence=np.mean([run.influence for run in runs], axis=0),
        seeds=((values.var(axis=0, ddof=1) / number, number - 1),),
        held=runs[0].held,
    )

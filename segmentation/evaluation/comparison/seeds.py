"""The seeds of compared recipes: paired where they are shared, tested, and planned."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segmentation.evaluation.statistics.bootstrap import Sampled, over_seeds
from segmentation.evaluation.statistics.intervals import ALPHA
from segmentation.evaluation.statistics.resampling import Resampling
from segmentation.evaluation.statistics.seeds import (
    COUNTS,
    EFFECTS,
    PAIRED_SEEDS,
    SeedPlan,
    SeedTest,
    deviation_interval,
    pooled_deviation,
    power,
    seed_test,
)
from segmentation.evaluation.statistics.spread import image_variance
from segmentation.runs.scored_images import ScoredImages


@dataclass(frozen=True, eq=False)
class SeededRuns:
    """The runs of one contender, which differ in their seed.

    Attributes:
        name: of the contender.
        images: the scores of each run.
        runs: the resampled scores of each run, with the same draws of images.
        repeats: what tells each run from the others, such as its seed; None if that is unknown.
        together: their mean, resampled over seeds and images.
        seed: of the draws of seeds.
    """

    name: str
    images: tuple[ScoredImages, ...]
    runs: tuple[Sampled, ...]
    repeats: tuple[str, ...] | None
    together: Sampled
    seed: int

    @classmethod
    def of(
        cls,
        name: str,
        runs: Sequence[tuple[Sampled, ScoredImages]],
        repeats: Sequence[str] | None,
        seed: int,
    ) -> "SeededRuns":
        """Put the runs in an order that does not depend on how they were named.

        Sums over runs have the same digits then.
        """
        known = repeats is not None and len(set(repeats)) == len(runs)
        labels = repeats if repeats is not None and known else [""] * len(runs)
        order = sorted(range(len(runs)), key=lambda i: (labels[i], _scores(runs[i][0])))
        sampled, images = zip(*(runs[i] for i in order), strict=True)
        return cls(
            name,
            images,
            sampled,
            tuple(labels[i] for i in order) if known else None,
            over_seeds(sampled, name, seed),
            seed,
        )

    def paired_with(self, other: "SeededRuns") -> bool:
        """Return whether both have several runs of the same seeds."""
        return len(self.runs) > 1 and self.repeats is not None and self.repeats == other.repeats

    @property
    def mious(self) -> list[float]:
        """The mIoU of each run."""
        return [float(run.value[-1]) for run in self.runs]


def _scores(run: Sampled) -> tuple[float, ...]:
    return tuple(np.nan_to_num(run.value[::-1], nan=-1.0).tolist())


def difference_of(first: SeededRuns, second: SeededRuns) -> Sampled:
    """Return the difference, paired over images, and over seeds if enough are shared."""
    if first.paired_with(second) and len(first.runs) >= PAIRED_SEEDS:
        pairs = [one - other for one, other in zip(first.runs, second.runs, strict=True)]
        return over_seeds(pairs, f"{first.name} - {second.name}", first.seed)
    return first.together - second.together


def exact_test(first: SeededRuns, second: SeededRuns) -> SeedTest | None:
    """Test a difference over seeds alone; None if a contender has one run."""
    if min(len(first.runs), len(second.runs)) < 2:
        return None
    return seed_test(first.mious, second.mious, first.paired_with(second))


def plan_seeds(
    entries: Sequence[SeededRuns], resampling: Resampling, comparisons: int
) -> SeedPlan | None:
    """Plan the seeds that would show the differences to the best.

    Args:
        entries: the best first.
        resampling: of the images.
        comparisons: all that p-values are corrected for.

    Returns:
        None if the spread between seeds or between images is unknown, or there is one entry.
    """
    deviation, freedom = pooled_deviation([entry.mious for entry in entries])
    best, *others = entries
    if not freedom or not others or len(best.images[0]) < 2:
        return None
    level = ALPHA / comparisons
    seen, images, table = {}, {}, {}
    for other in others:
        influence = _mean_influence(other) - _mean_influence(best)
        _, variance, degrees = image_variance(influence, best.together.held, resampling)
        of_images = float(variance[-1]), max(1.0, float(degrees[-1]))
        seen[other.name] = float(other.together.value[-1] - best.together.value[-1])
        images[other.name] = float(np.sqrt(of_images[0]))
        table[other.name] = [
            [
                power(effect, deviation, count, of_images, level)
                for effect in (abs(seen[other.name]), *EFFECTS)
            ]
            for count in (*COUNTS, None)
        ]
    return SeedPlan(deviation, deviation_interval(deviation, freedom), level, seen, images, table)


def _mean_influence(entry: SeededRuns) -> np.ndarray:
    return np.mean([run.influence for run in entry.runs], axis=0)

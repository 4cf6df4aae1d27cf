"""Exact tests over seeds, and the number of seeds that would show a difference.

A test over seeds alone takes the images as given: it tells whether other seeds would give the same
order on these images. Two recipes that are equal over all images, but not on these, fail it, so it
stands beside the bootstrap, which draws both; `benchmarks/false_positives.py` shows how often each
is wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from scipy.special import stdtrit

from segmentation.evaluation.statistics.intervals import ALPHA, Interval
from segmentation.metrics.scores import ratio

PAIRED_SEEDS = 8
"""With fewer shared seeds their differences are too few: drawn as pairs, equal recipes differed in
6 to 10% of simulations with two, three and six seeds, drawn independently in 5% at most."""

COUNTS = (2, 3, 4, 5, 6, 8, 10, 15, 20, 30)
"""The numbers of seeds that a `SeedPlan` covers, each of them for both contenders."""

EFFECTS = (0.01, 0.02, 0.05)
"""The differences that every `SeedPlan` covers besides the one seen."""

WANTED = 0.8
"""The power that is enough."""

SIMULATIONS = 4_000
"""Standard error of a power: 0.008 at most."""

MOST_SPLITS = 100_000
"""Ways to divide seeds that are all tried; of more, as many are drawn."""


@dataclass(frozen=True)
class SeedTest:
    """An exact test of a difference over seeds, on the images at hand.

    Attributes:
        p: two-sided.
        least: the smallest p that so many seeds can give.
        paired: whether the signs of paired differences were flipped (Fisher 1935); else seeds were
            exchanged between both sides (Pitman 1937).
    """

    p: float
    least: float
    paired: bool


def seed_test(first: Sequence[float], second: Sequence[float], paired: bool) -> SeedTest:
    """Test whether the scores of two recipes differ, over all ways to exchange their seeds.

    Args:
        first, second: scores of the seeds of each, at least two.
        paired: whether the i-th scores are of the same seed.
    """
    from scipy.stats import permutation_test  # takes a second to import

    ways = 2 ** len(first) if paired else comb(len(first) + len(second), len(first))
    result = permutation_test(
        (np.array(first), np.array(second)),
        lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis),
        permutation_type="samples" if paired else "independent",
        vectorized=True,
        n_resamples=MOST_SPLITS,
        rng=np.random.default_rng(0),
    )
    return SeedTest(float(result.pvalue), 2 / ways, paired)


@dataclass(frozen=True)
class SeedPlan:
    """How often a number of seeds shows a difference at p <= `level`.

    Attributes:
        deviation: between seeds, pooled over the contenders with several.
        interval: of the deviation, for seeds that are normally distributed.
        level: `ALPHA` divided by the number of comparisons, which passes every correction.
        seen: the difference to the best, by contender.
        images: the deviation of that difference that other images would give, likewise.
        power: for each of `COUNTS`, then for infinitely many seeds, the power for the difference
            seen and for `EFFECTS`, by contender.
    """

    deviation: float
    interval: Interval
    level: float
    seen: dict[str, float]
    images: dict[str, float]
    power: dict[str, list[list[float]]]

    def enough(self, name: str) -> int | None:
        """Return the seeds that show the difference seen with power `WANTED`; None if none do."""
        reached = (
            count for count, row in zip(COUNTS, self.power[name], strict=False) if row[0] >= WANTED
        )
        return next(reached, None)


def pooled_deviation(scores: Sequence[Sequence[float]]) -> tuple[float, int]:
    """Return the standard deviation within groups of scores, and its degrees of freedom."""
    groups = [np.asarray(group) for group in scores if len(group) > 1]
    freedom = sum(len(group) - 1 for group in groups)
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in groups)
    return (float(np.sqrt(squares / freedom)) if freedom else np.nan), freedom


def deviation_interval(deviation: float, freedom: int) -> Interval:
    """Return the 95% interval of a standard deviation of normally distributed values."""
    from scipy.special import chdtri

    low, high = (chdtri(freedom, tail) for tail in (ALPHA / 2, 1 - ALPHA / 2))
    return Interval(*(float(deviation * np.sqrt(freedom / value)) for value in (low, high)))


def power(
    effect: float, deviation: float, count: int | None, images: tuple[float, float], level: float
) -> float:
    """Simulate how often a difference of two recipes is found, seeds counted as independent.

    The simulated test is the bootstrap's normal counterpart: Student's t with the degrees of
    freedom of Welch (1947) and Satterthwaite (1946), as in `spread`.

    Args:
        effect: the true difference.
        deviation: between the seeds of each recipe.
        count: of the seeds of each; None: infinitely many.
        images: the variance of the difference over images, and its degrees of freedom.
        level: of the test.
    """
    random = np.random.default_rng(0)
    variance, freedom = images
    parts = [(variance, freedom)]
    if count is not None:
        parts += 2 * [(deviation**2 / count, count - 1)]
    true = sum(part for part, _ in parts)
    found = random.normal(effect, np.sqrt(true), SIMULATIONS)
    estimated = [part * random.chisquare(f, SIMULATIONS) / f for part, f in parts]
    total = np.sum(estimated, axis=0)
    squares = sum(part**2 / f for part, (_, f) in zip(estimated, parts, strict=True))
    degrees = ratio(total**2, squares, empty=1)  # 1 where nothing varies
    return float(np.mean(np.abs(found) > np.sqrt(total) * -stdtrit(degrees, level / 2)))

"""95% intervals of resampled scores, and the p-values that invert them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from segmentation.evaluation.statistics.bootstrap import Sampled, sample
from segmentation.evaluation.statistics.plan import plan
from segmentation.evaluation.statistics.resampling import Resampling
from segmentation.evaluation.statistics.spread import Spread
from segmentation.runs.scored_images import ScoredImages

ALPHA = 0.05


@dataclass(frozen=True)
class Interval:
    """The ends of an interval; both are NaN where none can be given."""

    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether there is an interval."""
        return not np.isnan(self.low)

    def plain(self) -> list[float] | None:
        """Return [low, high] for JSON, None where there is no interval."""
        return [self.low, self.high] if self.known else None

    def points(self) -> str:
        """Return the ends in points (hundredths), such as ``[-1.2, 3.4]``."""
        return f"[{100 * self.low:.1f}, {100 * self.high:.1f}]" if self.known else "[unknown]"


@dataclass(frozen=True)
class Estimate:
    """A score (a fraction, or a difference of two) and its interval."""

    value: float
    interval: Interval


@dataclass(frozen=True)
class RunEstimates:
    """The scores of one run with their intervals.

    Attributes:
        miou: mean over the classes that occur.
        classes: the IoU of each class by name; NaN where it does not occur.
        resampling: how the intervals were made, in words.
        notes: what a reader of them must know.
    """

    miou: Estimate
    classes: dict[str, Estimate]
    resampling: str
    notes: tuple[str, ...]


def run_estimates(run: ScoredImages, resampling: Resampling) -> RunEstimates:
    """Return mIoU and the IoU of every class of a run, with 95% intervals."""
    (sampled,) = sample([run], resampling)
    *classes, miou = estimates(sampled, resampling, (0.0, 1.0))
    return RunEstimates(
        miou, dict(zip(run.classes, classes, strict=True)), resampling.describe(), resampling.notes
    )


def interval_facts(run: ScoredImages) -> dict[str, Any]:
    """Return the intervals of a run as metrics.json keeps them; None where there is none."""
    found = run_estimates(run, plan([run]))
    return {
        "miou": found.miou.interval.plain(),
        "iou": {name: one.interval.plain() for name, one in found.classes.items()},
        "resampling": found.resampling,
        "notes": list(found.notes),
    }


def estimates(
    sampled: Sampled,
    resampling: Resampling,
    bounds: tuple[float, float],
    alpha: float = ALPHA,
) -> list[Estimate]:
    """Return S scores with their intervals.

    The ends are the k-th smallest and the k-th largest of B resamples, k the whole part of
    (B + 1) alpha / 2 (the percentile interval, Efron and Tibshirani 1993, ch. 13), moved away from
    the score as `spread` says; there it also says why not BCa. Resamples without the class are left
    out of its interval. There is none (NaN) where nothing is known of the spread: a class in a
    single image or block, and less than two images or blocks.

    Args:
        sampled: scores or differences.
        resampling: how they were resampled.
        bounds: the least and the largest possible value.
        alpha: 0.05 gives intervals of 95%.
    """
    finite = np.isfinite(sampled.resamples).sum(axis=0)
    k = np.floor((finite + 1) * alpha / 2).astype(int)
    spread = sampled.spread(resampling)
    lows = _low_end(np.sort(sampled.resamples, axis=0), sampled.value, k, finite, spread)
    highs = -_low_end(np.sort(-sampled.resamples, axis=0), -sampled.value, k, finite, spread)
    ends = np.clip(np.stack([lows, highs], axis=1), *bounds).tolist()
    return [
        Estimate(value, Interval(low, high))
        for value, (low, high) in zip(sampled.value.tolist(), ends, strict=True)
    ]


def p_values(difference: Sampled, resampling: Resampling) -> np.ndarray:
    """Return the two-sided p-values (S,) of "there is no difference"; NaN where there is no score.

    The smallest alpha at which the interval of `estimates` excludes zero (Efron and Tibshirani
    1993, sec. 15.4 and ch. 16). Without stretching it is 2 (k + 1) / (B + 1), with k of B resamples
    on the far side of zero (Davison and Hinkley 1997, eq. 4.11), so it is never 0; resamples equal
    to zero count as beyond it. It is 1 where nothing excludes zero, as for runs that predict the
    same, and where nothing is known of the spread.
    """
    side = np.where(difference.value < 0, -1.0, 1.0)
    ordered = np.sort(side * difference.resamples, axis=0)  # NaN last
    finite = np.isfinite(ordered).sum(axis=0)
    spread = difference.spread(resampling)
    largest = finite // 2
    first, last = np.ones_like(finite), largest + 1  # the least k that excludes zero lies between
    while (first < last).any():
        middle = (first + last) // 2
        low = _low_end(ordered, side * difference.value, middle, finite, spread)
        last = np.where(low > 0, middle, last)
        first = np.where((low > 0) | (first == last), first, middle + 1)
    p = np.where(first > largest, 1.0, 2 * first / (finite + 1))
    return np.where(np.isnan(difference.value), np.nan, p)


def _low_end(
    ordered: np.ndarray, value: np.ndarray, k: np.ndarray, finite: np.ndarray, spread: Spread
) -> np.ndarray:
    """Return the low ends (S,) of the intervals whose tails hold k resamples; NaN if unknown.

    Args:
        ordered: (B, S) resamples, rising, NaN last.
        value: (S,) the scores.
        k: (S,) which resample, counted from 1.
        finite: (S,) how many resamples are not NaN.
        spread: of the scores.
    """
    known = (k >= 1) & (k <= finite // 2) & spread.known
    place = np.where(known, k, 1)
    quantile = ordered[place - 1, np.arange(len(place))]
    alpha = np.where(known, 2 * place / (finite + 1), 0.5)
    return np.where(known, value - spread.stretch(alpha) * (value - quantile), np.nan)

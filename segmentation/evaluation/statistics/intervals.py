"""Compute 95% intervals of resampled scores, and the matching p-values."""

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
    """An interval; both ends are NaN if it is unknown."""

    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether the ends are known."""
        return not np.isnan(self.low)

    def plain(self) -> list[float] | None:
        """Return [low, high] for JSON, None if unknown."""
        return [self.low, self.high] if self.known else None

    def points(self) -> str:
        """Return the ends in points (hundredths), such as ``[-1.2, 3.4]``."""
        return f"[{100 * self.low:z.1f}, {100 * self.high:z.1f}]" if self.known else "[unknown]"


@dataclass(frozen=True)
class Estimate:
    """A score (a fraction, or a difference of two) and its interval."""

    value: float
    interval: Interval


@dataclass(frozen=True)
class RunEstimates:
    """The scores of a run with their intervals.

    Attributes:
        miou: mean over the classes that occur.
        classes: IoU by class name; NaN for a class that does not occur.
    """

    miou: Estimate
    classes: dict[str, Estimate]


def run_estimates(run: ScoredImages, resampling: Resampling) -> RunEstimates:
    """Return mIoU and the IoU of every class of a run, with 95% intervals."""
    (sampled,) = sample([run], resampling)
    *classes, miou = estimates(sampled, resampling, (0.0, 1.0))
    return RunEstimates(miou, dict(zip(run.classes, classes, strict=True)))


def interval_facts(run: ScoredImages) -> dict[str, Any]:
    """Return the intervals of a run for `metrics.json`; None for unknown ones."""
    resampling = plan([run])
    scores = run_estimates(run, resampling)
    return {
        "miou": scores.miou.interval.plain(),
        "iou": {name: iou.interval.plain() for name, iou in scores.classes.items()},
        "resampling": resampling.describe(),
        "notes": list(resampling.notes),
    }


def estimates(
    sampled: Sampled,
    resampling: Resampling,
    bounds: tuple[float, float],
    alpha: float = ALPHA,
) -> list[Estimate]:
    """Return S scores with their intervals.

    The ends are the k-th smallest and the k-th largest of B resamples, k being (B + 1) alpha / 2
    rounded down (the percentile interval, Efron and Tibshirani 1993, ch. 13), widened as `spread`
    explains. Resamples without a class do not count in its interval. The interval is unknown (NaN)
    for a class in a single image or block, and for fewer than two images or blocks.

    Args:
        sampled: scores or differences.
        resampling: how they were resampled.
        bounds: least and largest possible value.
        alpha: 0.05 for 95% intervals.
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
    """Return the two-sided p-values (S,) of no difference; NaN where there is no score.

    A p-value is the smallest alpha at which the interval of `estimates` excludes zero (Efron and
    Tibshirani 1993, sec. 15.4 and ch. 16). Without widening it is 2 (k + 1) / (B + 1), with k of B
    resamples at or beyond zero (Davison and Hinkley 1997, eq. 4.11), so it is never 0. It is 1 if
    no interval excludes zero, as for identical predictions, and if the spread is unknown.
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
        value: (S,) scores.
        k: (S,) rank of the resample, counted from 1.
        finite: (S,) number of resamples that are not NaN.
        spread: of the scores.
    """
    known = (k >= 1) & (k <= finite // 2) & spread.known
    place = np.where(known, k, 1)
    quantile = ordered[place - 1, np.arange(len(place))]
    alpha = np.where(known, 2 * place / (finite + 1), 0.5)
    return np.where(known, value - spread.stretch(alpha) * (value - quantile), np.nan)

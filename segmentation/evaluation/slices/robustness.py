"""The scores of corrupted images, with intervals, against those of the images as they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np
import pandas as pd

from segmentation.evaluation.slices.scores import (
    COLUMNS,
    RESAMPLES,
    classes_held,
    mean_over,
    row,
    worth,
)
from segmentation.evaluation.statistics.bootstrap import Sampled, sample_counts
from segmentation.evaluation.statistics.counts import Counts
from segmentation.evaluation.statistics.holm import enough, holm
from segmentation.evaluation.statistics.plan import plan
from segmentation.evaluation.statistics.resampling import Resampling
from segmentation.runs.scored_images import ScoredImages

NAME, MEAN = "corruptions", "mean of all"


@dataclass(frozen=True)
class Robustness:
    """How a model holds out (Michaelis et al. 2019, "Benchmarking Robustness in Object Detection").

    Attributes:
        clean: mIoU of the images as they are.
        mean: averaged over all corruptions and severities (their mPC).
        corruptions: over the severities of each corruption, by its name.
    """

    clean: float
    mean: float
    corruptions: dict[str, float]

    @property
    def relative(self) -> float:
        """The mean as a share of the clean score (their rPC); NaN where that is 0."""
        return self.mean / self.clean if self.clean else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as `metrics.json` keeps them; None where there is none."""
        relative = None if isnan(self.relative) else self.relative
        return {"clean": self.clean, "mean": self.mean, "relative": relative,
                "corruptions": self.corruptions}  # fmt: skip

    def describe(self) -> str:
        """Say it in a sentence."""
        share = "" if isnan(self.relative) else f"{self.relative:.0%} of "
        return (
            f"Over all corruptions and severities mIoU is {self.mean:.1%}: {share}the clean "
            f"{self.clean:.1%}."
        )


def score_corruptions(
    clean: ScoredImages,
    corrupted: Mapping[tuple[str, int], Counts],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[pd.DataFrame, Robustness, Resampling]:
    """Score corrupted images, and compare them with the same images as they are: paired.

    mIoU is over the classes that the truth holds; p-values are corrected for all rows (Holm).

    Args:
        clean: the scoring of the images as they are.
        corrupted: what was counted in the same images in the same order, by the name of the
            corruption and its severity.
        resamples: how many at least.
        seed: of the draws.

    Returns:
        A table with `COLUMNS`, whose last row is the mean of all; the summary; and how it was
        resampled.
    """
    after, counts = list(corrupted.values()), Counts.of(clean.confusion)
    comparisons = len(corrupted) + 1  # and the mean of all
    resampling = plan([clean], resamples=enough(comparisons, resamples), seed=seed, more=after)
    everything = np.ones(len(clean), dtype=bool)
    classes, images = classes_held(counts, everything), worth(everything, resampling)
    before, *scored = (
        mean_over(one, classes, images) for one in sample_counts([counts, *after], resampling)
    )
    named = {
        f"{name} {severity}": one for (name, severity), one in zip(corrupted, scored, strict=True)
    }
    named[MEAN] = Sampled(
        np.mean([one.value for one in scored], axis=0),
        np.mean([one.resamples for one in scored], axis=0),
        np.mean([one.influence for one in scored], axis=0), (), before.held,
    )  # fmt: skip
    table = pd.DataFrame(
        [row(NAME, name, len(clean), one, one - before, resampling) for name, one in named.items()],
        columns=list(COLUMNS),
    )
    table["p_holm"] = holm(table["p_holm"].to_numpy())
    scores: dict[str, list[float]] = {}
    for (name, _), one in zip(corrupted, scored, strict=True):
        scores.setdefault(name, []).append(one.value.item())
    summary = Robustness(
        before.value.item(),
        named[MEAN].value.item(),
        {name: float(np.mean(values)) for name, values in scores.items()},
    )
    return table, summary, resampling

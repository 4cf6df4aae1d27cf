"""Score corrupted images, with intervals, against the clean images."""

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
from segmentation.evaluation.statistics.correction import adjust, enough
from segmentation.evaluation.statistics.counts import Counts
from segmentation.evaluation.statistics.plan import plan
from segmentation.evaluation.statistics.resampling import Resampling
from segmentation.runs.scored_images import ScoredImages

NAME, MEAN = "corruptions", "mean of all"


@dataclass(frozen=True)
class Robustness:
    """Robustness to corruptions (Michaelis et al. 2019, "Benchmarking Robustness in ...").

    Attributes:
        clean: mIoU of the clean images.
        mean: mean mIoU over all corruptions and severities (their mPC).
        corruptions: mean mIoU over the severities of each corruption, by name.
    """

    clean: float
    mean: float
    corruptions: dict[str, float]

    @property
    def relative(self) -> float:
        """The mean as a share of the clean score (their rPC); NaN if that is 0."""
        return self.mean / self.clean if self.clean else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for `metrics.json`, None instead of NaN."""
        return {
            "clean": self.clean,
            "mean": self.mean,
            "relative": None if isnan(self.relative) else self.relative,
            "corruptions": self.corruptions,
        }

    def describe(self) -> str:
        """Summarise the scores in a sentence."""
        share = "" if isnan(self.relative) else f"{self.relative:.0%} of "
        return (
            f"Over all corruptions and severities, mIoU is {self.mean:.1%}: {share}the clean "
            f"{self.clean:.1%}."
        )


def score_corruptions(
    clean: ScoredImages,
    corrupted: Mapping[tuple[str, int], Counts],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[pd.DataFrame, Robustness, Resampling]:
    """Score corrupted images, and compare them with the clean ones, paired.

    mIoU is over the classes that occur in the truth; p-values are corrected for all rows (Holm).

    Args:
        clean: the evaluation of the clean images.
        corrupted: counts of the same images in the same order, by corruption and severity.
        resamples: least number of resamples.
        seed: of the draws.

    Returns:
        A table with `COLUMNS` whose last row is the mean of all, the summary, and the resampling.
    """
    after, counts = list(corrupted.values()), Counts.of(clean.confusion)
    comparisons = len(corrupted) + 1  # the mean of all is one more
    resampling = plan([clean], resamples=enough(comparisons, resamples), seed=seed, more=after)

    # Score every corruption on the same draws of images.
    everything = np.ones(len(clean), dtype=bool)
    classes, images = classes_held(counts, everything), worth(everything, resampling)
    before, *scores = (
        mean_over(sampled, classes, images)
        for sampled in sample_counts([counts, *after], resampling)
    )
    rows = {
        f"{name} {severity}": score
        for (name, severity), score in zip(corrupted, scores, strict=True)
    }
    rows[MEAN] = Sampled(
        value=np.mean([score.value for score in scores], axis=0),
        resamples=np.mean([score.resamples for score in scores], axis=0),
        influence=np.mean([score.influence for score in scores], axis=0),
        seeds=(),
        held=before.held,
    )

    # Compare each with the clean images.
    table = pd.DataFrame(
        [
            row(NAME, name, len(clean), score, score - before, resampling)
            for name, score in rows.items()
        ],
        columns=list(COLUMNS),
    )
    table["p_holm"] = adjust(table["p_holm"].to_numpy())

    severities: dict[str, list[float]] = {}
    for (name, _), score in zip(corrupted, scores, strict=True):
        severities.setdefault(name, []).append(score.value.item())
    means = {name: float(np.mean(values)) for name, values in severities.items()}
    summary = Robustness(before.value.item(), rows[MEAN].value.item(), means)
    return table, summary, resampling

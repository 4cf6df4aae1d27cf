"""How often compare.py calls two equal recipes different: ``python benchmarks/false_positives.py``.

Two recipes are equal over all images and seeds. Each finds images of its own hard, each seed trains
a model that is a little better or worse, and all share what is hard for everyone. Every rule is
counted at p <= 0.05, for mIoU:

- independent: the hierarchical bootstrap, seeds of both sides drawn apart;
- paired: the same, seeds drawn in pairs;
- exact: a sign-flip test over the seeds' differences alone;
- used: the rule of compare.py.

With one seed the rules are one: the bootstrap of images, read as if it spoke of recipes.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "helpers")]

from populations import Scenes, latent, scored  # noqa: E402

from segmentation.evaluation.comparison.seeds import (  # noqa: E402
    SeededRuns,
    difference_of,
    exact_test,
)
from segmentation.evaluation.statistics.bootstrap import over_seeds, sample  # noqa: E402
from segmentation.evaluation.statistics.intervals import ALPHA, p_values  # noqa: E402
from segmentation.evaluation.statistics.plan import plan  # noqa: E402

RULES = ("independent", "paired", "exact", "used")
RESAMPLES = 499


@dataclass(frozen=True)
class Setting:
    """Two equal recipes.

    Attributes:
        images: how many.
        likeness: of neighbouring frames, their correlation; 0 for independent images.
        seeds: of each recipe.
        shared: correlation of what the same seed does to both recipes.
        deviation: between seeds, in log-odds of a right pixel.
        tastes: deviation of what is hard for one recipe's models alone, in log-odds.
    """

    images: int
    likeness: float
    seeds: int
    shared: float
    deviation: float = 0.2
    tastes: float = 0.4

    def trial(self, random: np.random.Generator, number: int) -> tuple[float, ...]:
        """Return the p-values of `RULES` for one pair of recipes."""
        scenes = Scenes(random, self.images, self.likeness, common=self.likeness > 0)
        hard, common = scenes.hardness, random.normal(size=self.seeds)
        names = [f"frame{index:04d}" for index in range(self.images)] if self.likeness else None
        runs = []
        for _ in range(2):
            own = latent(random, *scenes.pixels.shape, self.likeness)
            scenes.hardness = hard + self.tastes * own
            for seed in common:
                better = np.sqrt(self.shared) * seed + np.sqrt(1 - self.shared) * random.normal()
                runs.append(scored(scenes.predict(self.deviation * better, own=0.3), names))

        resampling = plan(runs, "block" if self.likeness else "image", None, RESAMPLES, number)
        both = list(zip(sample(runs, resampling), runs, strict=True))
        labels = [str(seed) for seed in range(self.seeds)]
        first, second = (
            SeededRuns.of(name, both[start : start + self.seeds], labels, number)
            for name, start in (("a", 0), ("b", self.seeds))
        )
        pairs = [one - other for one, other in zip(first.runs, second.runs, strict=True)]
        differences = (
            first.together - second.together,
            over_seeds(pairs, "a - b", number),
            difference_of(first, second),
        )
        independent, paired, used = (p_values(one, resampling)[-1] for one in differences)
        exact = exact_test(first, second)
        return independent, paired, np.nan if exact is None else exact.p, used


def false_positives(setting: Setting, trials: int) -> dict[str, float]:
    """Return the share of trials in which each of `RULES` finds a difference; NaN if it cannot."""
    random = np.random.default_rng(0)
    p = np.array([setting.trial(random, number) for number in range(trials)])
    rates = np.where(np.isnan(p).all(axis=0), np.nan, (p <= ALPHA).mean(axis=0))
    return dict(zip(RULES, rates.tolist(), strict=True))


def main() -> None:
    """Print the table of docs/evaluation.md."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=1000)
    trials = parser.parse_args().trials
    error = np.sqrt(ALPHA * (1 - ALPHA) / trials)
    print(f"{trials} trials each; the standard error of 5% is {error:.1%}\n")
    print("| images | seeds | same seed correlates by | " + " | ".join(RULES) + " |")
    print("|:--|--:|--:|" + "--:|" * len(RULES))
    for images, likeness in ((60, 0.0), (240, 0.8)):
        kind = "frames of a video" if likeness else "independent images"
        for shared in (0.0, 0.7):
            for seeds in (1, 2, 3, 5, 6, 8)[bool(shared) :]:
                rates = false_positives(Setting(images, likeness, seeds, shared), trials)
                cells = ("–" if np.isnan(rate) else f"{rate:.1%}" for rate in rates.values())
                print(f"| {images} {kind} | {seeds} | {shared} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()

"""Whether intervals and tests keep their promise on populations whose truth is known.

The seeds are fixed; the bounds leave three standard errors around what longer simulations gave (see
`segmentation.evaluation.statistics.spread`).
"""

import numpy as np
import pytest
from populations import Scenes, scored, true_ious

from segmentation.evaluation.statistics.bootstrap import over_seeds, sample
from segmentation.evaluation.statistics.counts import influence
from segmentation.evaluation.statistics.intervals import estimates, p_values
from segmentation.evaluation.statistics.plan import block_length
from segmentation.evaluation.statistics.resampling import by_block, by_image
from segmentation.metrics.scores import pixel_counts

RESAMPLES = 499


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    return true_ious()


def covered(sampled, resampling, truth) -> list[float]:
    """Return for each score whether its interval holds the truth; NaN without an interval."""
    found = [one.interval for one in estimates(sampled, resampling, (0.0, 1.0))]
    return [
        float(one.low <= true <= one.high) if one.known else np.nan
        for one, true in zip(found, truth, strict=True)
    ]


def test_intervals_of_independent_images_cover_the_truth(truth):
    random, hits, plain = np.random.default_rng(0), [], []
    for seed in range(200):
        run, resampling = scored(Scenes(random, 60).predict()), by_image(60, RESAMPLES, seed)
        (sampled,) = sample([run], resampling)
        hits.append(covered(sampled, resampling, truth))
        low, high = np.nanquantile(sampled.resamples, [0.025, 0.975], axis=0)
        plain.append((low <= truth) & (truth <= high))
    coverage = np.nanmean(hits, axis=0)
    assert ((coverage >= 0.9) & (coverage <= 0.99)).all(), coverage
    assert 0.91 <= coverage[-1] <= 0.98
    assert np.mean(coverage) > np.mean(plain)  # what stretching is for


def test_frames_need_blocks():
    truth, random, hits = (
        true_ious(common=True),
        np.random.default_rng(0),
        {"image": [], "block": []},
    )
    sequences = [np.arange(80), np.arange(80, 160)]
    for seed in range(100):
        clips = [Scenes(random, 80, 0.8, common=True).predict() for _ in sequences]
        run = scored(np.concatenate(clips))
        length = block_length(influence(*pixel_counts(run.confusion))[:, [-1]], sequences)
        for resampling in (
            by_image(160, RESAMPLES, seed), by_block(sequences, length, RESAMPLES, seed),
        ):  # fmt: skip
            (sampled,) = sample([run], resampling)
            hits[resampling.by].append(covered(sampled, resampling, truth)[-1])
    assert np.mean(hits["image"]) < 0.7
    assert np.mean(hits["block"]) > 0.8


def test_pairs_that_are_equal_seldom_differ_and_pairing_finds_more():
    random = np.random.default_rng(0)
    found = {"null": [], "paired": [], "unpaired": []}
    for seed in range(200):
        scenes = Scenes(random, 60)
        runs = [scored(scenes.predict(better)) for better in (0.0, 0.0, 0.15)]
        paired, apart = by_image(60, RESAMPLES, seed), by_image(60, RESAMPLES, seed + 1000)
        one, equal, better = sample(runs, paired)
        (drawn_apart,) = sample(runs[2:], apart)
        found["null"].append(p_values(one - equal, paired)[-1])
        found["paired"].append(p_values(better - one, paired)[-1])
        found["unpaired"].append(p_values(drawn_apart - one, paired)[-1])
    rate = {name: np.mean(np.array(p) <= 0.05) for name, p in found.items()}
    assert 0.01 <= rate["null"] <= 0.1, rate
    assert rate["paired"] > rate["unpaired"] + 0.2, rate


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 4])
def test_intervals_over_seeds_cover_the_mean_of_all_seeds(count):
    random, deviation = np.random.default_rng(0), 0.2
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    of_nodes = [true_ious(better=deviation * node) for node in nodes]
    truth = weights @ of_nodes / weights.sum()
    hits, images_alone = [], []
    for seed in range(200):
        scenes = Scenes(random, 100)
        runs = [scored(scenes.predict(better=deviation * random.normal())) for _ in range(count)]
        resampling = by_image(100, RESAMPLES, seed)
        sampled = sample(runs, resampling)
        together = over_seeds(sampled, "name", seed)
        hits.append(covered(together, resampling, truth)[-1])
        images_alone.append(covered(sampled[0], resampling, truth)[-1])
    assert np.mean(hits) >= 0.9, np.mean(hits)
    assert np.mean(images_alone) < np.mean(hits) - 0.03

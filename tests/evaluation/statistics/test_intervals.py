import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from populations import Scenes, scored
from scipy import stats

from segmentation.evaluation.statistics.bootstrap import Sampled, sample
from segmentation.evaluation.statistics.intervals import (
    Interval,
    estimates,
    p_values,
    run_estimates,
)
from segmentation.evaluation.statistics.resampling import by_block, by_image
from segmentation.metrics.scores import scores


def one_class(share: np.ndarray) -> np.ndarray:
    """Return images of 1000 pixels of class 0 of which a share is right: IoU is the mean share."""
    confusion = np.zeros((len(share), 2, 2), dtype=np.int64)
    confusion[:, 0, 0] = np.round(1000 * share)
    confusion[:, 0, 1] = 1000 - confusion[:, 0, 0]
    return confusion


def test_resamples_are_those_of_scipys_bootstrap_of_a_mean():
    share = np.random.default_rng(0).beta(8, 3, 50).round(3)
    (found,) = sample([scored(one_class(share))], by_image(50, 20_000))
    reference = stats.bootstrap((share,), np.mean, n_resamples=20_000, rng=1, method="percentile")
    iou = found.resamples[:, 0]
    assert found.value[0] == pytest.approx(share.mean())
    assert iou.std(ddof=1) == pytest.approx(reference.standard_error, rel=0.02)
    np.testing.assert_allclose(
        np.quantile(iou, [0.025, 0.975]), reference.confidence_interval, atol=0.003
    )


def test_the_interval_of_a_mean_is_students():
    # With light tails and a mean of many values the bootstrap has to agree with theory.
    share = np.random.default_rng(0).uniform(0.3, 0.9, 60).round(3)
    run = scored(one_class(share))
    resampling = by_image(60, 20_000)
    found = run_estimates(run, resampling).classes["class 0"]
    expected = stats.t.interval(0.95, 59, share.mean(), stats.sem(share))
    assert [found.interval.low, found.interval.high] == pytest.approx(expected, abs=0.004)


def test_estimates_are_the_scores_of_the_whole():
    run = scored(Scenes(np.random.default_rng(0), 30).predict())
    found, expected = run_estimates(run, by_image(30, 200)), scores(run.confusion.sum(axis=0))
    assert found.miou.value == expected.miou
    assert [one.value for one in found.classes.values()] == expected.iou.tolist()
    assert list(found.classes) == list(run.classes)


def test_classes_that_occur_nowhere_or_in_one_image_have_no_interval():
    confusion = np.pad(Scenes(np.random.default_rng(0), 30).predict(), ((0, 0), (0, 2), (0, 2)))
    confusion[3, 6, 6] = 50
    found = run_estimates(scored(confusion), by_image(30, 500))
    assert np.isnan(found.classes["class 5"].value)
    assert not found.classes["class 5"].interval.known
    assert found.classes["class 6"].value == 1
    assert not found.classes["class 6"].interval.known
    assert found.classes["class 6"].interval.points() == "[unknown]"
    assert found.miou.interval.known


def test_one_image_has_scores_but_no_interval():
    found = run_estimates(scored(Scenes(np.random.default_rng(0), 1).predict()), by_image(1, 100))
    assert found.miou.value > 0
    assert not found.miou.interval.known


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(5, 40))
def test_intervals_lie_around_the_estimate_within_bounds(seed, images):
    run = scored(Scenes(np.random.default_rng(seed), images, common=True).predict())
    found = run_estimates(run, by_image(images, 500))
    for one in [found.miou, *found.classes.values()]:
        assert 0 <= one.interval.low <= one.value <= one.interval.high <= 1


def test_blocks_are_centred_at_the_estimate():
    # The last frames are much worse; few blocks hold them, so resamples lie above the score.
    share = np.concatenate([np.full(80, 0.9), np.linspace(0.9, 0.1, 20)])
    run = scored(one_class(share + np.random.default_rng(0).normal(0, 0.01, 100)))
    (found,) = sample([run], by_block([np.arange(100)], 20, 4000))
    assert found.resamples[:, 0].mean() == pytest.approx(found.value[0], abs=0.002)


def shifted(sampled: Sampled, by: float) -> Sampled:
    return Sampled(
        sampled.value + by, sampled.resamples + by, sampled.influence, sampled.seeds, sampled.held
    )


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(-0.1, 0.1), st.sampled_from([0.01, 0.05, 0.2]))
def test_the_p_value_inverts_the_interval(seed, shift, alpha):
    random = np.random.default_rng(seed)
    scenes = Scenes(random, 25)
    resampling = by_image(25, 399)
    one, two = sample([scored(scenes.predict()), scored(scenes.predict())], resampling)
    difference = shifted(one - two, shift)
    p = p_values(difference, resampling)
    for found, score in zip(estimates(difference, resampling, (-9, 9), alpha), p, strict=True):
        if found.interval.known:
            excluded = found.interval.low > 0 or found.interval.high < 0
            assert excluded == (score <= alpha)


def test_p_values_of_many_images_are_counted():
    # With a wide spread of images the stretch is 1: p = 2 (k + 1) / (B + 1).
    random = np.random.default_rng(0)
    influence = random.uniform(-1, 1, (100_000, 1))
    resamples = random.normal(2, 1, (999, 1))
    difference = Sampled(np.array([2.0]), resamples, influence, (), np.array([100_000]))
    expected = 2 * ((resamples <= 0).sum() + 1) / 1000
    assert 0.02 < expected < 0.08
    assert p_values(difference, by_image(100_000)) == pytest.approx(expected, abs=0.002)
    mirrored = Sampled(-difference.value, -resamples, -influence, (), difference.held)
    assert p_values(mirrored, by_image(100_000)) == p_values(difference, by_image(100_000))


def test_points():
    assert Interval(-0.0123, 0.4).points() == "[-1.2, 40.0]"


def test_ten_thousand_resamples_of_233_images_take_less_than_two_seconds():
    confusion = np.random.default_rng(0).integers(0, 1000, (233, 12, 12))
    run = scored(confusion)
    started = time.process_time()
    run_estimates(run, by_image(233))
    assert time.process_time() - started < 2


def test_no_interval_of_an_iou_leaves_the_possible_range():
    share = np.array([1.0, 1.0, 1.0, 1.0, 0.93, 0.99])
    run = scored(one_class(share))
    (sampled,) = sample([run], by_image(6, 2000))
    unbounded = estimates(sampled, by_image(6, 2000), (-np.inf, np.inf))
    assert unbounded[0].interval.high > 1
    assert run_estimates(run, by_image(6, 2000)).classes["class 0"].interval.high == 1

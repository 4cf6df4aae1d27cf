import numpy as np
import pytest
from populations import Scenes, scored

from segmentation.evaluation.statistics.bootstrap import Sampled, over_seeds, sample
from segmentation.evaluation.statistics.resampling import by_image


def runs_of(count=3, images=40, apart=0.3, seed=0):
    random = np.random.default_rng(seed)
    scenes = Scenes(random, images)
    return [scored(scenes.predict(better=apart * random.normal())) for _ in range(count)]


def test_all_runs_share_the_draws():
    (first, *_), plan = runs_of(), by_image(40, 300)
    one, again, other = sample([first, first, runs_of()[1]], plan)
    np.testing.assert_array_equal(one.resamples, again.resamples)
    np.testing.assert_array_equal(one.resamples, sample([first], plan)[0].resamples)
    assert (one.resamples != other.resamples).any()


def test_a_pair_varies_less_than_two_test_sets():
    one, two = sample(runs_of(2), by_image(40, 2000))
    (apart,) = sample(runs_of(2)[1:], by_image(40, 2000, seed=1))
    assert (one - two).resamples[:, -1].std() < 0.8 * (one.resamples - apart.resamples)[:, -1].std()


def test_seeds_alone_give_the_variance_of_their_mean():
    # Without any variance from images, what is left is s^2 / n of the seeds.
    scores = np.array([0.5, 0.53, 0.58])
    constant = [
        Sampled(np.array([v]), np.full((20_000, 1), v), np.zeros((9, 1)), (), np.array([9]))
        for v in scores
    ]
    found = over_seeds(constant, "name", 0)
    assert found.value == pytest.approx(scores.mean())
    assert found.resamples.mean() == pytest.approx(scores.mean(), abs=1e-3)
    assert found.resamples.var() == pytest.approx(scores.var(ddof=1) / 3, rel=0.04)
    ((variance, freedom),) = found.seeds
    assert variance == pytest.approx(scores.var(ddof=1) / 3)
    assert freedom == 2


def test_images_are_drawn_once_for_all_seeds():
    # Equal seeds are worth one: their mean varies with the images as much as each of them.
    (run,) = sample(runs_of(1), by_image(40, 500))
    together = over_seeds([run] * 4, "name", 0)
    np.testing.assert_allclose(together.resamples, run.resamples, rtol=1e-12)
    np.testing.assert_allclose(together.influence, run.influence)


def test_groups_draw_their_seeds_independently_and_again_the_same():
    runs = sample(runs_of(), by_image(40, 500))
    one, again, other = (over_seeds(runs, name, 0).resamples for name in ("a", "a", "b"))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_one_seed_is_left_alone():
    (run,) = sample(runs_of(1), by_image(40, 100))
    assert over_seeds([run], "name", 0) is run

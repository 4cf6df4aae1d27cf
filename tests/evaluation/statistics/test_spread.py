import numpy as np
import pytest
from scipy import stats

from segmentation.evaluation.statistics.resampling import by_block, by_image
from segmentation.evaluation.statistics.spread import Spread, spread

NORMAL = np.random.default_rng(0).normal(size=(40, 1))
UNIFORM = np.linspace(-1, 1, 40)[:, None]


def test_light_tails_give_students_t():
    found = spread(UNIFORM, np.array([40]), by_image(40))
    assert found.freedom == [39]
    np.testing.assert_allclose(found.widening, np.sqrt(40 / 39))
    expected = np.sqrt(40 / 39) * stats.t.ppf(0.975, 39) / stats.norm.ppf(0.975)
    np.testing.assert_allclose(found.stretch(np.array([0.05])), expected)


def test_heavy_tails_cost_degrees_of_freedom():
    heavy = np.zeros((40, 1))
    heavy[:4] = [[1], [-1], [1], [-1]]  # the kurtosis is 10
    found = spread(heavy, np.array([40]), by_image(40))
    np.testing.assert_allclose(found.freedom, 2 * 40 / (10 - 1))
    assert found.stretch(np.array([0.05])) > 1.1


def test_a_class_has_no_more_degrees_than_images_that_hold_it():
    assert spread(UNIFORM, np.array([5]), by_image(40)).freedom == [4]
    alone = spread(UNIFORM, np.array([1]), by_image(40))
    assert not alone.known


def test_blocks_count_and_not_the_images_in_them():
    found = spread(NORMAL, np.array([40]), by_block([np.arange(40)], 8))
    assert found.freedom <= 4
    np.testing.assert_allclose(found.widening, np.sqrt(5 / 4))


def test_a_class_has_the_degrees_of_the_blocks_that_hold_it():
    blocks = by_block([np.arange(40)], 4)
    assert spread(UNIFORM, np.array([12]), blocks).freedom == [12 / 4 - 1]


def test_seeds_add_their_variance_with_its_own_freedom():
    images = 40
    of_images = UNIFORM.var() / (images - 1)  # the variance of the mean
    seeds = [(np.array([3 * of_images]), 2)]
    found = spread(UNIFORM, np.array([images]), by_image(images), seeds)
    # Welch and Satterthwaite: (1 + 3)^2 / (1^2 / 39 + 3^2 / 2).
    np.testing.assert_allclose(found.freedom, 16 / (1 / 39 + 9 / 2))
    np.testing.assert_allclose(found.widening, np.sqrt(4 / (39 / 40 + 3)))


@pytest.mark.parametrize("images", [1, 2, 10])
def test_what_never_varies_is_not_stretched_by_seeds(images):
    found = spread(np.zeros((images, 1)), np.array([images]), by_image(images))
    assert found.widening == [1]
    assert found.known == [images > 1]


def test_the_surer_an_interval_is_the_further_it_is_stretched():
    levels = np.array([0.9, 0.5, 0.05, 0.001, 0.0002])
    stretch = Spread(np.ones(5), np.full(5, 3.0)).stretch(levels)
    assert (np.diff(stretch) > 0).all()
    assert stretch[0] > 1

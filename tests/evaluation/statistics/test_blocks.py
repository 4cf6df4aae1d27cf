import numpy as np
import pytest
from arch.bootstrap import optimal_block_length
from populations import latent

from segmentation.evaluation.statistics.plan import block_length

WHOLE = [np.arange(200)]


def test_the_length_is_what_arch_says():
    series = latent(np.random.default_rng(0), 200, 1, 0.7)
    expected = optimal_block_length(series[:, 0])["circular"].iloc[0]
    assert 5 < expected < 40
    assert block_length(series, WHOLE) == np.ceil(expected)


def test_the_order_in_time_counts():
    series = latent(np.random.default_rng(0), 200, 1, 0.7)
    shuffled = np.random.default_rng(1).permutation(200)
    assert block_length(series[shuffled], WHOLE) < 5
    assert block_length(series[shuffled], [np.argsort(shuffled)]) == block_length(series, WHOLE)


def test_the_longest_of_several_series_counts():
    random = np.random.default_rng(0)
    series = np.column_stack([latent(random, 200, 1, 0.0), latent(random, 200, 1, 0.7)])
    assert block_length(series, WHOLE) == block_length(series[:, 1:], WHOLE)


def test_a_series_that_never_varies_needs_no_blocks():
    assert block_length(np.zeros((200, 2)), WHOLE) == 1


def test_five_blocks_are_left_at_least():
    rising = np.arange(60.0)[:, None]
    assert block_length(rising, [np.arange(60)]) == 12


@pytest.mark.parametrize(("images", "length"), [(4, 1), (9, 1), (10, 2), (19, 3)])
def test_with_few_images_blocks_are_as_long_as_may_be(images, length):
    series = np.random.default_rng(0).normal(size=(images, 1))
    assert block_length(series, [np.arange(images)]) == length

from itertools import pairwise

import numpy as np
import pytest
from arch.bootstrap import MovingBlockBootstrap
from hypothesis import given
from hypothesis import strategies as st

from segmentation.evaluation.statistics import resampling
from segmentation.evaluation.statistics.resampling import by_block, by_image


def members(plan) -> np.ndarray:
    """Return which images each unit holds, (units, n)."""
    return plan.sums(np.eye(len(plan.order), dtype=int))


def all_counts(plan) -> np.ndarray:
    return np.concatenate(list(plan.counts()))


def split(lengths):
    edges = np.cumsum([0, *lengths])
    return [np.arange(a, b) for a, b in pairwise(edges)]


def test_by_image_draws_as_many_images_as_there_are_each_as_often():
    plan = by_image(40, resamples=5000)
    counts = all_counts(plan)
    assert counts.shape == (5000, 40)
    assert (counts.sum(axis=1) == 40).all()
    # Multinomial: mean 1, variance 1 - 1/n; the standard error of the mean is 0.014.
    np.testing.assert_allclose(counts.mean(axis=0), 1, atol=0.07)
    np.testing.assert_allclose(counts.var(axis=0), 1 - 1 / 40, atol=0.15)


def test_blocks_are_those_that_arch_draws():
    length, frames = 4, np.arange(12)
    reference = MovingBlockBootstrap(length, frames, seed=0)
    drawn = {
        tuple(block)
        for (sample,), _ in reference.bootstrap(300)
        for block in sample.reshape(-1, length).tolist()
    }
    ours = {tuple(np.flatnonzero(row)) for row in members(by_block([frames], length))}
    assert ours == drawn
    assert len(ours) == 9


def test_blocks_stay_within_their_sequence_in_order_of_time():
    plan = by_block([np.array([5, 0, 3]), np.array([1, 2, 4])], 2)
    assert sorted(tuple(np.flatnonzero(row)) for row in members(plan)) == [
        (0, 3), (0, 5), (1, 2), (2, 4),
    ]  # fmt: skip


def test_a_sequence_that_is_shorter_is_one_block():
    plan = by_block(split([2, 10]), 5)
    first = members(plan)[0]
    assert np.flatnonzero(first).tolist() == [0, 1]
    assert plan.independent == 1 + 10 / 5


@given(st.lists(st.integers(1, 12), min_size=1, max_size=6), st.integers(1, 8))
def test_each_sequence_has_its_share_of_the_images(lengths, length):
    plan = by_block(split(lengths), length)
    share = plan.probability @ members(plan)  # expected weight of each image, per unit drawn
    of_sequences = [share[sequence].sum() for sequence in split(lengths)]
    np.testing.assert_allclose(of_sequences, np.array(lengths) / plan.independent)
    assert plan.probability.sum() == pytest.approx(1)
    assert abs(plan.drawn * share.sum() - sum(lengths)) <= length / 2 + 1e-9 or plan.drawn == 1


def test_sequences_of_one_image_are_drawn_as_images_are():
    blocks, images = by_block(split([1] * 30), 4, 50, seed=3), by_image(30, 50, seed=3)
    np.testing.assert_array_equal(all_counts(blocks), all_counts(images))
    np.testing.assert_array_equal(members(blocks), members(images))


def test_another_seed_draws_otherwise():
    for draw in (by_image, lambda *given: by_block(split([17]), 3, *given[1:])):
        one, other = (all_counts(draw(17, 100, seed)) for seed in (5, 6))
        assert (one != other).any()


@pytest.mark.parametrize("plan", [by_image(17, 100, 5), by_block(split([17]), 3, 100, 5)])
def test_draws_do_not_depend_on_the_memory_they_take(plan, monkeypatch):
    expected = all_counts(plan)
    np.testing.assert_array_equal(all_counts(plan), expected)
    monkeypatch.setattr(resampling, "COUNTS_AT_ONCE", 64)
    assert len(list(plan.counts())) > 20
    np.testing.assert_array_equal(all_counts(plan), expected)


def test_it_says_how_it_was_drawn():
    assert by_image(9).describe() == (
        "10,000 bootstrap resamples of 9 images, drawn one by one (Efron 1979)"
    )
    plan = by_block(split([101]), 16)
    assert "moving blocks of 16 neighbouring frames (Künsch 1989" in plan.describe()
    assert plan.describe().endswith("from 1 sequence")
    assert "All 101 images come from 1 sequence" in plan.notes[0]
    assert "worth only 6.3 independent blocks" in plan.notes[1]
    assert by_block(split([40] * 10), 4).notes == ()

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from populations import Scenes

from segmentation.evaluation.statistics.counts import influence
from segmentation.metrics.scores import ious, pixel_counts, scores


@st.composite
def matrices(draw):
    """Confusion matrices (n, C, C) in which classes are often absent."""
    images, classes = draw(st.integers(1, 5)), draw(st.integers(1, 20))
    counts = draw(arrays(np.int64, (images, classes, classes), elements=st.integers(0, 10**6)))
    there = draw(arrays(bool, classes))
    return counts * there[:, None] * there


@given(matrices())
def test_equal_to_the_scores_of_one_matrix_to_the_last_digit(confusion):
    correct, union = pixel_counts(confusion)
    found = ious(correct, union)
    for one, row in zip(confusion, found, strict=True):
        expected = scores(one)
        np.testing.assert_array_equal(row, [*expected.iou, expected.miou])


@given(matrices(), st.integers(0, 2**32 - 1))
def test_a_resample_scores_as_its_images_together(confusion, seed):
    times = np.random.default_rng(seed).integers(0, 4, len(confusion))
    correct, union = pixel_counts(confusion)
    expected = scores(np.repeat(confusion, times, axis=0).sum(axis=0))
    found = ious((times @ correct)[None], (times @ union)[None])[0]
    np.testing.assert_array_equal(found, [*expected.iou, expected.miou])


def test_by_hand():
    #                      predicted 0  1  2
    confusion = np.array([[[3, 1, 0], [0, 4, 0], [0, 0, 0]]])
    correct, union = pixel_counts(confusion)
    assert correct.tolist() == [[3, 4, 0]]
    assert union.tolist() == [[4, 5, 0]]
    np.testing.assert_allclose(
        ious(correct, union), [[3 / 4, 4 / 5, np.nan, (3 / 4 + 4 / 5) / 2]], rtol=1e-15
    )


def test_influence_is_the_derivative_by_an_images_weight():
    confusion = Scenes(np.random.default_rng(0), 12).predict()
    correct, union = pixel_counts(confusion)
    found, step = influence(correct, union), 1e-5
    for image in range(len(confusion)):
        # The weight of one image rises, the others' fall, so that all sum to n.
        ends = []
        for sign in (1, -1):
            weight = np.full(len(confusion), 1 - sign * step / len(confusion))
            weight[image] += sign * step
            ends.append(ious((weight @ correct)[None], (weight @ union)[None])[0])
        slope = (ends[0] - ends[1]) / (2 * step) * len(confusion)
        np.testing.assert_allclose(found[image], slope, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(found.sum(axis=0), 0, atol=1e-10)


def test_a_class_that_occurs_nowhere_has_no_influence_on_the_mean():
    confusion = Scenes(np.random.default_rng(0), 12).predict()
    wider = np.pad(confusion, ((0, 0), (0, 1), (0, 1)))
    found = influence(*pixel_counts(wider))
    assert np.isnan(found[:, -2]).all()
    np.testing.assert_allclose(found[:, -1], influence(*pixel_counts(confusion))[:, -1])


@pytest.mark.parametrize("shape", [(3, 2, 2), (1, 1, 1)])
def test_without_a_labelled_pixel_there_is_no_score(shape):
    correct, union = pixel_counts(np.zeros(shape, dtype=np.int64))
    assert np.isnan(ious(correct, union)).all()
    assert np.isnan(influence(correct, union)).all()

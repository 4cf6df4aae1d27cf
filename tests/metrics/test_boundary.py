"""Boundary scores, against the definitions carried out by SciPy class by class."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import binary_erosion, distance_transform_edt

from segmentation.classes import VOID
from segmentation.metrics.boundary import (
    BAND,
    TOLERANCE,
    band_counts,
    boundary_f,
    boundary_iou,
    contour_counts,
)

CLASSES = 3
SQUARE = np.ones((3, 3), bool)
labels = st.sampled_from([0, 0, 0, 1, 1, 2])


def maps(elements):
    """Draw label maps of blocks, so that masks have an inside."""
    blocks = arrays(np.uint8, (5, 6), elements=elements)
    return blocks.map(lambda one: np.kron(one, np.ones((7, 7), np.uint8)))


@settings(max_examples=60, deadline=None)
@given(maps(st.sampled_from([0, 0, 1, 1, 2, VOID])), maps(labels))
def test_bands_are_those_of_the_paper(truth, prediction):
    width = max(1, round(BAND * np.hypot(*truth.shape)))
    void = truth == VOID
    expected = []
    for index in range(CLASSES):
        bands = []
        for one in (truth, prediction):
            mask = (one == index) & ~void
            # Void may be any class, so no contour lies there.
            inner = binary_erosion(mask | void, SQUARE, iterations=width, border_value=0)
            bands.append(mask & ~inner)
        expected.append([np.sum(bands[0] & bands[1]), np.sum(bands[0] | bands[1])])
    np.testing.assert_array_equal(band_counts(truth, prediction, CLASSES), expected)


@settings(max_examples=60, deadline=None)
@given(maps(st.sampled_from([0, 0, 1, 1, 2, VOID])), maps(labels))
def test_contours_meet_within_the_tolerance(truth, prediction):
    reach = max(1.0, TOLERANCE * np.hypot(*truth.shape))
    void = truth == VOID
    expected = np.zeros((CLASSES, 4), int)
    for index in range(CLASSES):
        contours = []
        for one in (prediction, truth):
            mask = (one == index) & ~void
            contours.append(mask & ~binary_erosion(mask | void, SQUARE, border_value=1))
        for column, (own, other) in enumerate((contours, contours[::-1])):
            near = distance_transform_edt(~other) <= reach if other.any() else np.zeros_like(own)
            expected[index, 2 * column : 2 * column + 2] = np.sum(own & near), np.sum(own)
    np.testing.assert_array_equal(contour_counts(truth, prediction, CLASSES), expected)


def test_equal_labels_have_both_scores_in_full():
    truth = np.zeros((60, 80), np.uint8)
    truth[20:40, 30:60] = 1
    assert boundary_iou(band_counts(truth, truth, CLASSES)).mean == 1
    assert boundary_f(contour_counts(truth, truth, CLASSES)).mean == 1
    assert np.isnan(boundary_iou(band_counts(truth, truth, CLASSES)).classes[2])
    assert np.isnan(boundary_f(contour_counts(truth, truth, CLASSES)).classes[2])


def test_an_edge_one_pixel_off_is_met_and_one_far_off_is_not():
    truth, near, far = (np.zeros((60, 80), np.uint8) for _ in range(3))  # diagonal 100
    truth[:, 40:], near[:, 41:], far[:, 45:] = 1, 1, 1
    assert boundary_f(contour_counts(truth, near, 2)).classes.tolist() == [1, 1]
    assert boundary_f(contour_counts(truth, far, 2)).classes.tolist() == [0, 0]
    # Bands are two pixels wide, along the image's edges too: 2 x 40 + 2 x 40 + 2 x 56 + 2 x 56 of
    # truth's class 0, and the column beside the contour that is one's alone, on either side.
    both, either = band_counts(truth, near, 2)[0]
    assert (both, either) == (2 * 40 + 2 * 40 + 2 * 56 + 56, 2 * 40 + 2 * 40 + 4 * 56 + 4 + 56)


def test_a_class_on_one_side_only_has_no_share_in_the_other():
    truth = np.zeros((60, 80), np.uint8)
    wrong = truth.copy()
    wrong[20:40, 20:40] = 1
    assert boundary_iou(band_counts(truth, wrong, 2)).classes[1] == 0
    assert boundary_f(contour_counts(truth, wrong, 2)).classes[1] == 0


@pytest.mark.parametrize("count", [band_counts, contour_counts])
def test_an_image_of_void_counts_nothing(count):
    truth = np.full((10, 12), VOID, np.uint8)
    assert not count(truth, np.zeros_like(truth), CLASSES).any()


def test_one_pixel_is_an_image_too():
    one = np.zeros((1, 1), np.uint8)
    assert boundary_iou(band_counts(one, one, 1)).mean == 1
    assert np.isnan(boundary_f(contour_counts(one, one, 1)).mean)

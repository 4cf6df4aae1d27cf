"""Masks as polygons: exact without simplification, and within the tolerance with it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from segmentation.classes import VOID
from segmentation.inference.polygons import polygons, simplify, trace

MASKS = arrays(
    np.uint8,
    st.tuples(st.integers(1, 14), st.integers(1, 14)),
    elements=st.sampled_from([0, 1, 2, VOID]),
)
BLOBS = st.tuples(MASKS, st.integers(1, 6)).map(lambda pair: pair[0].repeat(pair[1], 0))


def crossings(ring, y, x):
    """Return how often a line to the right of each point crosses a ring."""
    (x0, y0), (x1, y1) = ring.T, np.roll(ring, -1, axis=0).T
    meets = (y0 <= y[..., None]) != (y1 <= y[..., None])
    with np.errstate(all="ignore"):
        at = x0 + (y[..., None] - y0) * (x1 - x0) / (y1 - y0)
    return (meets & (at > x[..., None])).sum(axis=-1)


def inside(rings, shape):
    """Return the pixels whose centres are inside, by the even-odd rule."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    return sum(crossings(ring, y, x) for ring in rings) % 2 == 1


def border_distance(mask):
    """Return each pixel centre's distance from the nearest pixel of another class or outside."""
    padded = np.pad(mask.astype(int), 1, constant_values=-1)
    rows, columns = np.indices(padded.shape)
    result = np.empty(mask.shape)
    for row, column in np.ndindex(mask.shape):
        other = padded != mask[row, column]
        down = np.maximum(np.abs(rows[other] - row - 1) - 0.5, 0)
        across = np.maximum(np.abs(columns[other] - column - 1) - 0.5, 0)
        result[row, column] = np.hypot(down, across).min()
    return result


@settings(deadline=None, max_examples=40)
@given(MASKS)
def test_without_tolerance_they_are_the_mask(mask):
    drawn = np.full(mask.shape, VOID, np.uint8)
    for polygon in polygons(mask, tolerance=0):
        pixels = inside([polygon.outline, *polygon.holes], mask.shape)
        assert (drawn[pixels] == VOID).all()
        drawn[pixels] = polygon.label
        assert polygon.area == pixels.sum()
    assert np.array_equal(drawn, mask)


@settings(deadline=None, max_examples=40)
@given(MASKS)
def test_a_ring_with_its_holes_cut_in_is_the_polygon_to_coco_too(mask):
    for polygon in polygons(mask, tolerance=0):
        expected = inside([polygon.outline, *polygon.holes], mask.shape)
        assert np.array_equal(inside([polygon.ring], mask.shape), expected)
        (encoded,) = coco_mask.frPyObjects([polygon.ring.ravel().tolist()], *mask.shape)
        assert np.array_equal(coco_mask.decode(encoded), expected)


@settings(deadline=None, max_examples=40)
@given(BLOBS, st.floats(0.1, 4))
def test_beyond_the_tolerance_from_its_border_each_pixel_keeps_its_class(mask, tolerance):
    found = polygons(mask, tolerance=tolerance)
    far = border_distance(mask) > tolerance + 1e-9
    for label in (0, 1, 2):
        drawn = np.zeros(mask.shape, int)
        for polygon in (polygon for polygon in found if polygon.label == label):
            drawn += inside([polygon.outline, *polygon.holes], mask.shape)
        assert np.array_equal(drawn[far], (mask == label)[far])


@settings(deadline=None, max_examples=40)
@given(MASKS, st.floats(0.1, 4))
def test_a_simplified_ring_is_within_the_tolerance_of_its_own(mask, tolerance):
    rings = trace((mask == 1).astype(np.uint8))
    for ring, simple in zip(rings, simplify(rings, tolerance), strict=True):
        assert {*map(tuple, simple)} <= {*map(tuple, ring)}
        ends = np.roll(simple, -1, axis=0)
        for point in ring:
            line, offset = ends - simple, point - simple
            along = (offset * line).sum(1) / np.maximum((line**2).sum(1), 1e-9)
            gaps = offset - np.clip(along, 0, 1)[:, None] * line
            assert np.hypot(*gaps.T).min() <= tolerance + 1e-9


def test_a_square_with_a_hole_by_hand():
    mask = np.zeros((4, 5), np.uint8)
    mask[0:3, 1:4] = 7
    mask[1, 2] = 3
    background, hole, square = polygons(mask, tolerance=0)
    assert [background.label, hole.label, square.label] == [0, 3, 7]
    assert square.outline.tolist() == [[1, 0], [4, 0], [4, 3], [1, 3]]
    assert [ring.tolist() for ring in square.holes] == [[[2, 2], [3, 2], [3, 1], [2, 1]]]
    assert (square.area, hole.area, background.area) == (8, 1, 11)


def test_pixels_that_touch_by_a_corner_are_two_polygons():
    for mask in (np.eye(2, dtype=np.uint8), np.eye(2, dtype=np.uint8)[::-1]):
        assert [polygon.area for polygon in polygons(mask, labels=[1])] == [1, 1]


def test_a_staircase_becomes_a_line():
    mask = np.tri(40, dtype=np.uint8)
    exact, simple = (polygons(mask, [1], tolerance)[0] for tolerance in (0, 1))
    assert (len(exact.outline), len(simple.outline)) == (82, 3)


def test_a_thin_region_stays_and_void_has_no_polygon():
    mask = np.full((9, 5), VOID, np.uint8)
    mask[1:8, 2] = 1
    (pole,) = polygons(mask, tolerance=3)
    assert pole.area == 7
    assert polygons(mask, labels=[0]) == []
    with pytest.raises(ValueError, match="tolerance=-1: it must be 0 or more"):
        polygons(mask, tolerance=-1)

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from segmentation.data.annotations.rle import encode
from segmentation.data.annotations.shapes import Bitmap, Encoded, Polygons, box, ellipse

SIZE = (30, 40)
POINTS = st.lists(
    st.tuples(st.floats(0, SIZE[1], width=32), st.floats(0, SIZE[0], width=32)),
    min_size=3,
    max_size=8,
)


def drawn(shape, size=SIZE):
    """Return a shape as a mask of the whole image."""
    canvas = np.zeros(size, dtype=bool)
    if (part := shape.draw(size)) is not None:
        rows = slice(part.top, part.top + part.height)
        canvas[rows, part.left : part.left + part.width] = part.decode()
    return canvas


@given(st.lists(POINTS, min_size=1, max_size=3))
def test_the_window_changes_nothing_of_what_pycocotools_draws(rings):
    outlines = [np.array(points, dtype=float) for points in rings]
    flat = [points.ravel().tolist() for points in outlines]
    whole = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(flat, *SIZE)))
    assert (drawn(Polygons(outlines)) == whole.astype(bool)).all()


OUTSIDE = st.lists(
    st.tuples(st.floats(-30, 70, width=32), st.floats(-20, 50, width=32)), min_size=3, max_size=8
)


@given(OUTSIDE)
def test_polygons_that_leave_the_image_are_cut_from_a_larger_one(points):
    outline = np.array(points, dtype=float)
    flat = [(outline + 50).ravel().tolist()]
    whole = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(flat, 150, 150)))
    assert (drawn(Polygons([outline])) == whole[50:80, 50:90].astype(bool)).all()


@given(
    st.floats(3, 36),
    st.floats(3, 26),
    st.lists(st.floats(2, 20), min_size=5, max_size=12),
)
def test_opencv_differs_along_the_outline_alone(x, y, radii):
    angles = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    points = np.stack([x + np.cos(angles) * radii, y + np.sin(angles) * radii], axis=1)
    canvas, border = np.zeros((2, 130, 140), np.uint8)  # larger: OpenCV errs where it clips
    fixed = np.round((points + 49.5) * 16).astype(np.int32)  # pixel centres are whole numbers there
    cv2.fillPoly(canvas, [fixed], 1, shift=4)
    cv2.polylines(border, [fixed], True, 1, thickness=4, shift=4)
    differs = drawn(Polygons([points])) != canvas[50:80, 50:90].astype(bool)
    assert not (differs & (border[50:80, 50:90] == 0)).any()


def test_holes_are_cut_out():
    shape = Polygons([np.array([[0, 0], [20, 0], [20, 20], [0, 20]])],
                     [np.array([[5, 5], [10, 5], [10, 10], [5, 10]])])  # fmt: skip
    mask = drawn(shape)
    assert mask.sum() == 20 * 20 - 5 * 5
    assert not mask[5:10, 5:10].any()


def test_boxes_and_ellipses():
    assert drawn(box(2, 3, 12, 8)).sum() == 10 * 5
    turned = drawn(box(10, 12.5, 20, 17.5, rotation=90))
    assert turned[10:20, 12:18].sum() == turned.sum()  # 5 wide and 10 high about (15, 15)
    assert abs(turned.sum() - 50) <= 10
    disc = drawn(ellipse(20, 15, 10, 10))
    assert abs(disc.sum() - np.pi * 100) < 12
    assert disc[15, 20]
    assert not disc[6, 11]


def test_what_lies_outside_is_cut_off():
    assert drawn(box(-5, -5, 5, 5)).sum() == 25
    assert Polygons([np.array([[50, 50], [60, 50], [60, 60]])]).draw(SIZE) is None
    assert Polygons([np.array([[1.1, 1], [1.2, 1], [1.2, 1.2]])]).draw(SIZE) is None


@pytest.mark.parametrize("far", [1e9, -500.0, float("nan"), float("inf")])
def test_points_far_outside_are_refused(far):
    with pytest.raises(ValueError, match=r"far outside of its image|not finite"):
        Polygons([np.array([[0, 0], [far, 0], [0, 9]])]).draw(SIZE)


@given(st.integers(-12, 45), st.integers(-12, 35))
def test_bitmaps_are_cut_to_the_image(left, top):
    part = np.ones((10, 8), dtype=bool)
    whole = np.zeros((80, 100), dtype=bool)
    whole[20 + top : 30 + top, 20 + left : 28 + left] = True
    mask = drawn(Bitmap(lambda size: encode(part, top, left)))
    assert (mask == whole[20 : 20 + SIZE[0], 20 : 20 + SIZE[1]]).all()


def test_rle_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"its RLE is of 3x4 pixels, its image has 30x40"):
        Encoded([12], (3, 4)).draw(SIZE)
    assert Encoded([1200], SIZE).draw(SIZE) is None


def test_an_outline_that_crosses_its_image_again_and_again_is_refused():
    ends = np.where(np.arange(2000) % 2, 0, 3000)
    zigzag = np.stack([ends, np.arange(2000) / 2], axis=1).astype(float)
    with pytest.raises(ValueError, match=r"its outline is 6,000,000 pixels long, more than"):
        Polygons([zigzag]).draw((2000, 3000))
    with pytest.raises(ValueError, match="its outline is"):
        Polygons([zigzag[:3]], [zigzag]).draw((2000, 3000))

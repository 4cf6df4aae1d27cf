import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_datasets import made
from PIL import Image

from segmentation.classes import VOID, Entry
from segmentation.data.check.borders import neighbours, void_borders
from segmentation.data.discovery.layouts import Sample
from segmentation.data.discovery.scanned_dataset import scan_dataset
from segmentation.data.discovery.splits import Splits
from segmentation.data.masks.labels import Labels


@given(st.integers(1, 7), st.integers(1, 7), st.randoms(use_true_random=False))
def test_neighbours_are_the_pairs_side_by_side(height, width, random):
    labels = np.uint8([[random.choice([0, 1, VOID]) for _ in range(width)] for _ in range(height)])
    expected = np.zeros((256, 256), int)
    for row in range(height):
        for column in range(width):
            for other in ((row + 1, column), (row, column + 1)):
                if other[0] < height and other[1] < width:
                    pair = labels[row, column], labels[other]
                    if pair[0] != pair[1]:
                        expected[pair] += 1
                        expected[pair[::-1]] += 1
    np.testing.assert_array_equal(neighbours(labels), expected)


def test_a_class_in_a_ring_of_void(tmp_path):
    """A square of 4x4 pixels inside void, and the class outside, which also meets a third."""
    mask = np.zeros((12, 12), np.uint8)
    mask[:, 10:] = 2
    mask[2:8, 2:8] = 255
    mask[3:7, 3:7] = 1
    Image.fromarray(mask).save(tmp_path / "a.png")
    Image.new("RGB", (12, 12)).save(tmp_path / "a_image.png")
    table = [Entry("out", (1, 1, 1), 0), Entry("in", (2, 2, 2), 1), Entry("edge", (3, 3, 3), 2),
             Entry("void", (0, 0, 0), 255, void=True)]  # fmt: skip
    (tmp_path / "classes.yaml").write_text(
        "".join(
            f"- {{name: {one.name}, color: {list(one.color)}, index: {one.index}, "
            f"void: {str(one.void).lower()}}}\n"
            for one in table
        )
    )
    sample = Sample("a", tmp_path / "a_image.png", tmp_path / "a.png")
    found = void_borders(scan_dataset(tmp_path, Splits({"train": [sample]}, "made")))
    assert found.masks == 1
    # out: 24 sides to the ring's outside, 12 to the third class; in: 16 sides, all to the ring
    np.testing.assert_allclose(found.share, [24 / 36, 1, 0])
    assert found.whole == pytest.approx((24 + 16) / (36 + 16 + 12))


def test_masks_that_cannot_be_read_give_nothing():
    assert void_borders(made(Labels([Entry("a", (0, 0, 0), 0)]), train=2)) is None
    assert void_borders(made(val=2)) is None

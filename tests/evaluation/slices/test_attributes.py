"""What is known of each image besides its scores."""

import numpy as np
import pytest
from fakes import CLASSES, fake_camvid, pairs_of, samples_of
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from segmentation.data.discovery.scan import scan_samples
from segmentation.evaluation.slices.attributes import image_attributes, object_sizes, sizes_of


def test_object_sizes_by_hand():
    labels = np.full((10, 10), 255, np.uint8)
    labels[0:2, 0:3] = 1  # 6 pixels
    labels[5:7, 5:6] = 1  # 2 pixels
    labels[9, 9] = labels[8, 8] = 0  # one object of 2: corners touch
    sizes = object_sizes(labels, 3)
    assert sizes[0] == 2.0
    assert sizes[1] == (36 + 4) / 8  # a pixel of class 1 lies in an object of 5 pixels on average
    assert np.isnan(sizes[2])


def test_a_far_crowd_is_small_and_strays_beside_a_near_one_do_not_make_it_small():
    crowd, near = np.ones((40, 40), np.uint8), np.ones((40, 40), np.uint8)
    crowd[::4, ::2] = 0  # 200 people of a pixel each
    near[:20, :10] = 0  # one of 200
    near[30::4, 20::4] = 0  # and 15 strays
    assert object_sizes(crowd, 2)[0] == pytest.approx(100 / 1600)
    assert object_sizes(near, 2)[0] > 0.9 * 200 * 100 / 1600


@given(arrays.arrays(np.uint8, (7, 9), elements=st.sampled_from([0, 1, 255])))
def test_a_size_lies_between_a_pixel_and_the_share_of_its_class(labels):
    for label, size in enumerate(object_sizes(labels, 2)):
        pixels = (labels == label).sum()
        assert np.isnan(size) if not pixels else size * 63 * (1 + 1e-12) >= 100
        assert not pixels or size <= 100 * pixels / 63 + 1e-9


def test_sizes_of_a_split_are_those_of_its_masks(tmp_path):
    pairs = pairs_of(fake_camvid(tmp_path))
    found = sizes_of(pairs, [2, 0], CLASSES.names)
    assert list(found) == list(CLASSES.names)
    rows = np.array(list(found.values())).T
    np.testing.assert_array_equal(rows[0], object_sizes(pairs[2][1], 11))
    np.testing.assert_array_equal(rows[1], object_sizes(pairs[0][1], 11))


def test_brightness_is_the_mean_luma_of_the_scan(tmp_path):
    samples = samples_of(fake_camvid(tmp_path))
    found = scan_samples(samples, pairs_of(tmp_path).labels).brightness[:, 0]
    table = image_attributes([one.name for one in samples], found)
    for sample, brightness in zip(samples, table["brightness"], strict=True):
        luma = np.asarray(Image.open(sample.image).convert("RGB")) @ [0.299, 0.587, 0.114]
        assert brightness == pytest.approx(luma.mean(), abs=0.6)  # luma is rounded to bytes


def test_a_column_of_numbers_is_numbers_and_any_other_is_text():
    cells = {"lux": ["7", "", "1e2"], "scene": ["7", "", "town"], "size": ["1", "inf", "2"]}
    table = image_attributes(["a", "b", "c"], targets=cells)
    np.testing.assert_array_equal(table["targets.lux"], [7, np.nan, 100])
    assert table["targets.scene"].isna().tolist() == [False, True, False]
    assert table["targets.scene"].tolist()[::2] == ["7", "town"]
    assert table["targets.size"].tolist() == ["1", "inf", "2"]
    assert list(table.index) == ["a", "b", "c"]


def test_sequences_are_called_by_their_ends():
    table = image_attributes(["s1_01", "x", "s1_02", "s2_07"], sequences=True)
    assert table["sequence"].tolist() == ["s1_01 to s1_02", "x", "s1_01 to s1_02", "s2_07"]

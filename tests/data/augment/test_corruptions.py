"""Corruptions: the same for whoever asks, worse with severity, and of images alone."""

import numpy as np
import pytest
from fakes import fake_camvid, pairs_of
from torch.utils.data import DataLoader

from segmentation.data.augment.corruptions import (
    CORRUPTIONS,
    SEVERITIES,
    CorruptedPairs,
    Corruption,
)
from segmentation.data.dataset import SegmentationDataset, collate
from segmentation.errors import DataError

NAMES = sorted({one.name for one in CORRUPTIONS})


def street(size=(96, 128)):
    """Something with a sky, texture, edges and colours, as a street has."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[: size[0], : size[1]]
    image = np.stack([200 - rows, 180 - rows + columns // 4, 90 + columns // 2], axis=2)
    image[rows % 32 > 20] //= 2
    image[size[0] // 2 :] += rng.integers(0, 60, (size[0] - size[0] // 2, size[1], 3))
    return np.clip(image, 0, 255).astype(np.uint8)


def psnr(image, other):
    error = np.mean((image.astype(np.float64) - other) ** 2)
    return 10 * np.log10(255**2 / error)


@pytest.mark.parametrize("size", [(96, 128), (360, 480)])
@pytest.mark.parametrize("name", NAMES)
def test_each_severity_damages_more_than_the_one_before(name, size):
    image = street(size)
    kept = image.copy()
    damaged = [Corruption(name, severity).apply(image, 0, 0) for severity in SEVERITIES]
    assert all(one.shape == image.shape and one.dtype == np.uint8 for one in damaged)
    quality = [psnr(image, one) for one in damaged]
    assert quality[0] > quality[1] > quality[2]
    assert quality[2] < 30
    np.testing.assert_array_equal(image, kept)


@pytest.mark.parametrize("one", CORRUPTIONS, ids=str)
def test_it_follows_from_seed_and_index_alone(one):
    image = street()
    first = one.apply(image, 3, 5)
    one.apply(street((50, 60)), 9, 9)  # what came between changes nothing
    np.testing.assert_array_equal(one.apply(image, 3, 5), first)


@pytest.mark.parametrize("name", ["gaussian_noise", "motion_blur", "fog"])
def test_another_index_or_seed_draws_otherwise(name):
    one, image = Corruption(name, 3), street()
    same = one.apply(image, 0, 0)
    assert (one.apply(image, 0, 1) != same).any()
    assert (one.apply(image, 1, 0) != same).any()


def test_noise_has_the_deviation_of_the_table():
    gray = np.full((128, 128, 3), 128, np.uint8)
    noise = Corruption("gaussian_noise", 1).apply(gray, 0, 0).astype(np.float64) - 128
    assert noise.std() == pytest.approx(0.08 * 255, rel=0.03)  # rounded towards zero
    assert abs(noise.mean()) < 0.5


def test_contrast_and_darkness_have_the_factors_of_the_table():
    image = np.zeros((64, 64, 3), np.uint8)
    image[:32], image[32:] = 60, 140  # mean 100
    weak = Corruption("contrast", 1).apply(image, 0, 0)
    assert {*np.unique(weak).tolist()} <= {84, 83, 85, 116, 115, 117}  # 100 -+ 0.4 x 40
    dark = Corruption("darkness", 3).apply(image, 0, 0)
    assert np.unique(dark).tolist() == [15, 35]  # a quarter


def test_brightness_is_added_to_the_value_of_hsv():
    gray = np.full((8, 8, 3), 100, np.uint8)
    assert np.unique(Corruption("brightness", 3).apply(gray, 0, 0)).tolist() == [176]  # 0.3 x 255


def test_blurs_grow_with_the_picture():
    # A step between two halves: how many columns are neither the one nor the other.
    def width(size, name):
        image = np.zeros((size, size, 3), np.uint8)
        image[:, size // 2 :] = 255
        row = Corruption(name, 5).apply(image, 0, 0)[size // 2, :, 0]
        return np.count_nonzero((row > 2) & (row < 253))

    small, large = width(112, "defocus_blur"), width(448, "defocus_blur")
    assert large == pytest.approx(4 * small, rel=0.25)


def test_labels_stay_and_names_stay(tmp_path):
    pairs = pairs_of(fake_camvid(tmp_path))
    corrupted = CorruptedPairs(pairs, Corruption("fog", 5))
    assert len(corrupted) == len(pairs)
    for index in range(len(pairs)):
        (image, labels), (damaged, same) = pairs[index], corrupted[index]
        np.testing.assert_array_equal(labels, same)
        assert (image != damaged).any()
    names = SegmentationDataset(corrupted).names
    assert names == SegmentationDataset(pairs).names


def test_workers_and_their_order_change_nothing(tmp_path):
    pairs = CorruptedPairs(pairs_of(fake_camvid(tmp_path)), Corruption("gaussian_noise", 3), seed=4)
    dataset = SegmentationDataset(pairs, size=(24, 32))
    alone = [dataset[index]["image"] for index in reversed(range(len(dataset)))][::-1]
    for workers, batch in ((0, 4), (2, 1)):
        loader = DataLoader(dataset, batch, num_workers=workers, collate_fn=collate)
        seen = [image for batch in loader for image in batch["image"]]
        assert all((one == other).all() for one, other in zip(alone, seen, strict=True))


def test_a_file_that_is_gone_is_skipped_as_without_corruption(tmp_path):
    pairs = pairs_of(fake_camvid(tmp_path))
    pairs.samples[0].image.unlink()
    corrupted = CorruptedPairs(pairs, Corruption("contrast", 1))
    with pytest.raises(DataError, match=pairs.samples[0].image.name):
        SegmentationDataset(corrupted)[0]
    assert SegmentationDataset(corrupted, skip=True)[0]["failed"]

import numpy as np
import pytest
import yaml
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation.classes import VOID
from segmentation.data.transforms import TrainTransform, resize_image
from segmentation.errors import ConfigError

OPTIONS = sorted((ROOT / "conf" / "augment").glob("*.yaml"))


def pair(size=(40, 60), seed=0):
    rng = np.random.default_rng(seed)
    mask = rng.integers(0, 11, size, dtype=np.uint8)
    return np.repeat(mask[..., None] * 20, 3, axis=2), mask


def test_the_options_were_found():
    assert len(OPTIONS) >= 4


@pytest.mark.parametrize("path", OPTIONS, ids=lambda path: path.stem)
def test_every_option_keeps_size_and_labels(path):
    transform = TrainTransform(yaml.safe_load(path.read_text())["transforms"])
    for index in range(10):
        image, mask = transform(*pair(), seed=(0, 0, index))
        assert image.shape == (40, 60, 3)
        assert mask.shape == (40, 60)
        assert image.dtype == mask.dtype == np.uint8
        assert set(np.unique(mask)) <= {*range(11), VOID}  # no label is interpolated


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(8, 70), st.integers(8, 70)),
    crop=st.tuples(st.integers(8, 70), st.integers(8, 70)),
    index=st.integers(0, 1000),
)
def test_a_crop_has_its_size_and_image_and_mask_stay_together(size, crop, index):
    image, mask = TrainTransform([], crop=crop)(*pair(size), seed=(0, 0, index))
    assert image.shape[:2] == mask.shape == crop
    real = mask != VOID
    assert real.sum() == min(size[0], crop[0]) * min(size[1], crop[1])
    np.testing.assert_array_equal(image[real][:, 0], mask[real] * 20)


def test_randomness_is_a_function_of_the_seed_alone():
    options = [{"HorizontalFlip": {"p": 0.5}}, {"RandomScale": {"scale_limit": 0.5, "p": 1}}]
    one, other = TrainTransform(options), TrainTransform(options)
    for _ in range(3):  # whatever was drawn before
        other(*pair(), seed=(9, 9, 9))
    same = [np.array_equal(one(*pair(), seed=s)[0], other(*pair(), seed=s)[0]) for s in SEEDS]
    assert all(same)
    distinct = {one(*pair(), seed=s)[0].tobytes() for s in SEEDS}
    assert len(distinct) == len(SEEDS)  # another epoch, index or run: another sample


SEEDS = [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (0, 1, 1)]


def test_padding_and_rotation_fill_masks_with_void():
    rotate = TrainTransform([{"Affine": {"rotate": [45, 45], "p": 1}}])
    _, mask = rotate(*pair(), seed=(0,))
    assert mask[0, 0] == mask[-1, -1] == VOID
    assert TrainTransform([], crop=(80, 80))(*pair(), seed=(0,))[1].tolist().count([VOID] * 80) > 0


def test_resize_comes_before_augmentation_and_keeps_labels():
    image, mask = TrainTransform([], size=(20, 30))(*pair(), seed=(0,))
    assert image.shape == (20, 30, 3)
    assert mask.shape == (20, 30)
    assert set(np.unique(mask)) <= set(range(11))


def test_shrinking_averages_and_none_changes_nothing():
    image = np.zeros((4, 4, 3), np.uint8)
    image[::2] = 200
    assert (resize_image(image, (2, 2)) == 100).all()
    assert resize_image(image, None) is image
    assert resize_image(image, (4, 4)) is image


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        ([{"HorizontalFlop": {}}], r"no 'HorizontalFlop'\. Did you mean 'HorizontalFlip'"),
        ([{"HorizontalFlip": {"prob": 1}}], "HorizontalFlip has no argument 'prob'"),
        ([{"PadIfNeeded": {"mask_value": 1}}], r"no argument 'mask_value'"),
        ([{"RandomScale": {"scale_limit": "big"}}], "RandomScale: .*scale_limit"),
        ([{"OneOf": {"transforms": [{"Blurr": {}}]}}], "no 'Blurr'"),
        (["HorizontalFlip"], "expected one '- Name"),
    ],
)
def test_what_albumentations_does_not_know_is_an_error(augment, message):
    with pytest.raises(ConfigError, match=message):
        TrainTransform(augment)

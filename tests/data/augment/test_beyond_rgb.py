"""Augmentation of images with any channels: in their type, without a change of their values."""

import logging

import numpy as np
import pytest

from segmentation.classes import VOID
from segmentation.data.augment.transform import TrainTransform
from segmentation.data.augment.window import resize_image
from segmentation.data.images.channels import Channels

COUNTS = (1, 2, 4, 7, 13)
TYPES = ("uint8", "uint16", "float32")
COLORS = {"ColorJitter": {}, "GaussianBlur": {}, "RandomGamma": {}, "GaussNoise": {}}


def made(count, dtype):
    low, high = (40.0,) * count, tuple(200.0 + index for index in range(count))
    return Channels(tuple(range(1, count + 1)), ("",) * count, dtype, low=low, high=high)


def pair(count, dtype, size=(40, 48)):
    rng = np.random.default_rng(0)
    image = rng.integers(50, 180, (*size, count)).astype(dtype)
    return image, rng.integers(0, 3, size, dtype=np.uint8)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(
    "transform",
    [
        {"Affine": {"rotate": [30, 40], "p": 1}},
        {"Rotate": {"limit": [20, 30], "p": 1}},
        {"CoarseDropout": {"p": 1, "fill": [124, 116, 104], "fill_mask": 255}},
    ],
    ids=lambda one: next(iter(one)),
)
def test_what_has_no_source_is_void_and_has_the_fill(transform, count, dtype):
    channels = made(count, dtype)
    image, labels = TrainTransform([transform], channels=channels)(*pair(count, dtype), (0,))
    assert (image.dtype, image.shape) == (dtype, (40, 48, count))
    missing = labels == VOID
    assert missing.any()
    assert not missing.all()
    fill = np.array(channels.fill, dtype)
    np.testing.assert_array_equal(image[missing], np.broadcast_to(fill, image[missing].shape))


@pytest.mark.parametrize("dtype", TYPES)
def test_crops_are_padded_with_the_fill(dtype):
    channels = made(5, dtype)
    transform = TrainTransform(crop=(64, 64), scale=(0.5, 0.5), channels=channels)
    image, labels = transform(*pair(5, dtype), (0,))
    assert (image.dtype, image.shape) == (dtype, (64, 64, 5))
    np.testing.assert_array_equal(image[labels == VOID][0], np.array(channels.fill, dtype))


@pytest.mark.parametrize("count", COUNTS)
def test_transforms_of_colours_are_left_out_and_named_once(caplog, count):
    channels = made(count, "uint16")
    entries = [
        {"HorizontalFlip": {"p": 1}},
        *({name: {"p": 1, **options}} for name, options in COLORS.items()),
        {"OneOf": {"transforms": [{"MotionBlur": {}}, {"VerticalFlip": {"p": 1}}], "p": 1}},
        {"OneOf": {"transforms": [{"MotionBlur": {}}], "p": 1}},
    ]
    with caplog.at_level(logging.WARNING):
        transform = TrainTransform(entries, channels=channels)
    (message,) = caplog.messages
    assert "ColorJitter, GaussianBlur, RandomGamma, GaussNoise, MotionBlur:" in message
    image, labels = pair(count, "uint16")
    flipped, mask = transform(image, labels, (0,))
    np.testing.assert_array_equal(flipped, image[::-1, ::-1])
    np.testing.assert_array_equal(mask, labels[::-1, ::-1])


@pytest.mark.parametrize("count", COUNTS)
def test_resizing_treats_each_channel_alike(count):
    image, _ = pair(count, "uint16")
    for size in ((13, 17), (70, 90)):
        resized = resize_image(image, size)
        assert resized.shape == (*size, count)
        for index in range(count):
            alone = resize_image(image[..., index : index + 1], size)
            np.testing.assert_allclose(resized[..., index : index + 1], alone, atol=1)  # rounding

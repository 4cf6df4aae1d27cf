"""Sliding windows cover every pixel, weigh it, and give an image back."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from segmentation.inference.sliding_window import (
    AT_ONCE,
    logarithm,
    starts,
    window_weights,
    windowed_logits,
)

sides = st.integers(1, 40)
overlaps = st.sampled_from([0.0, 0.25, 0.5, 0.9])


class Shown(nn.Module):
    """Gives the image as logits, and keeps the shapes of what it was shown."""

    def __init__(self):
        super().__init__()
        self.shapes = []

    def forward(self, images):
        self.shapes.append(tuple(images.shape))
        return images.float()


@given(length=st.integers(1, 200), window=st.integers(1, 80), overlap=overlaps)
def test_windows_cover_the_axis_and_end_with_it(length, window, overlap):
    first = starts(length, window, overlap)
    assert first[0] == 0
    assert first == sorted(set(first))
    assert first[-1] + window == max(length, window)
    steps = np.diff(first)
    assert (steps <= max(1, round(window * (1 - overlap)))).all()


def test_where_windows_start_by_hand():
    assert starts(10, 4, 0.5) == [0, 2, 4, 6]
    assert starts(11, 4, 0.5) == [0, 2, 4, 6, 7]  # the last one ends with the axis
    assert starts(8, 4, 0) == [0, 4]
    assert starts(9, 4, 0) == [0, 4, 5]
    assert starts(4, 4, 0.5) == starts(3, 4, 0.5) == [0]


def test_weights_are_a_gaussian_of_an_eighth_of_the_side():
    weights = window_weights(7, 15).double().numpy()
    rows, columns = np.mgrid[:7, :15]
    expected = np.exp(
        -0.5 * (((rows - 3) / (8 / 8)) ** 2 + ((columns - 7) / (16 / 8)) ** 2)
    )  # sides of 8 and 16 from beyond one border to beyond the other
    np.testing.assert_allclose(weights, expected, rtol=1e-5)
    assert window_weights(512, 512).min() > 1e-8  # where one window alone sees a pixel


@settings(deadline=None, max_examples=60)
@given(
    height=sides, width=sides, window=st.tuples(sides, sides), overlap=overlaps,
    number=st.integers(1, 3), seed=st.integers(0, 100),
)  # fmt: skip
def test_an_image_comes_back_whatever_the_windows(height, width, window, overlap, number, seed):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (number, 5, height, width), generator=generator).byte()
    found = windowed_logits(nn.Identity(), images.float(), window, overlap)
    assert found.shape == images.shape
    torch.testing.assert_close(
        found.softmax(dim=1), images.float().softmax(dim=1), atol=1e-6, rtol=1e-5
    )
    assert (found.argmax(dim=1) == images.argmax(dim=1)).all()


def test_memory_is_that_of_a_few_windows():
    model = Shown()
    windowed_logits(model, torch.zeros(1, 3, 40, 40), (10, 10), 0)
    assert sum(shape[0] for shape in model.shapes) == 16
    assert {shape[1:] for shape in model.shapes} == {(3, 10, 10)}
    assert max(shape[0] for shape in model.shapes) == AT_ONCE
    many = Shown()
    windowed_logits(many, torch.zeros(6, 3, 40, 40), (10, 10), 0)
    assert [shape[0] for shape in many.shapes] == [6] * 16


def test_a_window_that_holds_the_image_leaves_the_logits_alone():
    images = torch.randn(2, 3, 8, 9)
    assert windowed_logits(nn.Identity(), images, (8, 100), 0.5) is images


class FirstColumn(nn.Module):
    """Says of every pixel of a window what its first column says: logits (v, 0)."""

    def forward(self, images):
        first = images[..., :1].expand(images.shape)
        return torch.cat([first, torch.zeros_like(first)], dim=1)


def test_a_pixel_is_the_weighted_mean_of_its_windows():
    images = torch.tensor([2.0, 9, -1, 9, 9, 9])[None, None, None]
    found = windowed_logits(FirstColumn(), images, (1, 4), 0.5).softmax(dim=1)[0, 0, 0]
    said = 1 / (1 + math.exp(-2)), 1 / (1 + math.exp(1))  # by the windows at 0 and at 2
    weights = window_weights(1, 4)[0].tolist()
    first, second = [*weights, 0, 0], [0, 0, *weights]
    expected = [
        (a * said[0] + b * said[1]) / (a + b) for a, b in zip(first, second, strict=True)
    ]  # fmt: skip
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_logarithm_of_nothing_can_be_resized():
    assert logarithm(torch.zeros(1)).isfinite().all()
    assert logarithm(torch.ones(1)) == 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_probabilities_have_float32_at_least(dtype):
    images = torch.randn(1, 3, 8, 8).to(dtype)
    found = windowed_logits(nn.Identity(), images, (4, 4), 0.5)
    assert found.dtype == torch.promote_types(dtype, torch.float32)
    torch.testing.assert_close(found.softmax(1), images.to(found.dtype).softmax(1))

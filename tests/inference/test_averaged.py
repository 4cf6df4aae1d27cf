"""Views of an image are undone exactly, and what is said of them is averaged."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from segmentation.errors import ConfigError, ModelError
from segmentation.inference.options import InferenceOptions
from segmentation.inference.test_time import AveragedModel, averaged
from segmentation.models import build_model, build_target_model
from segmentation.targets import TargetColumns
from segmentation.training.scoring import ScoringModule

TINY = {"name": "test_resnet", "weights": "none"}
SMALL = {"channels": [16, 8, 8, 8, 8]}
COLUMNS = TargetColumns("scene", ("dark", "bright"), ("brightness",), (100.0,), (20.0,))
SIDES = st.integers(1, 40)


class Shown(nn.Module):
    """The identity, which keeps what it was shown."""

    def __init__(self):
        super().__init__()
        self.images = []

    def forward(self, images):
        self.images.append(images)
        return images.float()


class Ramp(nn.Module):
    """Says (column, 0): how far a pixel is from the left, whatever the image holds."""

    def forward(self, images):
        columns = torch.arange(images.shape[-1], dtype=torch.float32).expand(images[:, 0].shape)
        return torch.stack([columns, torch.zeros_like(columns)], dim=1)


def noise(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def unet(columns=None, seed=0):
    torch.manual_seed(seed)
    model = build_model(TINY, SMALL, 4, columns).eval()
    if columns is not None:  # it starts near zero
        nn.init.normal_(model.target_head.category.weight)
        nn.init.normal_(model.target_head.values.weight)
    return model


def test_one_plain_view_is_the_model_itself():
    model = unet()
    assert averaged(model, InferenceOptions()) is model
    assert averaged(model, InferenceOptions(overlap=0.25)) is model


@settings(deadline=None, max_examples=60)
@given(
    height=SIDES, width=SIDES, window=st.none() | st.tuples(SIDES, SIDES),
    overlap=st.sampled_from([0, 0.5, 0.8]), number=st.integers(1, 3), seed=st.integers(0, 100),
)  # fmt: skip
def test_flips_and_windows_give_the_image_back(height, width, window, overlap, number, seed):
    images = noise(number, 4, height, width, seed=seed)
    model = averaged(Shown(), InferenceOptions(flip=True, window=window, overlap=overlap))
    found = model(images)
    torch.testing.assert_close(
        found.softmax(dim=1), images.float().softmax(dim=1), atol=1e-6, rtol=1e-5
    )
    assert (found.argmax(dim=1) == images.argmax(dim=1)).all()
    torch.testing.assert_close(found.logsumexp(dim=1), torch.zeros(number, height, width),
                               atol=1e-5, rtol=0)  # fmt: skip


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(
    ("scale", "length", "slope"),  # so that the resized ramp has whole grey values
    [(0.5, 40, 2), (0.8, 20, 8), (1.25, 20, 10), (1.5, 40, 6), (2.0, 40, 4)],
)
def test_scales_do_not_shift_a_ramp(scale, length, slope, axis):
    ramp = (torch.arange(length) * slope).to(torch.uint8).expand(length, length)
    ramp = ramp if axis else ramp.T
    images = torch.stack([ramp, torch.full_like(ramp, 100)])[None]
    model = averaged(Shown(), InferenceOptions(scales=[scale]))
    inside = (..., slice(3, -3), slice(3, -3))
    found = model(images)[inside].softmax(dim=1)
    torch.testing.assert_close(found, images[inside].float().softmax(dim=1), atol=1e-5, rtol=0)
    (shown,) = model.model.images
    assert shown.dtype == torch.uint8
    assert shown.shape[-2:] == (length * scale, length * scale)
    seen = shown[0, 0, 0] if axis else shown[0, 0, :, 0]
    # pixel k has its centre at (k + 1/2) / scale - 1/2 of the image
    centres = (np.arange(len(seen)) + 0.5) / scale - 0.5
    np.testing.assert_allclose(seen[2:-2], (centres * slope)[2:-2], atol=1e-6)


def test_a_mirrored_view_is_mirrored_back():
    # one view says the column, the other the column counted from the right
    found = averaged(Ramp(), InferenceOptions(flip=True))(noise(1, 3, 2, 5)).softmax(dim=1)
    column = torch.arange(5.0)
    expected = (torch.sigmoid(column) + torch.sigmoid(4 - column)) / 2
    torch.testing.assert_close(found[0, 0], expected.expand(2, 5))


def test_probabilities_of_all_views_are_averaged():
    model, images = unet(), noise(2, 3, 48, 64)
    options = InferenceOptions(flip=True, scales=[1, 0.5])
    small = nn.functional.interpolate(images.float(), size=(24, 32), mode="bilinear").round().byte()
    with torch.inference_mode():
        found = averaged(model, options)(images)
        expected = 0
        for view in (images, small):
            for back in (model(view), model(view.flip(-1)).flip(-1)):
                logits = nn.functional.interpolate(back, size=(48, 64), mode="bilinear")
                expected = expected + logits.softmax(dim=1) / 4
    torch.testing.assert_close(found.exp(), expected, atol=1e-6, rtol=1e-5)


def test_windows_that_no_reduction_divides_and_images_smaller_than_one():
    model = unet()
    options = InferenceOptions(window=[17, 33], overlap=0.3)
    with torch.inference_mode():
        for size in ((41, 50), (9, 70), (5, 6), (1, 1)):
            images = noise(2, 3, *size)
            assert averaged(model, options)(images).shape == (2, 4, *size)
        images = noise(2, 3, 9, 20)
        torch.testing.assert_close(
            averaged(model, options)(images).softmax(1), model(images).softmax(1)
        )


def test_windows_slide_over_each_scale():
    model = averaged(Shown(), InferenceOptions(scales=[1, 2], window=[10, 10], overlap=0))
    model(noise(1, 3, 10, 20))
    shapes = [tuple(images.shape) for images in model.model.images]
    assert shapes == [(2, 3, 10, 10), (4, 3, 10, 10), (4, 3, 10, 10)]


@pytest.mark.parametrize("window", [None, (16, 24)])
def test_targets_are_averaged_over_whole_images(window):
    model, images = unet(COLUMNS), noise(2, 3, 32, 48)
    options = InferenceOptions(flip=True, window=window)
    with torch.inference_mode():
        found = averaged(model, options).forward_all(images)
        seen = [model.forward_all(view).targets for view in (images, images.flip(-1))]
    assert found.logits.shape == (2, 4, 32, 48)
    category = sum(one.category.softmax(dim=1) for one in seen) / 2
    torch.testing.assert_close(found.targets.category.softmax(dim=1), category)
    torch.testing.assert_close(found.targets.values, (seen[0].values + seen[1].values) / 2)
    assert not torch.allclose(seen[0].values, seen[1].values, rtol=1e-3)
    assert averaged(model, options).target_head is model.target_head


def test_a_model_of_targets_alone():
    torch.manual_seed(0)
    model = build_target_model(TINY, COLUMNS).eval()
    wrapped = averaged(model, InferenceOptions(flip=True, scales=[0.5, 1]))
    images = noise(2, 3, 32, 48)
    with torch.inference_mode():
        found = wrapped.forward_all(images)
        assert found.logits is None
        assert found.targets.values.shape == (2, 1)
        with pytest.raises(ModelError, match="does not segment"):
            wrapped(images)
    with pytest.raises(ConfigError, match="targets of whole images"):
        averaged(model, InferenceOptions(window=(8, 8)))


def test_the_scoring_module_takes_it_for_the_model():
    model, images = unet(COLUMNS), noise(1, 3, 32, 48)
    wrapped = averaged(model, InferenceOptions(flip=True))
    module = ScoringModule(wrapped, None).eval()
    with torch.inference_mode():
        assert module(images).targets is not None
        torch.testing.assert_close(module(images).logits, wrapped(images))


def test_nothing_of_the_model_changes():
    model = unet()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    wrapped = averaged(model, InferenceOptions(flip=True, scales=[0.5, 1], window=(16, 16)))
    with torch.inference_mode():
        wrapped(noise(1, 3, 40, 40))
    assert isinstance(wrapped, AveragedModel)
    assert wrapped.model is model
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_under_autocast_probabilities_stay_float32(dtype):
    model, images = unet(), noise(1, 3, 40, 48)
    options = InferenceOptions(flip=True, scales=[1, 1.5], window=(32, 32))
    with torch.inference_mode():
        exact = averaged(model, options)(images)
        with torch.autocast("cpu", dtype):
            found = averaged(model, options)(images)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.exp(), exact.exp(), atol=0.02, rtol=0)

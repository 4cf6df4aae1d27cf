"""The UNet: any size in and out, its own normalisation, channels_last all the way."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st
from small_models import WIDTHS, pictures, small_unet
from torch import nn

from segmentation.errors import ModelError
from segmentation.models import Encoder, UNet, build_model


@pytest.fixture(scope="module")
def unet():
    return small_unet()


@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    batch=st.integers(1, 3),
    seed=st.integers(0, 9),
)
@example(height=90, width=120, batch=1, seed=0)  # 360x480 and 359x477, at a quarter
@example(height=90, width=119, batch=1, seed=0)
@example(height=64, width=96, batch=2, seed=0)
@settings(max_examples=25, deadline=None)
def test_any_size_is_padded_with_its_border_and_cropped(unet, height, width, batch, seed):
    images = pictures(batch, 3, height, width, seed=seed)
    bottom, right = -height % 32, -width % 32
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (0, bottom), (0, right)), mode="edge")
    with torch.no_grad():
        logits = unet(images)
        expected = unet(torch.from_numpy(padded))[:, :, :height, :width]
    assert logits.shape == (batch, 5, height, width)
    assert logits.dtype == torch.float32
    assert logits.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(logits, expected)


@pytest.mark.parametrize("size", [(360, 480), (359, 477)])
def test_sizes_of_camvid(unet, size):
    with torch.no_grad():
        assert unet(pictures(1, 3, *size)).shape == (1, 5, *size)


def test_a_size_that_fits_is_not_touched(unet):
    images = pictures(2, 3, 64, 96)
    normalised = (images.float() - unet.mean) / unet.std
    with torch.no_grad():
        expected = unet.head(unet.decoder(unet.encoder(normalised)))
        torch.testing.assert_close(unet(images), expected)


def test_uint8_and_float_are_the_same_picture(unet):
    images = pictures(2, 3, 40, 50)
    with torch.no_grad():
        assert torch.equal(unet(images), unet(images.float()))


def test_normalisation_is_the_encoders():
    encoder = Encoder("test_resnet", weights="none")
    encoder.mean, encoder.std = (10.0, 20.0, 30.0), (2.0, 4.0, 8.0)
    model = UNet(encoder, 2, channels=WIDTHS).eval()
    seen = []
    encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model(torch.full((1, 3, 32, 32), 50.0))
    assert [channel.unique().tolist() for channel in seen[0][0]] == [[20.0], [7.5], [2.5]]


@pytest.mark.parametrize("name", ["test_resnet", "test_mambaout", "tf_efficientnet_lite0"])
@pytest.mark.parametrize("channels_last", [False, True])
def test_channels_last_all_the_way(name, channels_last):
    model = small_unet(name=name)
    broken = []

    def check(module, _, output):
        if not output.is_contiguous(memory_format=torch.channels_last):
            broken.append(module)

    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module is not model.head:
            module.register_forward_hook(check)
    images = pictures(2, 3, 64, 96)
    if channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        logits = model(images)
    assert logits.is_contiguous(memory_format=torch.channels_last)
    assert not broken


def test_dropout_is_for_training():
    model = small_unet(dropout=0.5)
    images = pictures(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(model(images), model(images))
        model.dropout.train()
        outcomes = [model(images) for _ in range(4)]
    assert not all(torch.equal(outcomes[0], other) for other in outcomes[1:])


def test_it_learns():
    model = small_unet(num_classes=2).train()
    images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
    images[:, :, 8:24, 8:24] = 200
    labels = (images[:, 0] > 0).long()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(20):
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (model(images).argmax(1) == labels).float().mean() > 0.97


@pytest.mark.parametrize("num_classes", [0, 255, 2.0, None, True])
def test_impossible_numbers_of_classes_are_refused(num_classes):
    with pytest.raises(ModelError, match="1 to 254 classes"):
        small_unet(num_classes)


@pytest.mark.parametrize("shape", [(1, 4, 32, 32), (3, 32, 32), (1, 1, 32, 32)])
def test_other_channels_are_refused(unet, shape):
    with pytest.raises(ModelError, match=f"N,3,H,W, not {','.join(map(str, shape))}"):
        unet(torch.zeros(shape))


def test_build_model():
    encoder = {"name": "test_resnet", "in_channels": 4, "weights": "none"}
    model = build_model(encoder, {"channels": list(WIDTHS), "norm": "group"}, 7).eval()
    assert model(pictures(1, 4, 20, 20)).shape == (1, 7, 20, 20)


@pytest.mark.parametrize(
    ("encoder", "reason"),
    [
        ({"name": "test_resnet", "weigths": "none"}, "encoder.weigths does not exist.*'weights'"),
        ({"weights": "none"}, "encoder.name is not given"),
    ],
)
def test_build_model_refuses(encoder, reason):
    with pytest.raises(ModelError, match=reason):
        build_model(encoder, {}, 3)

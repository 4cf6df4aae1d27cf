"""A convolution of upsampled and joined features, without writing either."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from segmentation.models import DecoderOptions
from segmentation.models import decoder as decoder_module
from segmentation.models.blocks import upsampled_conv
from segmentation.models.decoder import Decoder, DecoderBlock, is_large


def joined_first(x, skip, conv):
    """The same as the decoder's definition says it: upsample, join, convolve."""
    up = nn.functional.interpolate(x, scale_factor=2, mode="nearest")
    return conv(up if skip is None else torch.cat([up, skip], dim=1))


@settings(deadline=None, max_examples=40)
@given(
    channels=st.integers(1, 5),
    skip_channels=st.integers(0, 4),
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    bias=st.booleans(),
    seed=st.integers(0, 9),
)
def test_equal_to_rounding_and_its_gradients_too(
    channels, skip_channels, height, width, bias, seed
):
    torch.manual_seed(seed)
    x = torch.randn(2, channels, height, width, dtype=torch.float64, requires_grad=True)
    skip = None
    if skip_channels:
        skip = torch.randn(
            2, skip_channels, 2 * height, 2 * width, dtype=torch.float64, requires_grad=True
        )
    conv = nn.Conv2d(channels + skip_channels, 3, 3, padding=1, bias=bias).double()
    inputs = [x, *conv.parameters(), *([] if skip is None else [skip])]

    expected, found = joined_first(x, skip, conv), upsampled_conv(x, skip, conv)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    weights = torch.randn_like(expected)
    torch.testing.assert_close(
        torch.autograd.grad((weights * found).sum(), inputs),
        torch.autograd.grad((weights * expected).sum(), inputs),
        rtol=1e-12,
        atol=1e-12,
    )


def whole_decoder():
    torch.manual_seed(0)
    options = DecoderOptions(channels=(16, 8, 8))
    return Decoder((4, 6, 8), (2, 4, 8), options).double().eval()


def features(size=16):
    return [torch.randn(1, c, size // r, size // r).double() for c, r in ((4, 2), (6, 4), (8, 8))]


@pytest.mark.parametrize("large", [True, False])
def test_the_whole_decoder_is_equal_to_rounding(monkeypatch, large):
    decoder, pyramid = whole_decoder(), features()
    monkeypatch.setattr(decoder_module, "is_large", lambda x: False)
    expected = decoder(pyramid)
    monkeypatch.setattr(decoder_module, "is_large", lambda x: large)
    torch.testing.assert_close(decoder(pyramid), expected, rtol=1e-12, atol=1e-12)


def test_large_is_a_position_for_each_channel_whatever_the_batch():
    assert is_large(torch.empty(1, 16, 4, 4))
    assert not is_large(torch.empty(9, 17, 4, 4))


@pytest.mark.parametrize(
    ("options", "separable"),
    [
        ({}, True),
        ({"norm": "none"}, True),
        ({"upsampling": "bilinear"}, False),
        ({"upsampling": "transpose"}, False),
        ({"attention": "scse"}, False),
    ],
)
def test_only_blocks_for_which_it_holds_take_it(monkeypatch, options, separable):
    calls = []
    monkeypatch.setattr(
        decoder_module,
        "upsampled_conv",
        lambda *arguments: calls.append(1) or upsampled_conv(*arguments),
    )
    block = DecoderBlock(4, 2, 8, DecoderOptions(**options))
    block(torch.randn(2, 4, 8, 8), torch.randn(2, 2, 16, 16))
    assert bool(calls) is separable

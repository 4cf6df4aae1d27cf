"""Every encoder option meets one contract; what cannot meet it is refused with the reason."""

import numpy as np
import pytest
import timm
import torch
import yaml
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.layers import Conv2dSame

from segmentation.errors import ModelError
from segmentation.models.encoder import Encoder, FixedSameConv2d, spread

FILES = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / "conf/encoder").iterdir()}
NAMES = {option: values["name"] for option, values in FILES.items() if option != "timm"}
# pyramids of other families that timm builds in other ways
OTHERS = ["hrnet_w18_small", "mambaout_femto", "swinv2_tiny_window8_256", "xception41", "darknet17"]


def meta_encoder(name, in_channels=3):
    with torch.device("meta"):
        return Encoder(name, in_channels, weights="none").eval()


def test_the_options_are_those_promised():
    vggs = {f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")}
    resnets = {f"resnet{depth}" for depth in (18, 34, 50, 101)}
    others = {"efficientnet_b0", "efficientnet_lite0", "convnext_tiny", "swin_tiny"}
    assert set(NAMES) >= vggs | resnets | others
    assert FILES["timm"]["name"] == "???"
    assert FILES["timm"]["weights"] == "auto"


@pytest.mark.parametrize("in_channels", [3, 5])
@pytest.mark.parametrize("name", [*NAMES.values(), *OTHERS])
def test_contract(name, in_channels):
    encoder = meta_encoder(name, in_channels)
    reductions = encoder.reductions
    assert reductions[0] in (1, 2, 4)
    assert list(reductions) == sorted(set(reductions))
    assert len(encoder.mean) == len(encoder.std) == in_channels
    height, width = 3 * reductions[-1], 4 * reductions[-1]
    features = encoder(torch.empty(2, in_channels, height, width, device="meta"))
    shapes = [tuple(feature.shape) for feature in features]
    assert shapes == [
        (2, channels, height // reduction, width // reduction)
        for channels, reduction in zip(encoder.channels, reductions, strict=True)
    ]


@pytest.mark.parametrize(
    ("name", "reductions"),
    [
        ("vgg11", (1, 2, 4, 8, 16, 32)),
        ("resnet18", (2, 4, 8, 16, 32)),
        ("convnext_tiny", (4, 8, 16, 32)),
        ("swin_tiny_patch4_window7_224", (4, 8, 16, 32)),
    ],
)
def test_reductions(name, reductions):
    assert meta_encoder(name).reductions == reductions


def test_nhwc_features_become_nchw_without_a_copy():
    encoder = Encoder("test_mambaout", weights="none").eval()
    images = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        ours, theirs = encoder(images), encoder.body(images)
    for feature, nhwc in zip(ours, theirs, strict=True):
        assert feature.shape == (1, nhwc.shape[3], nhwc.shape[1], nhwc.shape[2])
        assert torch.equal(feature, nhwc.permute(0, 3, 1, 2))
        assert feature.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", ["test_resnet", "tf_efficientnet_lite0"])
def test_features_are_timms(name):
    encoder = Encoder(name, weights="none").eval()
    reference = timm.create_model(name, features_only=True).eval()
    reference.load_state_dict(encoder.body.state_dict())
    images = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        for ours, theirs in zip(encoder(images), reference(images), strict=True):
            torch.testing.assert_close(ours, theirs)


@given(
    kernel=st.integers(1, 7),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 2),
    rows=st.integers(1, 5),
    columns=st.integers(1, 5),
)
@settings(max_examples=60, deadline=None)
def test_fixed_same_padding_is_timms_where_the_stride_divides(
    kernel, stride, dilation, rows, columns
):
    conv = Conv2dSame(2, 3, kernel, stride=stride, dilation=dilation)
    images = torch.randn(1, 2, rows * stride, columns * stride)
    torch.testing.assert_close(FixedSameConv2d(conv)(images), conv(images))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("vit_tiny_patch16_224", "reductions 16, 16, 16"),
        ("levit_128", "reductions 16, 32, 64"),
        ("pit_b_distilled_224", "reductions 7, 14, 28"),
        ("resnet43", "Did you mean 'resnet34'"),
        ("hf-hub:timm/resnet18.a1_in1k", "timm has no model"),
        ("local-dir:/tmp/model", "timm has no model"),
        ("resnet18.nope", "it has resnet18.a1_in1k"),
        (None, "timm has no model None"),
    ],
)
def test_refused(name, reason):
    with pytest.raises(ModelError, match=reason):
        Encoder(name, weights="none")


@pytest.mark.parametrize("in_channels", [0, -1, "3", 2.0, None])
def test_impossible_channels_are_refused(in_channels):
    with pytest.raises(ModelError, match="1 channel or more"):
        Encoder("test_resnet", in_channels, weights="none")


def test_a_model_of_one_size_says_so():
    encoder = Encoder("test_coatnet", weights="none").eval()
    assert len(encoder(torch.randn(1, 3, 160, 160))) == 5
    with pytest.raises(ModelError, match=r"160x160 only, not 96x160.*data.size=\[160,160\]"):
        encoder(torch.randn(1, 3, 96, 160))


def test_normalisation_for_other_channels():
    rgb = (10.0, 20.0, 60.0)
    assert spread(rgb, 3) == rgb
    assert spread(rgb, 1) == (30.0,)
    assert spread(rgb, 5) == (10.0, 20.0, 60.0, 10.0, 20.0)


def test_one_channel_gives_the_features_of_its_gray_picture(tmp_path):
    """Summed weights see in one channel what the RGB weights see in three equal ones."""
    torch.manual_seed(0)
    rgb = Encoder("test_resnet", weights="none").eval()
    torch.save(rgb.body.state_dict(), tmp_path / "rgb.pt")
    gray = Encoder("test_resnet", 1, weights=str(tmp_path / "rgb.pt")).eval()
    image = torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        for one, three in zip(gray(image), rgb(image.expand(-1, 3, -1, -1)), strict=True):
            np.testing.assert_allclose(one.numpy(), three.numpy(), atol=1e-4)

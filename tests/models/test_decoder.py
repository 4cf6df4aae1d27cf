"""The decoder: skips by reduction, its size, and what each option does."""

import numpy as np
import pytest
import torch
from small_models import pictures, small_unet

from segmentation.errors import ConfigError, ModelError
from segmentation.models import DecoderOptions, Encoder, UNet
from segmentation.models.blocks import ScSE
from segmentation.models.decoder import Decoder

CHOICES = {
    "norm": ["batch", "group", "none"],
    "activation": ["relu", "leaky_relu", "silu", "gelu"],
    "upsampling": ["nearest", "bilinear", "transpose"],
    "attention": ["none", "scse"],
    "center": [True],
    "full_resolution_skip": [False],
    "dropout": [0.5],
}


@pytest.mark.parametrize(
    ("name", "options", "joined"),
    [
        # by hand: channels of the deeper features + those of the skip connection, deep to shallow
        ("resnet18", {}, [512 + 256, 256 + 128, 128 + 64, 64 + 64, 32]),
        ("vgg11", {}, [512 + 512, 256 + 512, 128 + 256, 64 + 128, 32 + 64]),
        (
            "vgg11",
            {"full_resolution_skip": False},
            [512 + 512, 256 + 512, 128 + 256, 64 + 128, 32],
        ),
        ("tf_efficientnet_lite0", {}, [320 + 112, 256 + 40, 128 + 24, 64 + 16, 32]),
        ("convnext_tiny", {}, [768 + 384, 256 + 192, 128 + 96, 64, 32]),
        ("swin_tiny_patch4_window7_224", {}, [768 + 384, 256 + 192, 128 + 96, 64, 32]),
        ("nest_tiny_jx", {}, [384 + 192, 128 + 96, 64, 32]),  # ends at reduction 16
    ],
)
def test_skips_follow_the_reductions(name, options, joined):
    with torch.device("meta"):
        model = UNet(Encoder(name, weights="none"), 12, **options)
    assert [block.conv1[0].in_channels for block in model.decoder.blocks] == joined


@pytest.mark.parametrize(
    "name",
    ["vgg11_bn", "resnet18", "tf_efficientnet_lite0", "convnext_atto", "swin_s3_tiny_224"],
)
def test_skips_carry_every_feature_to_its_place(name):
    torch.manual_seed(0)
    encoder = Encoder(name, weights="none").eval()
    decoder = Decoder(encoder.channels, encoder.reductions, DecoderOptions(channels=(8,) * 5))
    decoder.eval()
    with torch.no_grad():
        features = encoder(torch.randn(1, 3, 256, 256))
        plain = decoder(features)
        for index, (feature, reduction) in enumerate(
            zip(features, encoder.reductions, strict=True)
        ):
            changed = [f.clone() for f in features]
            changed[index][..., 0, 0] += 1 + feature.abs().max()
            difference = (decoder(changed) - plain).abs().amax(dim=(0, 1))
            assert difference[:reduction, :reduction].max() > 0, f"feature {index} is not used"
            # two 3x3 convolutions in each block from this reduction to full resolution
            reach = 6 * reduction
            assert difference[reach:].count_nonzero() == 0
            assert difference[:, reach:].count_nonzero() == 0


@pytest.mark.parametrize(
    ("name", "options", "count"),
    [
        ("resnet18", {}, 14_329_804),
        ("resnet34", {}, 24_437_964),
        ("resnet50", {}, 32_522_700),
        ("tf_efficientnet_lite0", {}, 5_199_756),
        ("vgg16", {}, 19_038_412),
        ("swin_tiny_patch4_window7_224", {}, 31_629_574),
        ("resnet18", {"attention": "scse"}, 14_443_600),
    ],
)
def test_parameter_counts_stay(name, options, count):
    with torch.device("meta"):
        model = UNet(Encoder(name, weights="none"), 12, **options)
    assert sum(parameter.numel() for parameter in model.parameters()) == count


def test_scse_by_hand():
    module = ScSE(32)
    x = torch.randn(2, 32, 3, 4)
    with torch.no_grad():
        y = module(x).numpy()
    p = {key: value.numpy() for key, value in module.state_dict().items()}

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    pooled = x.numpy().mean(axis=(2, 3))
    squeezed = np.maximum(pooled @ p["channel.1.weight"][:, :, 0, 0].T + p["channel.1.bias"], 0)
    by_channel = sigmoid(squeezed @ p["channel.3.weight"][:, :, 0, 0].T + p["channel.3.bias"])
    by_place = np.einsum("nchw,c->nhw", x.numpy(), p["spatial.0.weight"][0, :, 0, 0])
    by_place = sigmoid(by_place + p["spatial.0.bias"])
    expected = x.numpy() * by_channel[:, :, None, None] + x.numpy() * by_place[:, None]
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


def test_group_norm_does_not_see_the_rest_of_the_batch():
    options = DecoderOptions(channels=(16, 8), norm="group")
    decoder = Decoder((4, 8), (2, 4), options).train()
    features = [torch.randn(3, 4, 8, 8), torch.randn(3, 8, 4, 4)]
    alone = decoder([feature[:1] for feature in features])
    torch.testing.assert_close(decoder(features)[:1], alone)


@pytest.mark.parametrize(
    ("option", "value"), [(option, value) for option in CHOICES for value in CHOICES[option]]
)
def test_every_option_trains_every_parameter(option, value):
    model = small_unet(**{option: value}).train()
    model(pictures(2, 3, 40, 64)).square().mean().backward()
    without = [name for name, p in model.named_parameters() if p.grad is None]
    assert without == []
    assert all(p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"norm": "bacth"}, "decoder.norm='bacth': must be 'batch', 'group' or 'none'"),
        ({"activation": "tanh"}, "must be 'relu', 'leaky_relu', 'silu' or 'gelu'"),
        ({"upsampling": "cubic"}, "must be 'nearest', 'bilinear' or 'transpose'"),
        ({"attention": None}, "must be 'none' or 'scse'"),
        ({"norm": ["batch"]}, r"decoder.norm=\['batch'\]: must be"),
        ({"dropout": 1.0}, "dropout=1.0: must be less than 1"),
        ({"dropout": "0.1"}, "dropout='0.1': must be a number"),
        ({"center": 1}, "center=1: must be true or false"),
        ({"channels": []}, r"channels=\[\]: must have at least 1 items"),
        ({"channels": [8] * 9}, r"channels=.*: must have at most 8 items"),
        ({"channels": [16, 0, 8, 8, 8]}, r"channels\[1\]=0: must be greater than or equal to 1"),
        ({"channels": [16, 8.0, 8, 8, 8]}, r"channels\[1\]=8.0: must be a whole number"),
        ({"channels": 16}, "channels=16: must be a list"),
        ({"chanels": [16]}, "decoder.chanels does not exist. Did you mean 'channels'"),
    ],
)
def test_invalid_options_are_refused(options, reason):
    with pytest.raises(ConfigError, match=reason):
        small_unet(**options)


def test_too_few_widths_for_the_encoder_are_refused():
    with pytest.raises(ModelError, match="ends at reduction 32 and needs 5"):
        small_unet(channels=[16, 8])

"""The UNet: any size in and out, skips by reduction, every option, compiled and exported."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.export import Dim

from segmentation.errors import ModelError
from segmentation.models import DecoderOptions, Encoder, UNet, build_model
from segmentation.models.blocks import ScSE
from segmentation.models.decoder import Decoder

SMALL = (16, 16, 8, 8, 8)
CHOICES = {
    "norm": ["batch", "group", "none"],
    "activation": ["relu", "leaky_relu", "silu", "gelu"],
    "upsampling": ["nearest", "bilinear", "transpose"],
    "attention": ["none", "scse"],
    "center": [True],
    "full_resolution_skip": [False],
    "dropout": [0.5],
}


def small_unet(num_classes=5, name="test_resnet", in_channels=3, **options):
    torch.manual_seed(0)
    encoder = Encoder(name, in_channels, weights="none")
    return UNet(encoder, num_classes, **{"channels": SMALL, **options}).eval()


def pictures(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


@pytest.fixture(scope="module")
def unet():
    return small_unet()


# ---- sizes


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
    model = UNet(encoder, 2, channels=SMALL).eval()
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


# ---- the shape of the network


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


# ---- compiled, exported


def test_it_compiles_without_a_break(unet):
    compiled = torch.compile(unet, fullgraph=True, backend="eager", dynamic=False)
    images = pictures(1, 3, 40, 50)
    with torch.no_grad():
        torch.testing.assert_close(compiled(images), unet(images))


def export_any_size(model):
    sizes = {"images": {0: Dim("batch"), 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}}
    exported = torch.export.export(model, (pictures(2, 3, 90, 119),), dynamic_shapes=sizes)
    for shape in [(1, 3, 64, 96), (3, 3, 33, 128), (2, 3, 96, 71)]:
        images = pictures(*shape)
        with torch.no_grad():
            torch.testing.assert_close(exported.module()(images), model(images))


def test_one_exported_graph_serves_every_size(unet):
    export_any_size(unet)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("tf_efficientnet_lite0", {}),
        ("convnext_tiny", {}),
        ("vgg11_bn", {}),
        ("test_resnet", {"upsampling": "bilinear", "attention": "scse", "center": True}),
        ("test_resnet", {"upsampling": "transpose", "norm": "group"}),
    ],
)
def test_other_encoders_and_options_export_too(name, options):
    export_any_size(small_unet(name=name, **options))


@pytest.mark.slow
def test_swin_exports_for_one_size():
    model = small_unet(name="swin_tiny_patch4_window7_224")
    images = pictures(2, 3, 64, 96)
    exported = torch.export.export(model, (images,), dynamic_shapes={"images": {0: Dim("batch")}})
    with torch.no_grad():
        torch.testing.assert_close(exported.module()(images[:1].repeat(3, 1, 1, 1))[:1],
                                   model(images)[:1])  # fmt: skip


@pytest.mark.slow
def test_it_compiles_to_machine_code(unet):
    images = pictures(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(unet)(images), unet(images), rtol=1e-3, atol=1e-3)


# ---- what is refused


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"norm": "bacth"}, "decoder.norm='bacth' is not known; use one of batch, group, none"),
        ({"activation": "tanh"}, "use one of relu, leaky_relu"),
        ({"upsampling": "cubic"}, "use one of nearest, bilinear, transpose"),
        ({"attention": None}, "use one of none, scse"),
        ({"norm": ["batch"]}, "decoder.norm="),
        ({"dropout": 1.0}, "0 to below 1"),
        ({"dropout": "0.1"}, "0 to below 1"),
        ({"center": 1}, "use true or false"),
        ({"channels": []}, "give 1 to 8 widths"),
        ({"channels": [16, 0, 8, 8, 8]}, "give 1 to 8 widths"),
        ({"channels": [16, 8.0, 8, 8, 8]}, "give 1 to 8 widths"),
        ({"channels": 16}, "give 1 to 8 widths"),
        ({"channels": [16, 8]}, "ends at reduction 32 and needs 5"),
        ({"chanels": [16]}, "Did you mean 'channels'"),
    ],
)
def test_impossible_options_are_refused(options, reason):
    with pytest.raises(ModelError, match=reason):
        small_unet(**options)


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
    model = build_model(encoder, {"channels": list(SMALL), "norm": "group"}, 7).eval()
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

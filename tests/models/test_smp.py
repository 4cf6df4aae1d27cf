"""Checkpoints of segmentation_models_pytorch give the same logits in our UNet."""

import importlib
import json
import logging
import sys

import pytest
import segmentation_models_pytorch as smp
import torch
from torch import nn

from segmentation.errors import ModelError
from segmentation.models import Encoder, UNet, load_smp

# SMP's encoders.get_preprocessing_params("resnet34"), in 0..255
MEAN = [255 * value for value in (0.485, 0.456, 0.406)]
STD = [255 * value for value in (0.229, 0.224, 0.225)]


def trained(encoder="resnet18", **options):
    """An SMP model whose norms have seen a batch, so that its logits are of a natural size."""
    torch.manual_seed(0)
    model = smp.Unet(encoder, encoder_weights=None, **options)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        model.train()(torch.randn(2, options.get("in_channels", 3), 64, 64))
    return model.eval()


def logits_of_both(theirs, ours, in_channels=3, dtype=torch.float64):
    """Return the logits of the same pictures, in double precision unless told otherwise.

    In single precision SMP itself differs by more than 1e-4 between two memory formats, where a
    network is as badly conditioned as one with random weights can be.
    """
    images = torch.randint(0, 256, (2, in_channels, 64, 96)).to(dtype)
    mean, std = (
        torch.tensor([sum(v) / 3] if in_channels == 1 else [v[i % 3] for i in range(in_channels)])
        for v in (MEAN, STD)
    )
    normalised = (images - mean.view(1, -1, 1, 1)) / std.view(1, -1, 1, 1)
    with torch.no_grad():
        expected = theirs.to(dtype)(normalised)
        return ours.to(dtype)(images), expected[0] if isinstance(expected, tuple) else expected


def test_same_logits_in_single_precision():
    torch.manual_seed(0)
    theirs = smp.Unet("resnet18", encoder_weights=None, classes=12).eval()
    ours = load_smp(theirs.state_dict(), "resnet18")
    logits, expected = logits_of_both(theirs, ours, dtype=torch.float32)
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("encoder", "options"),
    [
        ("resnet18", {}),
        ("resnet34", {"classes": 12, "decoder_attention_type": "scse"}),
        ("resnet50", {"in_channels": 4, "decoder_channels": (90, 60, 33, 21, 17)}),
        ("vgg11", {"classes": 12, "in_channels": 1}),
        ("resnet18", {"decoder_attention_type": "scse", "decoder_interpolation": "bilinear"}),
        ("resnet18", {"decoder_use_norm": False}),
    ],
)
def test_same_logits(encoder, options, tmp_path):
    theirs = trained(encoder, **options)
    theirs.save_pretrained(tmp_path)
    ours = load_smp(tmp_path)
    assert not ours.training
    logits, expected = logits_of_both(theirs, ours, options.get("in_channels", 3))
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "encoder",
    [
        "resnet101",
        "resnet152",
        "vgg11_bn",
        "vgg13",
        "vgg13_bn",
        "vgg16",
        "vgg16_bn",
        "vgg19",
        "vgg19_bn",
    ],
)
def test_same_logits_for_the_other_encoders(encoder):
    theirs = trained(encoder, decoder_attention_type="scse")
    logits, expected = logits_of_both(theirs, load_smp(theirs.state_dict(), encoder))
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50"])
def test_the_default_decoder_has_smps_parameter_count(name):
    with torch.device("meta"):
        ours = UNet(Encoder(name, weights="none"), 12)
        theirs = smp.Unet(name, encoder_weights=None, classes=12)
    counts = [
        sum(parameter.numel() for parameter in model.parameters()) for model in (ours, theirs)
    ]
    assert counts[0] == counts[1]


@pytest.mark.parametrize("name", ["vgg11", "vgg16_bn"])
def test_options_express_smps_vgg(name):
    with torch.device("meta"):
        encoder = Encoder(name, weights="none")
        ours = UNet(encoder, 12, center=True, full_resolution_skip=False)
        theirs = smp.Unet(name, encoder_weights=None, classes=12)
    counts = [
        sum(parameter.numel() for parameter in model.parameters()) for model in (ours, theirs)
    ]
    assert counts[0] == counts[1]


def test_scse_has_what_smps_has_and_uses():
    """SMP's last block builds attention for a skip connection that it does not have."""
    with torch.device("meta"):
        ours = UNet(Encoder("resnet18", weights="none"), 12, attention="scse")
        theirs = smp.Unet(
            "resnet18", encoder_weights=None, classes=12, decoder_attention_type="scse"
        )
    unused = theirs.decoder.blocks[4].attention1.parameters()
    counts = [
        sum(p.numel() for p in some) for some in (ours.parameters(), unused, theirs.parameters())
    ]
    assert counts[0] + counts[1] == counts[2]
    assert counts[1] == (32 * 2 + 2) + (2 * 32 + 32) + (32 + 1)


def test_every_kind_of_source(tmp_path):
    theirs = trained(classes=3)
    state = theirs.state_dict()
    torch.save(state, tmp_path / "model.pth")
    # as Lightning saves SMP's own training example
    lightning = {"state_dict": {f"model.{key}": value for key, value in state.items()}}
    torch.save(lightning, tmp_path / "epoch.ckpt")
    theirs.save_pretrained(tmp_path / "folder")
    sources = [
        state,
        tmp_path / "model.pth",
        str(tmp_path / "epoch.ckpt"),
        tmp_path / "folder/model.safetensors",
    ]
    reference = load_smp(tmp_path / "folder").state_dict()
    for source in sources:
        loaded = load_smp(source, encoder_name="resnet18", classes=3).state_dict()
        assert all(torch.equal(loaded[key], value) for key, value in reference.items())


def test_another_normalisation():
    theirs = trained()
    ours = load_smp(theirs.state_dict(), "resnet18", mean=(0, 0, 0), std=(255, 255, 255))
    images = torch.randint(0, 256, (1, 3, 64, 64)).float()
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images / 255), rtol=0, atol=1e-4)


def test_a_classification_head_is_left_out_aloud(caplog):
    theirs = trained(aux_params={"classes": 4})
    with caplog.at_level(logging.WARNING):
        ours = load_smp(theirs.state_dict(), "resnet18")
    assert "classification head" in caplog.text
    logits, expected = logits_of_both(theirs, ours)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"encoder_name": "timm-efficientnet-b0"}, "timm-efficientnet-b0.*not supported.*resnet"),
        ({"encoder_name": "mobilenet_v2"}, "tensors differ from those of timm"),
        ({"_model_class": "UnetPlusPlus"}, "SMP's UnetPlusPlus; only its Unet"),
        ({"encoder_depth": 4}, "encoder_depth=4; only 5"),
        ({"decoder_interpolation": "bicubic"}, "our decoder has nearest and bilinear"),
        ({"decoder_use_norm": {"type": "batchnorm", "eps": 1e-2}}, "norms with default arguments"),
        ({"encoder_name": "resnet34"}, "tensors are missing"),
    ],
)
def test_other_configurations_are_refused(tmp_path, change, reason):
    trained().save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text()) | change
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=reason):
        load_smp(tmp_path)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"decoder_use_norm": "layernorm"}, "batchnorm and identity, not this norm"),
        ({"encoder_depth": 4, "decoder_channels": (64, 32, 16, 8)}, "its blocks differ"),
    ],
)
def test_other_decoders_are_refused(options, reason):
    model = smp.Unet("resnet18", encoder_weights=None, **options)
    with pytest.raises(ModelError, match=reason):
        load_smp(model.state_dict(), "resnet18")


def test_other_architectures_are_refused():
    model = smp.UnetPlusPlus("resnet18", encoder_weights=None)
    with pytest.raises(ModelError, match="its blocks differ"):
        load_smp(model.state_dict(), "resnet18")


def test_wrong_calls(tmp_path):
    state = trained().state_dict()
    with pytest.raises(ModelError, match="does not name its encoder"):
        load_smp(state)
    with pytest.raises(ModelError, match="has 1 classes, not 12"):
        load_smp(state, "resnet18", classes=12)
    with pytest.raises(ModelError, match="not a Unet of SMP"):
        load_smp({"conv1.weight": torch.zeros(1)}, "resnet18")
    with pytest.raises(ModelError, match="no such file"):
        load_smp(tmp_path / "absent.pth", "resnet18")
    with pytest.raises(ModelError, match="no readable config"):
        load_smp(tmp_path)
    del state["decoder.blocks.2.conv2.0.weight"]
    with pytest.raises(ModelError, match="1 tensors of the decoder don't fit"):
        load_smp(state, "resnet18")


def test_smp_is_not_needed(tmp_path, monkeypatch):
    trained().save_pretrained(tmp_path)
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", None)  # importing it fails
    module = importlib.reload(sys.modules["segmentation.models.smp"])
    assert module.load_smp(tmp_path).num_classes == 1

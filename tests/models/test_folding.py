"""Batch norm folded into convolutions changes no label, whatever the encoder."""

import copy

import numpy as np
import pytest
import torch
from small_models import pictures, small_unet
from test_encoder import NAMES, OTHERS
from torch import nn

from segmentation.data.files import read_image
from segmentation.inference.predictor import DEFAULT, Predictor
from segmentation.models import UNet, build_target_model, load_model
from segmentation.models.encoder import Encoder
from segmentation.models.folding import NORMS, fold_batch_norm
from segmentation.models.saving import weights_hash
from segmentation.targets import TargetColumns

WITHOUT = {"convnext_tiny": 10, "swin_tiny_patch4_window7_224": 10}
"""Encoders without batch norm; the decoder has ten."""
QUICK = ["resnet18", "tf_efficientnet_lite0", "vgg11_bn"]


def trained_like(model):
    """Give batch norms the statistics of another input, so that none is the identity."""
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if type(module) in NORMS:
            count = module.num_features
            module.running_mean.copy_(0.1 * torch.randn(count, generator=generator))
            module.running_var.copy_(0.5 + torch.rand(count, generator=generator))
            with torch.no_grad():
                module.weight.copy_(0.5 + torch.rand(count, generator=generator))
                module.bias.copy_(0.1 * torch.randn(count, generator=generator))
    return model


def norms(model):
    return sum(type(module) in NORMS for module in model.modules())


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow)
     for name in dict.fromkeys([*NAMES.values(), *OTHERS])],
)  # fmt: skip
def test_every_encoder_keeps_its_labels(name):
    torch.manual_seed(0)
    model = trained_like(UNet(Encoder(name, weights="none"), 5, channels=[16] * 5).eval())
    size = model.encoder.fixed_size or (96, 128)
    images = pictures(1, 3, *size)
    there = norms(model)
    with torch.inference_mode():
        expected = model(images)
    folded = fold_batch_norm(model)
    with torch.inference_mode():
        found = model(images)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3 * float(expected.std()))
    assert (found.argmax(1) == expected.argmax(1)).float().mean() >= 0.9999
    assert norms(model) == there - folded
    assert folded == there if name in QUICK else folded >= WITHOUT.get(name, 10)


@pytest.mark.parametrize(
    "options",
    [{}, {"attention": "scse"}, {"upsampling": "transpose"}, {"norm": "group"}, {"center": True}],
)
def test_every_decoder_keeps_its_logits(options):
    model = trained_like(small_unet(**options))
    images = pictures(2, 3, 70, 90)
    with torch.inference_mode():
        expected = model(images)
        fold_batch_norm(model)
        torch.testing.assert_close(model(images), expected, rtol=1e-4, atol=1e-4)
    assert norms(model) == 0


def test_targets_stay(tmp_path):
    columns = TargetColumns("scene", ("a", "b"), ("x",), (0.0,), (1.0,))
    model = trained_like(build_target_model({"name": "test_resnet", "weights": "none"}, columns))
    images = pictures(2, 3, 64, 64)
    with torch.inference_mode():
        expected = model.eval()(images)
        assert fold_batch_norm(model) > 0
        for found, was in zip(model(images), expected, strict=True):
            torch.testing.assert_close(found, was, rtol=1e-4, atol=1e-5)


class Twice(nn.Module):
    """A body whose convolution feeds more than its norm."""

    def __init__(self, body):
        super().__init__()
        self.body, self.conv, self.norm = body, nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

    def forward(self, x):
        x = self.conv(x)
        return self.body(self.norm(x) + x)


def test_a_model_that_would_change_is_left_as_it_was(caplog):
    model = small_unet()
    model.encoder.body = Twice(model.encoder.body)
    model = trained_like(model.eval())
    before, modules = copy.deepcopy(model.state_dict()), list(model.modules())
    assert fold_batch_norm(model) == 0
    assert "test_resnet cannot be folded" in caplog.text
    assert list(model.modules()) == modules
    after = model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[key], before[key]) for key in before)


def test_a_convolution_or_a_norm_that_is_used_twice_is_not_folded():
    class Shared(Twice):
        def forward(self, x):
            return self.body(self.norm(self.conv(self.norm(self.conv(x)))))

    model = small_unet()
    model.encoder.body = Shared(model.encoder.body)
    trained_like(model.eval())
    there = norms(model)
    assert fold_batch_norm(model) == there - 1
    assert type(model.encoder.body.norm) is nn.BatchNorm2d


def test_the_weights_hash_is_that_of_the_weights_as_they_were_trained():
    predictor = Predictor(DEFAULT)
    assert predictor.weights == weights_hash(load_model(DEFAULT).model)
    assert norms(predictor.model) == 0


@pytest.mark.slow
def test_the_shipped_model_labels_real_images_alike(camvid_root):
    predictor, plain = Predictor(DEFAULT, precision="32-true"), load_model(DEFAULT).model
    equal = []
    for path in sorted((camvid_root / "val").glob("*.png"))[::10]:
        image = read_image(path)
        with torch.inference_mode():
            expected = plain(torch.from_numpy(image).permute(2, 0, 1)[None]).argmax(1)[0]
        equal.append((predictor(image).mask == expected.numpy()).mean())
    assert len(equal) > 5
    assert np.mean(equal) >= 0.9999

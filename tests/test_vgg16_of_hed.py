"""The VGG16 of a package says the same of an image through timm's normalisation."""

import itertools

import numpy as np
import timm
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from benchmarks.vgg16_of_hed import MEAN_BGR, to_timm
from segmentation.models import Encoder

WIDTHS = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]


def test_features_are_those_of_the_package_away_from_the_border(tmp_path):
    rng = np.random.default_rng(0)
    layers = [
        (
            rng.normal(0, 0.05, (3, 3, i, o)).astype(np.float32),
            rng.normal(size=o).astype(np.float32),
        )
        for i, o in itertools.pairwise(WIDTHS)
    ]
    save_file(to_timm(layers), tmp_path / "vgg16.safetensors")
    encoder = Encoder("vgg16", weights=str(tmp_path / "vgg16.safetensors")).eval()
    image = torch.randint(0, 256, (1, 3, 48, 48)).float()
    mean, std = (torch.tensor(getattr(encoder, name)).view(1, 3, 1, 1) for name in ("mean", "std"))
    features = encoder((image - mean) / std)

    x = image.flip(1) - torch.tensor(MEAN_BGR).view(1, 3, 1, 1)
    for kernel, bias in layers[:2]:
        weight = torch.tensor(kernel).permute(3, 2, 0, 1)
        x = F.relu(F.conv2d(x, weight, torch.tensor(bias), padding=1))
    torch.testing.assert_close(
        features[0][..., 2:-2, 2:-2], x[..., 2:-2, 2:-2], rtol=1e-3, atol=1e-2
    )
    assert encoder.pretrained
    assert set(to_timm(layers)) == set(timm.create_model("vgg16", features_only=True).state_dict())

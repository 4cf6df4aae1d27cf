"""Models that are quick to build, and pictures for them."""

import timm
import torch

from segmentation.models import Encoder, UNet

WIDTHS = (16, 16, 8, 8, 8)


def small_unet(num_classes=5, name="test_resnet", in_channels=3, **options):
    """A UNet with random weights, the same each time, in evaluation mode."""
    torch.manual_seed(0)
    encoder = Encoder(name, in_channels, weights="none")
    return UNet(encoder, num_classes, **{"channels": WIDTHS, **options}).eval()


def pictures(*shape, seed=0):
    """Random `uint8` images of a shape N,C,H,W, the same each time."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def tensors(name="test_resnet", **options):
    """The state dict of one of timm's models, the same each time."""
    torch.manual_seed(7)
    return timm.create_model(name, **options).state_dict()


def assert_body_holds(encoder, state, rename=lambda key: key):
    """Fail where the encoder's tensors are not those of `state`."""
    body = encoder.body.state_dict()
    assert len(body) > 20
    for key, value in body.items():
        assert torch.equal(value, state[rename(key)]), key

"""Random logits and labels, and all losses by name, for the tests of losses."""

from functools import partial

import torch

from segmentation.classes import VOID
from segmentation.training import losses

LOSSES = {
    "cross_entropy": losses.CrossEntropy,
    "smoothed": partial(losses.CrossEntropy, 0.1),
    "focal": losses.Focal,
    "focal_below_1": partial(losses.Focal, 0.5),
    "ohem": losses.OHEMCrossEntropy,
    "dice": losses.Dice,
    "jaccard": losses.Jaccard,
    "tversky": losses.Tversky,
    "tversky_recall": partial(losses.Tversky, 0.0, 1.0),
    "lovasz": losses.Lovasz,
}


def example(seed=0, shape=(2, 4, 5, 6), void=0.2, dtype=torch.float32):
    """Random logits and labels; about the share `void` of the pixels is void."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(shape, generator=generator, dtype=dtype) * 2
    spatial = (shape[0], *shape[2:])
    target = torch.randint(shape[1], spatial, generator=generator)
    target[torch.rand(spatial, generator=generator) < void] = VOID
    return logits, target


def tensor(weights):
    return None if weights is None else torch.tensor(weights)

"""The losses: pixel by pixel, over regions, and weighted sums of both.

Each is called with logits, shape (N, C, H, W), and labels in `int64`, shape (N, H, W), that hold
`segmentation.classes.VOID` where a pixel must not be learnt; each returns a scalar. Void pixels
have no influence and a gradient of exactly zero, and a batch of nothing but void costs 0.
"""

from segmentation.training.losses.base import SegmentationLoss
from segmentation.training.losses.lovasz import Lovasz
from segmentation.training.losses.pixel import CrossEntropy, Focal, OHEMCrossEntropy
from segmentation.training.losses.region import Dice, Jaccard, Tversky
from segmentation.training.losses.weighted_sum import WeightedSum

__all__ = [
    "CrossEntropy",
    "Dice",
    "Focal",
    "Jaccard",
    "Lovasz",
    "OHEMCrossEntropy",
    "SegmentationLoss",
    "Tversky",
    "WeightedSum",
]

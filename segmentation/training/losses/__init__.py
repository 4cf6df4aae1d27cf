"""Losses over pixels and regions, their weighted sums, and losses of image-level targets.

Segmentation losses take logits (N, C, H, W) and `int64` labels (N, H, W), and return a scalar.
Pixels labelled `segmentation.classes.VOID` have no influence and a gradient of exactly zero; a
batch of only void pixels costs 0. `TaskLoss` adds the losses of image-level targets.
"""

from segmentation.training.losses.base import SegmentationLoss
from segmentation.training.losses.lovasz import Lovasz
from segmentation.training.losses.pixel import CrossEntropy, Focal, OHEMCrossEntropy
from segmentation.training.losses.region import Dice, Jaccard, Tversky
from segmentation.training.losses.tasks import TargetLoss, TaskLoss, Weighting
from segmentation.training.losses.weighted_sum import WeightedSum

__all__ = [
    "CrossEntropy",
    "Dice",
    "Focal",
    "Jaccard",
    "Lovasz",
    "OHEMCrossEntropy",
    "SegmentationLoss",
    "TargetLoss",
    "TaskLoss",
    "Tversky",
    "WeightedSum",
    "Weighting",
]

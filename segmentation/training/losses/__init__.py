"""The losses: pixel by pixel, over regions, weighted sums of both, and of image-level targets.

Those of the segmentation are called with logits, shape (N, C, H, W), and labels in `int64`, shape
(N, H, W), that hold `segmentation.classes.VOID` where a pixel must not be learnt, and return a
scalar. Void pixels have no influence and a gradient of exactly zero, and a batch of nothing but
void costs 0. `TaskLoss` adds those of image-level targets.
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

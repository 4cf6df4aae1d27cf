"""Losses that are a mean over pixels.

All divide the weighted sum by the sum of the pixels' class weights, as `torch.nn.CrossEntropyLoss`
does, and not by the number of pixels: so the loss keeps its scale whatever the weights are and
whichever classes a batch holds, and a learning rate found without weights still fits with them.
Both sums go over the global batch, however many ranks share it.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from segmentation.classes import VOID
from segmentation.errors import check_number
from segmentation.training.losses.base import SegmentationLoss, divide, over_ranks


class CrossEntropy(SegmentationLoss):
    """Cross-entropy; `torch.nn.CrossEntropyLoss`, but 0 where torch gives NaN: without labels.

    Args:
        label_smoothing: the share, 0 to below 1, of each pixel's label that is spread evenly over
            all classes (Szegedy et al. 2016, section 7).
        class_weights: float, shape (C,), or None.

    Raises:
        ConfigError: `label_smoothing` outside that range.
    """

    def __init__(self, label_smoothing: float = 0.0, class_weights: Tensor | None = None) -> None:
        super().__init__(class_weights)
        self.label_smoothing = check_number(
            "label_smoothing of CrossEntropy",
            label_smoothing,
            "0 or more and below 1",
            lambda value: 0 <= value < 1,
        )

    def compute(self, logits: Tensor, target: Tensor) -> Tensor:
        total = F.cross_entropy(
            logits,
            target,
            weight=None if self.class_weights is None else self.class_weights.to(logits.dtype),
            ignore_index=VOID,
            reduction="sum",
            label_smoothing=self.label_smoothing,
        )
        return divide(*over_ranks(total, self.pixel_weights(logits, target).sum()))


class Focal(SegmentationLoss):
    """Focal loss of the softmax, ``-(1 - p)^gamma log p`` (Lin et al. 2017, equation 4).

    `p` is the probability of the pixel's own class. SMP's `FocalLoss` is another loss, C binary
    ones on sigmoids, of a model whose prediction is not the argmax of a softmax, as ours is. Class
    weights are the paper's alpha (equation 5); gamma 0 is `CrossEntropy`.

    Args:
        gamma: 0 or more: how strongly pixels that are already right are held back.
        class_weights: float, shape (C,), or None.

    Raises:
        ConfigError: `gamma` is negative.
    """

    def __init__(self, gamma: float = 2.0, class_weights: Tensor | None = None) -> None:
        super().__init__(class_weights)
        self.gamma = check_number("gamma of Focal", gamma, "0 or more", lambda value: value >= 0)

    def compute(self, logits: Tensor, target: Tensor) -> Tensor:
        nll = F.cross_entropy(logits, target, ignore_index=VOID, reduction="none")
        # p = 1 to the last digit: below gamma 1 the power's slope is infinite there
        wrong = (-torch.expm1(-nll)).clamp_min(torch.finfo(nll.dtype).eps)
        weights = self.pixel_weights(logits, target)
        total = (weights * wrong.pow(self.gamma) * nll).sum()
        return divide(*over_ranks(total, weights.sum()))


class OHEMCrossEntropy(SegmentationLoss):
    """Cross-entropy of the hard pixels only (online hard example mining, Shrivastava et al. 2016).

    Hard is a pixel whose own class has a probability of at most `threshold`; where these are fewer
    than `keep`, the pixels with the highest loss make up the number (the online bootstrapping of
    Wu, Shen, van den Hengel 2016). Class weights enter the mean, not the choice.

    Where several ranks share a batch, each makes up the number from its own share, and the mean
    goes over what all have chosen: the loss is that of one process as long as `threshold` alone
    chooses enough on every rank.

    Args:
        threshold: probability, above 0 and up to 1.
        keep: the share, above 0 and up to 1, of the batch's pixels that always count. Void pixels
            are part of the batch here, so that the number is known without asking the GPU; they
            are chosen last and never count. With `keep` 1 this is `CrossEntropy`.
        class_weights: float, shape (C,), or None.

    Raises:
        ConfigError: `threshold` or `keep` outside its range.
    """

    def __init__(
        self,
        threshold: float = 0.7,
        keep: float = 0.0625,
        class_weights: Tensor | None = None,
    ) -> None:
        super().__init__(class_weights)
        rule, holds = "above 0 and up to 1", lambda value: 0 < value <= 1
        self.threshold = check_number("threshold of OHEMCrossEntropy", threshold, rule, holds)
        self.keep = check_number("keep of OHEMCrossEntropy", keep, rule, holds)

    def compute(self, logits: Tensor, target: Tensor) -> Tensor:
        nll = F.cross_entropy(logits, target, ignore_index=VOID, reduction="none")
        hardness = nll.detach()  # 0 for void
        count = max(1, int(self.keep * hardness.numel()))
        least = hardness.flatten().topk(count, sorted=False).values.amin()
        hard = hardness >= least.clamp_max(-math.log(self.threshold))
        weights = self.pixel_weights(logits, target) * hard
        return divide(*over_ranks((weights * nll).sum(), weights.sum()))

"""Losses that are a mean over the pixels of the global batch.

Like `torch.nn.CrossEntropyLoss` they divide by the sum of the pixels' class weights, not by the
number of pixels. So the scale of the loss, and with it the right learning rate, does not depend on
the weights or on the classes of a batch.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from segmentation.classes import VOID
from segmentation.errors import check_number
from segmentation.training.losses.base import SegmentationLoss, divide, over_ranks


class CrossEntropy(SegmentationLoss):
    """Cross-entropy as in `torch.nn.CrossEntropyLoss`, but 0 instead of NaN without labels.

    Args:
        label_smoothing: share of each label that is spread evenly over all classes, 0 to below 1
            (Szegedy et al. 2016, section 7).
        class_weights: float, shape (C,), or None.

    Raises:
        ConfigError: `label_smoothing` out of range.
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

    `p` is the softmax probability of the pixel's class; SMP's `FocalLoss` is a sum of binary losses
    on sigmoids instead. Class weights are the paper's alpha (equation 5); gamma 0 is
    `CrossEntropy`.

    Args:
        gamma: 0 or more: how strongly well-classified pixels are down-weighted.
        class_weights: float, shape (C,), or None.

    Raises:
        ConfigError: `gamma` is negative.
    """

    def __init__(self, gamma: float = 2.0, class_weights: Tensor | None = None) -> None:
        super().__init__(class_weights)
        self.gamma = check_number("gamma of Focal", gamma, "0 or more", lambda value: value >= 0)

    def compute(self, logits: Tensor, target: Tensor) -> Tensor:
        nll = F.cross_entropy(logits, target, ignore_index=VOID, reduction="none")
        # Where p rounds to 1 the power has an infinite slope for gamma below 1.
        wrong = (-torch.expm1(-nll)).clamp_min(torch.finfo(nll.dtype).eps)
        weights = self.pixel_weights(logits, target)
        total = (weights * wrong.pow(self.gamma) * nll).sum()
        return divide(*over_ranks(total, weights.sum()))


class OHEMCrossEntropy(SegmentationLoss):
    """Cross-entropy of the hard pixels only (online hard example mining, Shrivastava et al. 2016).

    A pixel is hard if the probability of its class is at most `threshold`. If they are fewer than
    the share `keep`, the pixels with the highest loss are added (online bootstrapping, Wu, Shen,
    van den Hengel 2016). Class weights affect the mean, not the choice.

    With several ranks each adds pixels of its own share, so the loss equals that of one process
    only while `threshold` alone chooses enough pixels on every rank.

    Args:
        threshold: probability, above 0 and up to 1.
        keep: least share of the batch's pixels that count, above 0 and up to 1; 1 is
            `CrossEntropy`. The share is of all pixels, so that its size is known without reading
            from the GPU, but void pixels are chosen last and never count.
        class_weights: float, shape (C,), or None.

    Raises:
        ConfigError: `threshold` or `keep` out of range.
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

"""Losses of the overlap of regions: one for each class over the global batch, then their mean.

The mean is over the classes present in the batch, as mIoU's is over those of a split. SMP divides
by the number of all classes instead, so its loss shrinks with each absent class. An absent class
needs no term: probability given to it is missing from the present ones.
"""

import torch
from torch import Tensor

from segmentation.errors import check_number
from segmentation.training.losses.base import SegmentationLoss, divide, over_ranks


def soft_confusion(logits: Tensor, target: Tensor) -> Tensor:
    """Return the softmax's confusion matrix, shape (C, C).

    Row t, column c: the probability of class c summed over the pixels labelled t; void pixels are
    in no row. One matrix product takes a third of the time of masked sums.
    """
    classes = torch.arange(logits.shape[1], device=target.device)
    one_hot = (target.flatten(1).unsqueeze(1) == classes.unsqueeze(1)).to(logits.dtype)
    probabilities = logits.softmax(dim=1).flatten(2)
    return torch.bmm(one_hot, probabilities.transpose(1, 2)).sum(dim=0)


class Tversky(SegmentationLoss):
    """One minus the Tversky index, ``TP / (TP + alpha FP + beta FN)`` (Salehi et al. 2017, eq. 2).

    Args:
        alpha: weight of false positives, 0 or more.
        beta: weight of false negatives, above 0 (at 0 a class without any probability is 0 / 0).
        class_weights: float, shape (C,), or None: weights of the classes in the mean.

    Raises:
        ConfigError: `alpha` or `beta` out of range.
    """

    def __init__(
        self, alpha: float = 0.3, beta: float = 0.7, class_weights: Tensor | None = None
    ) -> None:
        super().__init__(class_weights)
        self.alpha = check_number("alpha of Tversky", alpha, "0 or more", lambda value: value >= 0)
        self.beta = check_number("beta of Tversky", beta, "above 0", lambda value: value > 0)

    def compute(self, logits: Tensor, target: Tensor) -> Tensor:
        (confusion,) = over_ranks(soft_confusion(logits, target))
        right = confusion.diagonal()
        labelled = confusion.sum(dim=1)
        false_positive, false_negative = confusion.sum(dim=0) - right, labelled - right
        index = divide(right, right + self.alpha * false_positive + self.beta * false_negative)
        present = (labelled > 0).to(logits.dtype)
        weights = present if self.class_weights is None else present * self.class_weights
        return divide((weights * (1 - index)).sum(), weights.sum())


class Dice(Tversky):
    """One minus the soft Dice coefficient, ``2 TP / (2 TP + FP + FN)`` (Milletari et al. 2016).

    Without the squares in Milletari's denominator, as in SMP: the Tversky loss with both weights
    1/2.

    Args:
        class_weights: float, shape (C,), or None: weights of the classes in the mean.
    """

    def __init__(self, class_weights: Tensor | None = None) -> None:
        super().__init__(alpha=0.5, beta=0.5, class_weights=class_weights)


class Jaccard(Tversky):
    """One minus the soft Jaccard index (IoU), ``TP / (TP + FP + FN)`` (Rahman & Wang 2016).

    The Tversky loss with both weights 1.

    Args:
        class_weights: float, shape (C,), or None: weights of the classes in the mean.
    """

    def __init__(self, class_weights: Tensor | None = None) -> None:
        super().__init__(alpha=1.0, beta=1.0, class_weights=class_weights)

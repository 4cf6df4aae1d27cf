"""Losses that compare regions: one overlap for each class over the global batch, then their mean.

The mean goes over the classes that the batch holds, as mIoU's does over those of a split. SMP
divides by the number of all classes instead, so that its loss shrinks with each class a batch
lacks; where all occur, the two agree. A class that is absent needs no term of its own: probability
it is given is missing from the classes that are there.
"""

import torch
from torch import Tensor

from segmentation.errors import check_number
from segmentation.training.losses.base import SegmentationLoss, divide, over_ranks


def soft_confusion(logits: Tensor, target: Tensor) -> Tensor:
    """Return the softmax's confusion matrix, shape (C, C).

    Row t, column c: the probability of class c, summed over the pixels labelled t. As one matrix
    product it takes a third of the time that SMP's masked sums take; a void pixel has no row.
    """
    classes = torch.arange(logits.shape[1], device=target.device)
    one_hot = (target.flatten(1).unsqueeze(1) == classes.unsqueeze(1)).to(logits.dtype)
    probabilities = logits.softmax(dim=1).flatten(2)
    return torch.bmm(one_hot, probabilities.transpose(1, 2)).sum(dim=0)


class Tversky(SegmentationLoss):
    """One minus the Tversky index, ``TP / (TP + alpha FP + beta FN)`` (Salehi et al. 2017, eq. 2).

    Args:
        alpha: 0 or more, the price of a false positive.
        beta: above 0, the price of a false negative (at 0, a class that gets no probability at all
            would be 0 / 0).
        class_weights: float, shape (C,), or None: weights of the classes in the mean.

    Raises:
        ConfigError: `alpha` or `beta` outside its range.
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

    Without the squares that Milletari's denominator has, as in SMP: it is the Tversky loss with
    both prices 1/2.

    Args:
        class_weights: float, shape (C,), or None: weights of the classes in the mean.
    """

    def __init__(self, class_weights: Tensor | None = None) -> None:
        super().__init__(alpha=0.5, beta=0.5, class_weights=class_weights)


class Jaccard(Tversky):
    """One minus the soft Jaccard index (IoU), ``TP / (TP + FP + FN)`` (Rahman & Wang 2016).

    It is the Tversky loss with both prices 1.

    Args:
        class_weights: float, shape (C,), or None: weights of the classes in the mean.
    """

    def __init__(self, class_weights: Tensor | None = None) -> None:
        super().__init__(alpha=1.0, beta=1.0, class_weights=class_weights)

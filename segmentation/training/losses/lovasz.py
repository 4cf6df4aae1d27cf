"""The Lovász-softmax loss: the convex extension of the Jaccard index that mIoU is made of."""

import torch
from torch import Tensor

from segmentation.classes import VOID
from segmentation.training.losses.base import SegmentationLoss, divide, over_ranks


class Lovasz(SegmentationLoss):
    """Lovász-softmax over the batch (Berman, Rannen Triki, Blaschko 2018).

    For each class, the Lovász extension (definition 2) of the Jaccard loss at the softmax's errors
    ``m``: ``1 - p`` for a pixel of the class, ``p`` for another. Their mean goes over the classes
    that the batch holds (the authors' ``classes="present"``, as in SMP), weighted where there are
    class weights.

    Errors are sorted within a rank's share of the batch: where several ranks share it, the mean
    goes over every class of every rank that holds it, which is not the loss of one process (just
    as the loss of two small batches is not that of one large batch).

    Args:
        class_weights: float, shape (C,), or None: weights of the classes in the mean.
    """

    def compute(self, logits: Tensor, target: Tensor) -> Tensor:
        labels = target.flatten()
        void = labels == VOID  # an error of 0 comes last and adds nothing
        losses, present = [], []
        for index, probability in enumerate(logits.softmax(dim=1).transpose(0, 1).flatten(1)):
            inside = labels == index
            errors = torch.where(inside, 1 - probability, probability).masked_fill(void, 0)
            losses.append((errors * jaccard_gradient(errors.detach(), inside)).sum())
            present.append(inside.any())
        weights = torch.stack(present).to(logits.dtype)
        if self.class_weights is not None:
            weights = weights * self.class_weights
        return divide(*over_ranks((weights * torch.stack(losses)).sum(), weights.sum()))


def jaccard_gradient(errors: Tensor, inside: Tensor) -> Tensor:
    """Return the gradient of the Jaccard loss's Lovász extension (algorithm 1), shape (P,).

    The paper takes differences of neighbours along the sorted errors. Written out, they are
    ``1 / union`` for a pixel of the class and ``intersection / (union (union - 1))`` for another:
    the same numbers, without the cancellation, which in float32 costs a large batch its digits.

    Args:
        errors: float, shape (P,), 0..1.
        inside: bool, shape (P,): pixels of the class.
    """
    # Floats of 0 or more are in the order of their bits, and torch sorts integers, ascending, by
    # radix: on a CPU an eighth of the time. The bit below says what is of the class, which saves
    # looking it up in the new order.
    key, order = (-(2 * errors.float().view(torch.int32) + inside)).sort()
    hit = key & 1
    hits = hit.cumsum(0)  # integers: float32 cannot count beyond 2^24
    intersection = (hits[-1] - hits).to(errors.dtype)
    union = intersection + torch.arange(1, len(hits) + 1, device=hits.device)
    outside = intersection / (union * (union - 1)).clamp_min(1)
    gradient = torch.where(hit.bool(), 1 / union, outside)
    return torch.empty_like(gradient).scatter_(0, order, gradient)

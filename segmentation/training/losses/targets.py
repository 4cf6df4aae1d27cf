"""Losses of image-level targets: empty cells have no influence and a gradient of exactly zero.

Each returns a scalar: the mean over the cells (or columns) that count, and 0 where none does.
Nothing waits for a GPU: no shape depends on which cells are empty.
"""

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from segmentation.targets import NO_CATEGORY
from segmentation.training.losses.base import divide

LEAST_VARIANCE = 1e-6
"""A column whose values in a batch vary by no more has no concordance there."""


def category_loss(logits: Tensor, category: Tensor) -> Tensor:
    """Return the mean cross-entropy of the images that have a category.

    Args:
        logits: float (N, categories).
        category: `int64` (N,), `NO_CATEGORY` where empty.
    """
    total = F.cross_entropy(logits, category, ignore_index=NO_CATEGORY, reduction="sum")
    return divide(total, (category != NO_CATEGORY).sum())


def mse(predicted: Tensor, values: Tensor) -> Tensor:
    """Return the mean squared error of the cells that are not empty.

    Args:
        predicted: float (N, columns), standardised.
        values: the same, NaN where empty.
    """
    there, values = _filled(predicted, values)
    return divide(F.mse_loss(predicted, values, reduction="sum"), there.sum())


def huber(predicted: Tensor, values: Tensor) -> Tensor:
    """Return the mean Huber loss (1964) of the cells that are not empty.

    Errors count squared up to one standard deviation of the column, and linearly beyond it. For
    the arguments see `mse`.
    """
    there, values = _filled(predicted, values)
    return divide(F.huber_loss(predicted, values, reduction="sum"), there.sum())


def ccc(predicted: Tensor, values: Tensor) -> Tensor:
    """Return one minus the concordance correlation coefficient, the mean over the columns.

    The coefficient (Lin 1989, eq. 1, with the batch's own moments) is ``2 cov(p, v) / (var(p) +
    var(v) + (mean(p) - mean(v))^2)``. It needs at least two different values: a column with fewer
    in the batch is left out of the mean. Small batches make it noisy. For the arguments see `mse`.
    """
    there, values = _filled(predicted, values)
    weight = there.to(predicted.dtype)
    count = weight.sum(dim=0).clamp_min(1)
    means = [(weight * one).sum(dim=0) / count for one in (predicted, values)]
    apart = [weight * (one - mean) for one, mean in zip((predicted, values), means, strict=True)]
    variances = [(one**2).sum(dim=0) / count for one in apart]
    covariance = (apart[0] * apart[1]).sum(dim=0) / count
    counts = variances[1] > LEAST_VARIANCE
    spread = variances[0] + variances[1] + (means[0] - means[1]) ** 2
    concordance = 2 * covariance / torch.where(counts, spread, 1.0)
    return divide((counts * (1 - concordance)).sum(), counts.sum())


VALUES_LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": mse,
    "huber": huber,
    "ccc": ccc,
}
"""By the name that `task.targets.values_loss` gives."""


def _filled(predicted: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Return which cells are there, and the values with each empty cell's own prediction in it.

    A NaN would spoil the gradient even where its loss is multiplied by 0.
    """
    there = ~values.isnan()
    return there, torch.where(there, values.to(predicted.dtype), predicted.detach())

"""Losses of image-level targets.

Each returns the mean over the known cells (or columns) of the global batch, and 0 where there are
none. Empty cells have no influence and a gradient of exactly zero. Nothing waits for a GPU: no
shape depends on which cells are empty.
"""

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from segmentation.targets import NO_CATEGORY
from segmentation.training.losses.base import divide, over_ranks

LEAST_VARIANCE = 1e-6
"""A column whose values have no larger variance in a batch has no concordance there."""


def category_loss(logits: Tensor, category: Tensor) -> Tensor:
    """Return the mean cross-entropy over the images with a category.

    Args:
        logits: float (N, categories).
        category: `int64` (N,), `NO_CATEGORY` where empty.
    """
    total = F.cross_entropy(logits, category, ignore_index=NO_CATEGORY, reduction="sum")
    return divide(*over_ranks(total, (category != NO_CATEGORY).sum().to(total.dtype)))


def mse(predicted: Tensor, values: Tensor) -> Tensor:
    """Return the mean squared error of the known cells.

    Args:
        predicted: float (N, columns), standardised.
        values: the same, NaN where empty.
    """
    weight, values = _filled(predicted, values)
    return divide(*over_ranks(F.mse_loss(predicted, values, reduction="sum"), weight.sum()))


def huber(predicted: Tensor, values: Tensor) -> Tensor:
    """Return the mean Huber loss (1964) of the known cells.

    Quadratic up to one standard deviation of the column, linear beyond. For the arguments see
    `mse`.
    """
    weight, values = _filled(predicted, values)
    return divide(*over_ranks(F.huber_loss(predicted, values, reduction="sum"), weight.sum()))


def ccc(predicted: Tensor, values: Tensor) -> Tensor:
    """Return one minus the concordance correlation coefficient, the mean over the columns.

    The coefficient (Lin 1989, eq. 1, with the batch's moments) is ``2 cov(p, v) / (var(p) + var(v)
    + (mean(p) - mean(v))^2)``. Columns without two different values in the batch are omitted from
    the mean. Small batches make it noisy. For the arguments see `mse`.
    """
    weight, values = _filled(predicted, values)
    both = torch.stack([predicted, values])
    count, sums = over_ranks(weight.sum(dim=0), (weight * both).sum(dim=1))
    count = count.clamp_min(1)
    means = sums / count
    # To first order, sums of squares around the mean do not change with it. So it needs no gradient
    # here, which could not go through `over_ranks` twice.
    deviation = weight * (both - means.detach().unsqueeze(1))
    squares, products = over_ranks((deviation**2).sum(dim=1), deviation.prod(dim=0).sum(dim=0))
    variances, covariance = squares / count, products / count
    counts = variances[1] > LEAST_VARIANCE
    spread = variances[0] + variances[1] + (means[0] - means[1]) ** 2
    concordance = 2 * covariance / torch.where(counts, spread, 1.0)
    return divide((counts * (1 - concordance)).sum(), counts.sum())


VALUES_LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": mse,
    "huber": huber,
    "ccc": ccc,
}
"""By the values of `task.targets.values_loss`."""


def _filled(predicted: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Return 1 for known and 0 for empty cells, and the values without NaN.

    Empty cells are filled with their prediction: a NaN would spoil the gradient even where its loss
    is multiplied by 0.
    """
    known = ~values.isnan()
    filled = torch.where(known, values.to(predicted.dtype), predicted.detach())
    return known.to(predicted.dtype), filled

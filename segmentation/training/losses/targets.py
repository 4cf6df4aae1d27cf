"""Losses of image-level targets: empty cells have no influence and a gradient of exactly zero.

Each returns a scalar: the mean over the cells (or columns) that count, and 0 where none does.
Nothing waits for a GPU: no shape depends on which cells are empty. Means and moments are those of
the global batch, however many ranks share it.
"""

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from segmentation.targets import NO_CATEGORY
from segmentation.training.losses.base import divide, over_ranks

LEAST_VARIANCE = 1e-6
"""A column whose values in a batch vary by no more has no concordance there."""


def category_loss(logits: Tensor, category: Tensor) -> Tensor:
    """Return the mean cross-entropy of the images that have a category.

    Args:
        logits: float (N, categories).
        category: `int64` (N,), `NO_CATEGORY` where empty.
    """
    total = F.cross_entropy(logits, category, ignore_index=NO_CATEGORY, reduction="sum")
    return divide(*over_ranks(total, (category != NO_CATEGORY).sum().to(total.dtype)))


def mse(predicted: Tensor, values: Tensor) -> Tensor:
    """Return the mean squared error of the cells that are not empty.

    Args:
        predicted: float (N, columns), standardised.
        values: the same, NaN where empty.
    """
    weight, values = _filled(predicted, values)
    return divide(*over_ranks(F.mse_loss(predicted, values, reduction="sum"), weight.sum()))


def huber(predicted: Tensor, values: Tensor) -> Tensor:
    """Return the mean Huber loss (1964) of the cells that are not empty.

    Errors count squared up to one standard deviation of the column, and linearly beyond it. For
    the arguments see `mse`.
    """
    weight, values = _filled(predicted, values)
    return divide(*over_ranks(F.huber_loss(predicted, values, reduction="sum"), weight.sum()))


def ccc(predicted: Tensor, values: Tensor) -> Tensor:
    """Return one minus the concordance correlation coefficient, the mean over the columns.

    The coefficient (Lin 1989, eq. 1, with the batch's own moments) is ``2 cov(p, v) / (var(p) +
    var(v) + (mean(p) - mean(v))^2)``. It needs at least two different values: a column with fewer
    in the batch is left out of the mean. Small batches make it noisy. For the arguments see `mse`.
    """
    weight, values = _filled(predicted, values)
    both = torch.stack([predicted, values])
    count, sums = over_ranks(weight.sum(dim=0), (weight * both).sum(dim=1))
    count = count.clamp_min(1)
    means = sums / count
    # Sums of squares around the mean do not change with the mean, to first order: it needs no
    # gradient here, and could not have one over ranks.
    apart = weight * (both - means.detach().unsqueeze(1))
    squares, products = over_ranks((apart**2).sum(dim=1), apart.prod(dim=0).sum(dim=0))
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
"""By the name that `task.targets.values_loss` gives."""


def _filled(predicted: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Return 1 for each cell that is there, 0 for an empty one, and the values without gaps.

    An empty cell gets its own prediction: a NaN would spoil the gradient even where its loss is
    multiplied by 0.
    """
    there = ~values.isnan()
    filled = torch.where(there, values.to(predicted.dtype), predicted.detach())
    return there.to(predicted.dtype), filled

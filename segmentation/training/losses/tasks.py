"""Combine the losses of a model's tasks: segmentation, categories and values."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from segmentation.classes import VOID
from segmentation.errors import ConfigError, check_number, did_you_mean
from segmentation.models import Outputs, TargetOutputs
from segmentation.targets import NO_CATEGORY, TargetColumns
from segmentation.training.losses.base import over_ranks
from segmentation.training.losses.targets import VALUES_LOSSES, category_loss

TASKS = ("segmentation", "category", "values")
WEIGHTINGS = ("fixed", "uncertainty")

Counted = tuple[Tensor, Tensor]
"""A loss, and whether this rank's batch has any label for it (a boolean scalar)."""


class TargetLoss(nn.Module):
    """The losses of image-level targets.

    Args:
        columns: what is predicted; values are standardised with their mean and std.
        values_loss: a key of `VALUES_LOSSES`.

    Raises:
        ConfigError: unknown `values_loss`.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, columns: TargetColumns, values_loss: str = "mse") -> None:
        super().__init__()
        if values_loss not in VALUES_LOSSES:
            raise ConfigError(
                f"task.targets.values_loss={values_loss!r} is unknown; use one of "
                f"{', '.join(VALUES_LOSSES)}.{did_you_mean(str(values_loss), VALUES_LOSSES)}"
            )
        self.columns = columns
        self.values_loss = values_loss
        self.register_buffer("mean", torch.tensor(columns.mean), persistent=False)
        self.register_buffer("std", torch.tensor(columns.std), persistent=False)

    def forward(
        self, outputs: TargetOutputs, category: Tensor, values: Tensor
    ) -> dict[str, Counted]:
        """Return the loss of each kind of column present.

        Args:
            outputs: of the head.
            category: `int64` (N,), `NO_CATEGORY` where empty.
            values: float (N, columns) in their units, NaN where empty.
        """
        losses = {}
        if self.columns.categories:
            labelled = (category != NO_CATEGORY).any()
            losses["category"] = category_loss(outputs.category, category), labelled
        if self.columns.values:
            values = (values - self.mean) / self.std
            loss = VALUES_LOSSES[self.values_loss](outputs.values, values)
            losses["values"] = loss, (~values.isnan()).any()
        return losses


class Weighting(nn.Module):
    """Weighted sum of the losses of several tasks.

    ``"fixed"``: each loss times its weight. ``"uncertainty"``: each task also has a learned
    variance s^2 (Kendall, Gal & Cipolla 2018): classification and segmentation cost ``loss / s^2 +
    log s`` (eq. 10), regression ``loss / (2 s^2) + log s`` (eq. 7). The parameter is log s^2, and
    starts at 0. A task without labels in a batch adds nothing, and its variance stays.

    Args:
        tasks: of `TASKS`.
        weights: 0 or more for each task, at least one above 0.
        kind: one of `WEIGHTINGS`.

    Raises:
        ConfigError: a weight out of range, or unknown `kind`.
    """

    def __init__(
        self, tasks: Sequence[str], weights: Mapping[str, float], kind: str = "fixed"
    ) -> None:
        super().__init__()
        if kind not in WEIGHTINGS:
            raise ConfigError(
                f"task.weighting={kind!r} is unknown; use one of {', '.join(WEIGHTINGS)}."
                f"{did_you_mean(str(kind), WEIGHTINGS)}"
            )
        self.tasks = tuple(tasks)
        self.weights = {
            task: check_number(f"task.weights.{task}", weights[task], "0 or more", lambda w: w >= 0)
            for task in tasks
        }
        if not any(self.weights.values()):
            raise ConfigError(f"task.weights of {', '.join(tasks)} are all 0: one must be above 0.")
        self.log_variance = nn.Parameter(torch.zeros(len(tasks))) if kind != "fixed" else None

    def forward(self, losses: Mapping[str, Counted]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the total, and the factor of each loss where it is learnt."""
        total = losses[self.tasks[0]][0].new_zeros(())
        learned: dict[str, Tensor] = {}
        if self.log_variance is None:
            for task in self.tasks:
                total = total + self.weights[task] * losses[task][0]
            return total, learned
        # A task counts on all ranks if any has labels for it, as its loss does.
        (labelled,) = over_ranks(torch.stack([losses[task][1].float() for task in self.tasks]))
        for index, task in enumerate(self.tasks):
            loss, weight = losses[task][0], self.weights[task]
            log_variance = self.log_variance[index]
            factor = (0.5 if task == "values" else 1.0) * torch.exp(-log_variance)
            total = total + weight * (labelled[index] > 0) * (factor * loss + 0.5 * log_variance)
            learned[f"weight_{task}"] = weight * factor.detach()
        return total, learned


class TaskLoss(nn.Module):
    """The loss of a batch: of the segmentation, of image-level targets, or of both.

    Args:
        segmentation: (logits, labels) to a total and its parts, see `WeightedSum`; None if the
            model does not segment.
        targets: the losses of image-level targets; None if there are none.
        weighting: combines the tasks; None if segmentation is the only one.
    """

    def __init__(
        self,
        segmentation: nn.Module | None,
        targets: TargetLoss | None = None,
        weighting: Weighting | None = None,
    ) -> None:
        super().__init__()
        self.segmentation = segmentation
        self.targets = targets
        self.weighting = weighting

    def forward(
        self, outputs: Outputs, batch: Mapping[str, Any]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the total, and its detached parts for the log.

        Args:
            outputs: of the model.
            batch: `mask`, and `category` and `values` if there are targets; see `collate`.
        """
        losses: dict[str, Counted] = {}
        parts: dict[str, Tensor] = {}
        if self.segmentation is not None:
            labels = batch["mask"].long()
            total, parts = self.segmentation(outputs.logits, labels)
            if self.weighting is None:
                return total, parts
            losses["segmentation"] = total, (labels != VOID).any()
        assert self.targets is not None
        assert self.weighting is not None
        losses |= self.targets(outputs.targets, batch["category"], batch["values"])
        total, learned = self.weighting(losses)
        if len(parts) == 1:  # the same value as `segmentation`
            parts = {}
        tasks = {task: loss.detach() for task, (loss, _) in losses.items()}
        return total, parts | tasks | learned

"""A student that learns from teachers' probabilities beside the labels."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Distilled(nn.Module):
    """The loss of the tasks, and the divergence from teachers that see the same batch.

    Hinton et al. 2015, arXiv:1503.02531: ``(1 - weight) tasks + weight T^2 KL(teachers, student)``
    of the pixels' probabilities at temperature T, the teachers' averaged.

    Args:
        tasks: the loss without teachers.
        teachers: models that give logits (N, C, H, W); they do not learn.
        weight: of the divergence, 0 to 1.
        temperature: T, above 0.
    """

    def __init__(
        self, tasks: nn.Module, teachers: Sequence[nn.Module], weight: float, temperature: float
    ) -> None:
        super().__init__()
        self.tasks, self.weight, self.temperature = tasks, weight, temperature
        # A plain list: they are not among the weights of the run.
        self.teachers = [one.eval().requires_grad_(False) for one in teachers]

    def forward(self, outputs: Any, batch: Mapping[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss and its parts."""
        total, parts = self.tasks(outputs, batch)
        with torch.no_grad():
            logits = [one(batch["image"]).float() / self.temperature for one in self.teachers]
            soft = torch.stack([one.softmax(1) for one in logits]).mean(0)
        student = getattr(outputs, "logits", outputs).float() / self.temperature
        divergence = F.kl_div(student.log_softmax(1), soft, reduction="none").sum(1).mean()
        divergence = divergence * self.temperature**2
        total = (1 - self.weight) * total + self.weight * divergence
        return total, {**parts, "distillation": divergence.detach()}

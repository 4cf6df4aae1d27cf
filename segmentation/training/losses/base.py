"""The base of the segmentation losses: shapes, precision, class weights, void, several ranks."""

from abc import ABC, abstractmethod

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from segmentation.classes import VOID
from segmentation.errors import ConfigError


class SegmentationLoss(nn.Module, ABC):
    """Base of the segmentation losses; subclasses implement `compute`.

    `forward` never waits for a GPU: no value is read back, no shape depends on the labels. With
    several processes the loss is that of the global batch, so every sum that `compute` divides by
    or is a non-linear function of goes through `over_ranks`.

    Args:
        class_weights: float, shape (C,), 0 or more; None weighs all classes alike. Not in the state
            dict, as they follow from the training data.

    Raises:
        ConfigError: class weights that are not finite, negative, or not of shape (C,).
    """

    class_weights: Tensor | None

    def __init__(self, class_weights: Tensor | None = None) -> None:
        super().__init__()
        if class_weights is not None and (
            class_weights.dim() != 1
            or not class_weights.isfinite().all()
            or (class_weights < 0).any()
        ):
            raise ConfigError(
                f"class weights must be one finite number of 0 or more for each class, not "
                f"{class_weights.tolist()}."
            )
        self.register_buffer("class_weights", class_weights, persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss, a scalar in float32 (float64 for float64 logits), under autocast too.

        Args:
            logits: float, shape (N, C, H, W), any memory format.
            target: `int64`, shape (N, H, W), 0..C-1 or VOID.

        Raises:
            ConfigError: the number of class weights is not C.
        """
        if self.class_weights is not None and len(self.class_weights) != logits.shape[1]:
            raise ConfigError(
                f"{len(self.class_weights)} class weights for a model of {logits.shape[1]} classes."
            )
        if logits.dtype in (torch.float16, torch.bfloat16):
            logits = logits.float()
        with torch.autocast(logits.device.type, enabled=False):  # else matrix products in bfloat16
            return self.compute(logits, target)

    @abstractmethod
    def compute(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss as `forward` does, of logits in at least float32, without autocast."""

    def pixel_weights(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return each pixel's class weight (1 without class weights), 0 for void; (N, H, W)."""
        if self.class_weights is None:
            return (target != VOID).to(logits.dtype)
        weights = self.class_weights.to(logits.dtype)
        return F.pad(weights, (0, VOID + 1 - len(weights)))[target]


def over_ranks(*sums: Tensor) -> tuple[Tensor, ...]:
    """Turn sums over this rank's share of the batch into sums over the global batch.

    DDP averages the gradients of R ranks. For that mean to be the gradient of the global batch's
    loss, whatever function of the sums it is, each sum has the value over all ranks and R times the
    gradient of this rank's share; nothing is communicated in the backward pass. Sums of results of
    `over_ranks` must not go through it again.

    All ranks must make the same calls, whatever their labels; each call sends one message. A single
    process gets its sums back.

    Args:
        sums: float, of one dtype, any shapes.
    """
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return sums
    values = torch.cat([own.detach().flatten() for own in sums])
    dist.all_reduce(values)
    totals = values.split([own.numel() for own in sums])
    return tuple(
        total.view_as(own) + dist.get_world_size() * (own - own.detach())
        for total, own in zip(totals, sums, strict=True)
    )


def divide(total: Tensor, count: Tensor) -> Tensor:
    """Return ``total / count``, and `total` (then 0, with a gradient of 0) where `count` is 0."""
    return total / torch.where(count > 0, count, 1)

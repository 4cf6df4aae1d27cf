"""What all losses share: the shapes they take, full precision, class weights, and void."""

from abc import ABC, abstractmethod

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from segmentation.classes import VOID
from segmentation.errors import ConfigError


class SegmentationLoss(nn.Module, ABC):
    """Base of the losses; a loss of your own implements `compute`.

    Nothing in `forward` waits for a GPU: no value is read back, no shape depends on the labels.
    Where several processes train, the loss is that of the global batch: what `compute` divides by,
    and what else it is a function of, are sums `over_ranks`.

    Args:
        class_weights: float, shape (C,), 0 or more; None weighs all classes alike. Kept out of the
            state dict: the weights belong to the training data, not to what was learnt from it.

    Raises:
        ConfigError: weights that are not one finite number, 0 or more, for each class.
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
                f"class weights are one finite number, 0 or more, for each class, not "
                f"{class_weights.tolist()}."
            )
        self.register_buffer("class_weights", class_weights, persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss, a scalar in float32 (float64 for float64 logits), whatever autocast is.

        Args:
            logits: float, shape (N, C, H, W), any memory format.
            target: `int64`, shape (N, H, W), 0..C-1 or VOID.

        Raises:
            ConfigError: there are class weights, but not C of them.
        """
        if self.class_weights is not None and len(self.class_weights) != logits.shape[1]:
            raise ConfigError(
                f"{len(self.class_weights)} class weights for a model of {logits.shape[1]} classes."
            )
        if logits.dtype in (torch.float16, torch.bfloat16):
            logits = logits.float()
        with torch.autocast(logits.device.type, enabled=False):  # it would take products in bf16
            return self.compute(logits, target)

    @abstractmethod
    def compute(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss; as `forward`, with logits of at least float32 and autocast off."""

    def pixel_weights(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return each pixel's class weight, 1 without weights, 0 for void; shape (N, H, W)."""
        if self.class_weights is None:
            return (target != VOID).to(logits.dtype)
        weights = self.class_weights.to(logits.dtype)
        return F.pad(weights, (0, VOID + 1 - len(weights)))[target]


def over_ranks(*sums: Tensor) -> tuple[Tensor, ...]:
    """Return sums over this rank's share of the batch as sums over the global batch.

    DDP averages the gradients of R ranks. So that this mean is the gradient of the loss of the
    global batch, whatever function of such sums the loss is, a sum has the value of all ranks and
    R times the gradient of its own share: nothing is sent on the way back. It holds for sums of
    what a rank has by itself, not for sums of what came from `over_ranks` already.

    All ranks have to call it alike, whatever their labels are; one call sends one message. A single
    process gets its sums back.

    Args:
        sums: float, of one dtype, any shapes.
    """
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return sums
    total = torch.cat([one.detach().flatten() for one in sums])
    dist.all_reduce(total)
    parts = total.split([one.numel() for one in sums])
    return tuple(
        part.view_as(one) + dist.get_world_size() * (one - one.detach())
        for part, one in zip(parts, sums, strict=True)
    )


def divide(total: Tensor, count: Tensor) -> Tensor:
    """Return ``total / count``, and `total` where `count` is 0.

    `total` is 0 in that case, with a gradient of 0, where 0 / 0 would give NaN for both.
    """
    return total / torch.where(count > 0, count, 1)

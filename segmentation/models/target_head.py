"""The head for image-level targets: categories and numbers from the encoder's deepest features."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from segmentation.errors import ModelError
from segmentation.targets import TargetColumns

DROPOUT = 0.2


class TargetOutputs(NamedTuple):
    """Outputs of the head for N images, in float32; a part without columns has a width of 0.

    Attributes:
        category: logits (N, categories).
        values: (N, columns), standardised; see `TargetHead.in_units`.
    """

    category: Tensor
    values: Tensor


class TargetHead(nn.Module):
    """Global average pooling, dropout, and a linear layer for categories and one for numbers.

    It is initialised near zero: all categories are equally likely, and every number is the
    training split's mean. It computes in float32, also under autocast.

    Args:
        in_channels: channels of the encoder's deepest features.
        columns: the predicted columns.
        dropout: probability with which a pooled feature is dropped, 0 <= p < 1.

    Raises:
        ModelError: an invalid dropout.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, in_channels: int, columns: TargetColumns, dropout: float = DROPOUT) -> None:
        super().__init__()
        if type(dropout) not in (int, float) or not 0 <= dropout < 1:
            raise ModelError(f"dropout of the targets is {dropout!r}: 0 or more, and below 1.")
        self.columns = columns
        self.dropout = nn.Dropout(dropout)
        self.category = _linear(in_channels, len(columns.categories))
        self.values = _linear(in_channels, len(columns.values))
        # not persistent: they are in the model's description
        self.register_buffer("mean", torch.tensor(columns.mean), persistent=False)
        self.register_buffer("std", torch.tensor(columns.std), persistent=False)

    def forward(self, features: Tensor) -> TargetOutputs:
        """Return the outputs for the encoder's deepest features, N,C,H,W."""
        with torch.autocast(features.device.type, enabled=False):
            pooled = self.dropout(features.float().mean(dim=(2, 3)))
            nothing = pooled.new_zeros(pooled.shape[0], 0)
            return TargetOutputs(
                nothing if self.category is None else self.category(pooled),
                nothing if self.values is None else self.values(pooled),
            )

    def in_units(self, values: Tensor) -> Tensor:
        """Return standardised numbers (N, columns) in the units of their columns."""
        return values * self.std + self.mean


def _linear(in_channels: int, width: int) -> nn.Linear | None:
    if not width:
        return None
    layer = nn.Linear(in_channels, width)
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.zeros_(layer.bias)
    return layer

"""Base of all models: normalisation and padding of images, encoder, image-level targets."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmentation.errors import ModelError
from segmentation.models.encoder import Encoder
from segmentation.models.target_head import DROPOUT, TargetHead, TargetOutputs
from segmentation.targets import TargetColumns


class Outputs(NamedTuple):
    """All outputs of a model for N images.

    Attributes:
        logits: N,C,H,W; None from a model that does not segment.
        targets: image-level targets; None from a model without a head for them.
    """

    logits: Tensor | None
    targets: TargetOutputs | None


class ImageModel(nn.Module, ABC):
    """An encoder that takes raw images of any size.

    Args:
        encoder: the encoder; its mean and std normalise the images.

    Attributes:
        target_head: predicts image-level targets from the deepest features, or None.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.register_buffer("mean", torch.tensor(encoder.mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(encoder.std).view(1, -1, 1, 1))
        self.target_head: TargetHead | None = None

    def set_value_range(self, low: Sequence[float], high: Sequence[float]) -> None:
        """Normalise images whose values are in another range, see `Encoder.set_value_range`."""
        self.encoder.set_value_range(low, high)
        for buffer, values in ((self.mean, self.encoder.mean), (self.std, self.encoder.std)):
            buffer.copy_(torch.tensor(values).view_as(buffer))

    @abstractmethod
    def forward_all(self, images: Tensor) -> Outputs:
        """Return all outputs for images, with a single pass of the encoder.

        Args:
            images: N,C,H,W, uint8 or float, in the range of `mean`; any H and W.

        Raises:
            ModelError: the number of channels is not that of the encoder.
        """

    def padded(self, images: Tensor) -> tuple[Tensor, tuple[int, int] | None]:
        """Normalise images, and pad their sides to multiples of the deepest reduction.

        Padding is at the bottom and the right and repeats the border pixels, which adds no edges
        to the picture.

        Returns:
            Images in channels_last format, and the padded rows and columns; None for none.

        Raises:
            ModelError: the number of channels is not that of the encoder.
        """
        if images.ndim != 4 or images.shape[1] != self.encoder.in_channels:
            raise ModelError(
                f"The model takes images N,{self.encoder.in_channels},H,W, not "
                f"{','.join(map(str, images.shape))}."
            )
        x = ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        deepest = self.encoder.reductions[-1]
        bottom, right = -x.shape[-2] % deepest, -x.shape[-1] % deepest
        # an exported graph is for every size, so it must not branch on this one
        if torch.compiler.is_exporting() or bottom > 0 or right > 0:
            return F.pad(x, (0, right, 0, bottom), mode="replicate"), (bottom, right)
        return x, None


class TargetModel(ImageModel):
    """An encoder with a `TargetHead`, like an image classifier; any H,W in.

    Unlike timm's classifier of the same name it has no layers between the features and the pooling
    (EfficientNet's last 1x1 convolution): they are not part of the pyramid.

    Args:
        encoder: see `UNet`.
        columns, dropout: see `TargetHead`.
    """

    target_head: TargetHead

    def __init__(self, encoder: Encoder, columns: TargetColumns, dropout: float = DROPOUT) -> None:
        super().__init__(encoder)
        self.target_head = TargetHead(encoder.channels[-1], columns, dropout)
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> TargetOutputs:
        """Return the targets of images N,C,H,W, uint8 or float, in the range of `mean`."""
        return self.target_head(self.encoder(self.padded(images)[0])[-1])

    def forward_all(self, images: Tensor) -> Outputs:
        """See `ImageModel.forward_all`; there are no logits of pixels."""
        return Outputs(None, self(images))

"""A model of image-level targets alone: an encoder and the head, no decoder."""

import torch
from torch import Tensor

from segmentation.models.encoder import Encoder
from segmentation.models.image_model import ImageModel, Outputs
from segmentation.models.targets import DROPOUT, TargetHead, TargetOutputs
from segmentation.targets import TargetColumns


class TargetModel(ImageModel):
    """An encoder with a `TargetHead`, as image classifiers are; any H,W in.

    It differs from timm's classifier of the same name where that one has layers between the
    features and the pooling (EfficientNet's last 1x1 convolution): these belong to no pyramid.

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
        """Return the targets of images N,C,H,W, 0..255, uint8 or float."""
        return self.target_head(self.encoder(self.padded(images)[0])[-1])

    def forward_all(self, images: Tensor) -> Outputs:
        """See `ImageModel.forward_all`; there are no logits of pixels."""
        return Outputs(None, self(images))

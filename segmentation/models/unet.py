"""The UNet: normalisation, encoder, decoder and head; any H,W in, the same H,W out."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmentation.classes import VOID
from segmentation.errors import ModelError
from segmentation.models.decoder import Decoder, DecoderOptions
from segmentation.models.encoder import Encoder
from segmentation.models.image_model import ImageModel, Outputs
from segmentation.models.target_head import DROPOUT, TargetHead
from segmentation.targets import TargetColumns


class UNet(ImageModel):
    """A UNet over any encoder, with or without a head for image-level targets.

    The model is in channels_last memory format, which is what convolutions on a CPU and on tensor
    cores are fastest in, and so are its logits. Convolutions of the decoder start as He et al.
    2015 (uniform, fan in), the head as Glorot and Bengio 2010; biases start at 0.

    Args:
        encoder: gives the pyramid, and the mean and std by which images are normalised.
        num_classes: 1 to 254, the channels of the logits.
        columns: the image-level targets that are predicted besides; None for none.
        target_dropout: of their head.
        options: fields of `DecoderOptions`: channels, norm, activation, upsampling, attention,
            dropout, center, full_resolution_skip.

    Raises:
        ModelError: options that do not exist, cannot be, or do not fit the encoder.
    """

    def __init__(
        self,
        encoder: Encoder,
        num_classes: int,
        columns: TargetColumns | None = None,
        target_dropout: float = DROPOUT,
        **options: Any,
    ) -> None:
        super().__init__(encoder)
        if type(num_classes) is not int or not 1 <= num_classes < VOID:
            raise ModelError(f"num_classes={num_classes!r}: a model has 1 to {VOID - 1} classes.")
        self.options = DecoderOptions.from_dict(options)
        self.num_classes = num_classes
        self.decoder = Decoder(encoder.channels, encoder.reductions, self.options)
        self.dropout = nn.Dropout2d(self.options.dropout)
        self.head = nn.Conv2d(self.decoder.out_channels, num_classes, 3, padding=1)
        self._initialise()
        if columns is not None:  # last, so that the rest starts the same with and without
            self.target_head = TargetHead(encoder.channels[-1], columns, target_dropout)
        self.to(memory_format=torch.channels_last)

    def _initialise(self) -> None:
        for module in self.decoder.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.xavier_uniform_(self.head.weight)
        if self.head.bias is not None:
            nn.init.zeros_(self.head.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of images; where images are padded (see `padded`) they are cropped.

        Args:
            images: N,C,H,W, 0..255, uint8 or float; any H and W.

        Returns:
            Logits N,`num_classes`,H,W, float.

        Raises:
            ModelError: the number of channels is not that of the encoder.
        """
        return self._segment(*self._features(images))

    def forward_all(self, images: Tensor) -> Outputs:
        """See `ImageModel.forward_all`."""
        features, padding = self._features(images)
        head = self.target_head
        return Outputs(self._segment(features, padding), head(features[-1]) if head else None)

    def _features(self, images: Tensor) -> tuple[list[Tensor], tuple[int, int] | None]:
        x, padding = self.padded(images)
        return self.encoder(x), padding

    def _segment(self, features: list[Tensor], padding: tuple[int, int] | None) -> Tensor:
        logits = self.head(self.dropout(self.decoder(features)))
        if padding is None:
            return logits
        bottom, right = padding
        # crops by padding with less than nothing: a slice would tie the graph to one size
        return F.pad(logits, (0, -right, 0, -bottom))

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

    The model and its logits are in channels_last memory format, the fastest for convolutions on
    CPUs and tensor cores. Convolutions of the decoder are initialised as in He et al. 2015
    (uniform, fan in), the head as in Glorot and Bengio 2010, biases with 0.

    Args:
        encoder: the encoder; its mean and std normalise the images.
        num_classes: channels of the logits, 1 to 254.
        columns: the image-level targets that are predicted too; None for none.
        target_dropout: dropout of their head.
        options: fields of `DecoderOptions`: channels, norm, activation, upsampling, attention,
            dropout, center, full_resolution_skip.

    Raises:
        ConfigError: an unknown option or an invalid value.
        ModelError: options that don't fit the encoder, or an invalid `num_classes`.
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
        """Return the logits of images, cropped to their size if they were padded (see `padded`).

        Args:
            images: N,C,H,W, 0..255, uint8 or float; any H and W.

        Returns:
            Logits N,`num_classes`,H,W, float.

        Raises:
            ModelError: the number of channels is not the encoder's.
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
        # crops by negative padding: a slice would tie an exported graph to one size
        return F.pad(logits, (0, -right, 0, -bottom))

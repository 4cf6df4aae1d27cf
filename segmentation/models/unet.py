"""The UNet: normalisation, encoder, decoder and head; any H,W in, the same H,W out."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmentation.classes import VOID
from segmentation.errors import ModelError
from segmentation.models.decoder import Decoder, DecoderOptions
from segmentation.models.encoder import Encoder


class UNet(nn.Module):
    """A UNet over any encoder.

    The model is in channels_last memory format, which is what convolutions on a CPU and on tensor
    cores are fastest in, and so are its logits. Convolutions of the decoder start as He et al.
    2015 (uniform, fan in), the head as Glorot and Bengio 2010; biases start at 0.

    Args:
        encoder: gives the pyramid, and the mean and std by which images are normalised.
        num_classes: 1 to 254, the channels of the logits.
        options: fields of `DecoderOptions`: channels, norm, activation, upsampling, attention,
            dropout, center, full_resolution_skip.

    Raises:
        ModelError: options that do not exist, cannot be, or do not fit the encoder.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, encoder: Encoder, num_classes: int, **options: Any) -> None:
        super().__init__()
        if type(num_classes) is not int or not 1 <= num_classes < VOID:
            raise ModelError(f"num_classes={num_classes!r}: a model has 1 to {VOID - 1} classes.")
        self.options = DecoderOptions.from_dict(options)
        self.num_classes = num_classes
        self.encoder = encoder
        self.decoder = Decoder(encoder.channels, encoder.reductions, self.options)
        self.dropout = nn.Dropout2d(self.options.dropout)
        self.head = nn.Conv2d(self.decoder.out_channels, num_classes, 3, padding=1)
        self.register_buffer("mean", torch.tensor(encoder.mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(encoder.std).view(1, -1, 1, 1))
        self._initialise()
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
        """Return the logits of images.

        An H or W that the deepest reduction does not divide is padded at the bottom or the right,
        and the logits are cropped. The padding repeats the border pixels, so that it adds no edge
        that the picture does not have.

        Args:
            images: N,C,H,W, 0..255, uint8 or float; any H and W.

        Returns:
            Logits N,`num_classes`,H,W, float.

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
        # an exported graph serves every size, so it must not hold the answer for one
        uneven = torch.compiler.is_exporting() or bottom > 0 or right > 0
        if uneven:
            x = F.pad(x, (0, right, 0, bottom), mode="replicate")
        logits = self.head(self.dropout(self.decoder(self.encoder(x))))
        # crops by padding with less than nothing: a slice would tie the graph to one size
        return F.pad(logits, (0, -right, 0, -bottom)) if uneven else logits

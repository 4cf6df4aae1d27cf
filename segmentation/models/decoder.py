"""The UNet decoder: its options, and the path from the deepest features to full resolution."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, cast

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from segmentation.errors import ModelError, validating
from segmentation.models.blocks import (
    Activation,
    Attention,
    Norm,
    Upsampling,
    attention_block,
    conv_block,
    upsampled_conv,
    upsampling_block,
)

MAX_WIDTH = 4096
"""Most channels of a decoder block: far above any use; an invalid file can't exhaust memory."""

Width = Annotated[int, Field(ge=1, le=MAX_WIDTH)]


class DecoderOptions(BaseModel):
    """The options of a decoder.

    Attributes:
        channels: 1 to 8 widths at reductions ..., 16, 8, 4, 2, 1, ending at full resolution. An
            encoder that ends at reduction 32 uses five, one that ends at 16 the last four.
        norm: normalisation after each convolution.
        activation: non-linearity after each normalisation.
        upsampling: ``"transpose"`` is learnt.
        attention: on each block's input and output.
        dropout: probability with which a channel is dropped before the head, 0 <= p < 1.
        center: two more convolutions on the deepest features.
        full_resolution_skip: use the encoder's features at reduction 1, where it has them.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    channels: Annotated[
        tuple[Width, ...], Field(strict=False, min_length=1, max_length=8)  # lists too
    ] = (256, 128, 64, 32, 16)
    norm: Norm = "batch"
    activation: Activation = "relu"
    upsampling: Upsampling = "nearest"
    attention: Attention = "none"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    center: bool = False
    full_resolution_skip: bool = True

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "DecoderOptions":
        """Build options from the values of a configuration.

        Raises:
            ConfigError: an unknown option or an invalid value.
        """
        with validating("decoder", cls.model_fields):
            return cls.model_validate(values)


class DecoderBlock(nn.Module):
    """Double the resolution, join the skip connection, convolve twice.

    Args:
        in_channels: channels of the deeper features.
        skip_channels: channels of the skip connection; 0 for none.
        out_channels: channels of the output.
        options: norm, activation, upsampling and attention.
    """

    def __init__(
        self, in_channels: int, skip_channels: int, out_channels: int, options: DecoderOptions
    ) -> None:
        super().__init__()
        joined = in_channels + skip_channels
        self.upsample = upsampling_block(options.upsampling, in_channels)
        self._is_separable = options.upsampling == "nearest" and options.attention == "none"
        # attention weights the skip connection against the deeper features
        self.attention1 = attention_block(options.attention if skip_channels else "none", joined)
        self.conv1 = conv_block(joined, out_channels, options.norm, options.activation)
        self.conv2 = conv_block(out_channels, out_channels, options.norm, options.activation)
        self.attention2 = attention_block(options.attention, out_channels)

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        """Join deeper features N,C,H,W with a skip connection of twice their H and W."""
        if self._is_separable and is_large(x):
            conv, norm, activation = self.conv1
            x = activation(norm(upsampled_conv(x, skip, cast(nn.Conv2d, conv))))
        else:
            x = self.upsample(x)
            if skip is not None:
                x = torch.cat([x, skip], dim=1)
            x = self.conv1(self.attention1(x))
        return self.attention2(self.conv2(x))


def is_large(x: Tensor) -> bool:
    """Return whether `upsampled_conv` gains time on features N,C,H,W: see docs/performance.md.

    Its kernel is 16/9 as large, which has to be read and, in training, differentiated; with fewer
    positions than channels that costs more than is saved. The batch does not count, so that an
    image's logits do not depend on it.
    """
    # an exported graph is for every size, so it must not branch on this one
    return torch.compiler.is_exporting() or x.shape[2] * x.shape[3] >= x.shape[1]


class Decoder(nn.Module):
    """Turns a pyramid of features into features at the image's own resolution.

    Ronneberger, Fischer and Brox 2015, arXiv:1505.04597, with padded convolutions. There is one
    block for each halving of the deepest reduction. A block has a skip connection where the
    encoder has features at its reduction, so encoders that start at 1, 2 or 4 all fit.

    Args:
        channels: channels of the encoder's features, shallow to deep.
        reductions: reductions of the encoder's features: strictly rising powers of two.
        options: the options of the blocks.

    Raises:
        ModelError: fewer widths than blocks.
    """

    def __init__(
        self, channels: tuple[int, ...], reductions: tuple[int, ...], options: DecoderOptions
    ) -> None:
        super().__init__()
        # one width for each halving of the deepest reduction
        count = int(math.log2(reductions[-1]))
        if len(options.channels) < count:
            raise ModelError(
                f"decoder.channels={list(options.channels)} has {len(options.channels)} widths; "
                f"this encoder ends at reduction {reductions[-1]} and needs {count}."
            )
        widths = options.channels[-count:]

        # a skip connection wherever the encoder has features at a block's reduction
        skips = dict(zip(reductions, channels, strict=True))
        if not options.full_resolution_skip:
            skips.pop(1, None)
        block_reductions = [2**i for i in reversed(range(count))]
        self._skip_index = [reductions.index(r) if r in skips else None for r in block_reductions]

        # blocks from deep to shallow, each fed by the one before
        deepest = channels[-1]
        self.center = nn.Sequential()
        if options.center:
            for _ in range(2):
                self.center.append(conv_block(deepest, deepest, options.norm, options.activation))
        self.blocks = nn.ModuleList(
            DecoderBlock(inner, skips.get(reduction, 0), outer, options)
            for inner, outer, reduction in zip(
                (deepest, *widths), widths, block_reductions, strict=False
            )
        )
        self.out_channels = widths[-1]

    def forward(self, features: list[Tensor]) -> Tensor:
        """Turn features N,C,H,W, shallow to deep, into N,`out_channels`,H,W at reduction 1."""
        x = self.center(features[-1])
        for block, index in zip(self.blocks, self._skip_index, strict=True):
            x = block(x, None if index is None else features[index])
        return x

"""The UNet decoder: its options, and the way from the deepest features to full resolution."""

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from segmentation.errors import ModelError, did_you_mean
from segmentation.models.blocks import (
    ACTIVATIONS,
    ATTENTIONS,
    NORMS,
    UPSAMPLINGS,
    attention_block,
    conv_block,
    upsampling_block,
)

MAX_WIDTH = 4096
"""Most channels of a decoder block: far above any use, so that a bad file cannot ask for all."""


@dataclass(frozen=True)
class DecoderOptions:
    """Everything about a decoder that can be chosen.

    Args:
        channels: widths at reductions ..., 16, 8, 4, 2, 1: the last is that at full resolution. An
            encoder that ends at 32 uses five, one that ends at 16 the last four.
        norm: ``"batch"``, ``"group"`` or ``"none"``.
        activation: ``"relu"``, ``"leaky_relu"``, ``"silu"`` or ``"gelu"``.
        upsampling: ``"nearest"``, ``"bilinear"`` or ``"transpose"`` (learnt).
        attention: ``"none"`` or ``"scse"``.
        dropout: probability with which a channel is dropped before the head, 0 <= p < 1.
        center: two more convolutions on the deepest features.
        full_resolution_skip: use the encoder's features at reduction 1, where it has such.

    Raises:
        ModelError: a value that is none of these.
    """

    channels: tuple[int, ...] = (256, 128, 64, 32, 16)
    norm: str = "batch"
    activation: str = "relu"
    upsampling: str = "nearest"
    attention: str = "none"
    dropout: float = 0.0
    center: bool = False
    full_resolution_skip: bool = True

    def __post_init__(self) -> None:
        channels = self.channels
        if (
            not isinstance(channels, list | tuple)
            or not 1 <= len(channels) <= 8
            or not all(type(c) is int and 1 <= c <= MAX_WIDTH for c in channels)
        ):
            raise ModelError(
                f"decoder.channels={channels!r}: give 1 to 8 widths of 1 to {MAX_WIDTH}, as "
                "decoder.channels=[256,128,64,32,16]."
            )
        object.__setattr__(self, "channels", tuple(channels))
        for name, known in (
            ("norm", NORMS),
            ("activation", ACTIVATIONS),
            ("upsampling", UPSAMPLINGS),
            ("attention", ATTENTIONS),
        ):
            value = getattr(self, name)
            if not isinstance(value, str) or value not in known:
                raise ModelError(
                    f"decoder.{name}={value!r} is not known; use one of {', '.join(known)}."
                )
        if type(self.dropout) not in (int, float) or not 0 <= self.dropout < 1:
            raise ModelError(f"decoder.dropout={self.dropout!r}: a probability of 0 to below 1.")
        for name in ("center", "full_resolution_skip"):
            if not isinstance(getattr(self, name), bool):
                raise ModelError(f"decoder.{name}={getattr(self, name)!r}: use true or false.")

    @classmethod
    def from_dict(cls, values: dict) -> "DecoderOptions":
        """Build options from plain values, as a configuration or a model's JSON holds them.

        Raises:
            ModelError: an option that does not exist, or a value that cannot be.
        """
        known = [field.name for field in fields(cls)]
        for key in values:
            if key not in known:
                raise ModelError(f"decoder.{key} does not exist.{did_you_mean(str(key), known)}")
        return cls(**values)


class DecoderBlock(nn.Module):
    """Double the resolution, join the skip connection, convolve twice.

    Args:
        in_channels: of the deeper features.
        skip_channels: of the skip connection; 0 where there is none.
        out_channels: of the result.
        options: norm, activation, upsampling and attention.
    """

    def __init__(
        self, in_channels: int, skip_channels: int, out_channels: int, options: DecoderOptions
    ) -> None:
        super().__init__()
        joined = in_channels + skip_channels
        self.upsample = upsampling_block(options.upsampling, in_channels)
        # attention weighs the skip connection against the deeper features: no use without one
        self.attention1 = attention_block(options.attention if skip_channels else "none", joined)
        self.conv1 = conv_block(joined, out_channels, options.norm, options.activation)
        self.conv2 = conv_block(out_channels, out_channels, options.norm, options.activation)
        self.attention2 = attention_block(options.attention, out_channels)

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        """Join deeper features N,C,H,W with a skip connection of twice their H and W."""
        x = self.upsample(x)
        if skip is not None:
            x = torch.cat([x, skip], dim=1)
        return self.attention2(self.conv2(self.conv1(self.attention1(x))))


class Decoder(nn.Module):
    """From a pyramid of features to features at the image's own resolution.

    Ronneberger, Fischer and Brox 2015, arXiv:1505.04597, with padded convolutions. There is one
    block for each halving of the deepest reduction. A block has a skip connection where the
    encoder has features at its reduction, so encoders that start at 1, 2 or 4 all fit.

    Args:
        channels: of the encoder's features, shallow to deep.
        reductions: of the encoder's features: powers of two that rise strictly.
        options: the rest.

    Raises:
        ModelError: fewer widths than there are blocks.
    """

    def __init__(
        self, channels: tuple[int, ...], reductions: tuple[int, ...], options: DecoderOptions
    ) -> None:
        super().__init__()
        count = int(math.log2(reductions[-1]))
        if len(options.channels) < count:
            raise ModelError(
                f"decoder.channels={list(options.channels)} has {len(options.channels)} widths; "
                f"this encoder ends at reduction {reductions[-1]} and needs {count}."
            )
        widths = options.channels[-count:]
        skips = dict(zip(reductions, channels, strict=True))
        if not options.full_resolution_skip:
            skips.pop(1, None)
        block_reductions = [2**i for i in reversed(range(count))]
        self._skip_index = [reductions.index(r) if r in skips else None for r in block_reductions]
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

"""Building blocks of a UNet decoder: convolution, attention, upsampling."""

import math
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

Norm = Literal["batch", "group", "none"]
Activation = Literal["relu", "leaky_relu", "silu", "gelu"]
Upsampling = Literal["nearest", "bilinear", "transpose"]
Attention = Literal["none", "scse"]

ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
}


def conv_block(
    in_channels: int, out_channels: int, norm: Norm, activation: Activation
) -> nn.Sequential:
    """Return a 3x3 convolution, its normalisation and its activation.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        norm: ``"group"`` has at most 8 groups (Wu and He 2018) and does not depend on the batch;
            the convolution has a bias with ``"none"`` alone.
        activation: the non-linearity.
    """
    conv = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=norm == "none")
    normalise: nn.Module = nn.Identity()
    if norm == "batch":
        normalise = nn.BatchNorm2d(out_channels)
    elif norm == "group":
        normalise = nn.GroupNorm(math.gcd(out_channels, 8), out_channels)
    # saves a copy of the widest tensors; GELU alone has no in-place form
    in_place = {} if activation == "gelu" else {"inplace": True}
    return nn.Sequential(conv, normalise, ACTIVATIONS[activation](**in_place))


def upsampled_conv(x: Tensor, skip: Tensor | None, conv: nn.Conv2d) -> Tensor:
    """Convolve nearest-upsampled features joined with a skip connection, writing neither.

    Each output pixel meets the 3x3 kernel on at most 2x2 pixels of `x`, so the kernel's weights on
    equal pixels are added first: a transposed convolution with a 4x4 kernel, stride 2 and padding
    1, has 16 multiplications for each pixel of `x` in place of 36. Equal to rounding to
    ``conv(torch.cat([upsample(x), skip], dim=1))``.

    Args:
        x: features N,C,H,W.
        skip: features N,D,2H,2W, or None.
        conv: a 3x3 convolution of C + D channels with padding 1.

    Returns:
        N,E,2H,2W for the E output channels of `conv`.
    """
    channels = x.shape[1]
    kernel = F.pad(conv.weight[:, :channels].flip(2, 3).transpose(0, 1), (1, 1, 1, 1))
    rows = kernel[:, :, 1:] + kernel[:, :, :-1]
    kernel = rows[..., 1:] + rows[..., :-1]
    deep = F.conv_transpose2d(x, kernel, conv.bias, stride=2, padding=1)
    if skip is None:
        return deep
    return deep + F.conv2d(skip, conv.weight[:, channels:], padding=1)


class ScSE(nn.Module):
    """Concurrent spatial and channel squeeze and excitation, the two added.

    Roy, Navab and Wachinger 2018, arXiv:1803.02579, with the channels squeezed by 16.

    Args:
        channels: channels of the features, whose shape N,C,H,W is kept.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = max(1, channels // 16)
        self.channel = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(squeezed, channels, 1),
            nn.Sigmoid(),
        )
        self.spatial = nn.Sequential(nn.Conv2d(channels, 1, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """Weight features N,C,H,W by channel and by position."""
        return x * (self.channel(x) + self.spatial(x))


def attention_block(kind: Attention, channels: int) -> nn.Module:
    """Return an attention block; it keeps the shape of its input."""
    return ScSE(channels) if kind == "scse" else nn.Identity()


def upsampling_block(kind: Upsampling, channels: int) -> nn.Module:
    """Return a block that doubles H and W and keeps the channels.

    ``"transpose"`` is the learnt 2x2 up-convolution of Ronneberger et al. 2015.
    """
    if kind == "transpose":
        return nn.ConvTranspose2d(channels, channels, 2, stride=2)
    return nn.Upsample(scale_factor=2, mode=kind)

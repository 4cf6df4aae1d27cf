"""What a UNet decoder is made of: convolution blocks, attention, upsampling."""

import math

from torch import Tensor, nn

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
}
NORMS = ("batch", "group", "none")
UPSAMPLINGS = ("nearest", "bilinear", "transpose")
ATTENTIONS = ("none", "scse")


def conv_block(in_channels: int, out_channels: int, norm: str, activation: str) -> nn.Sequential:
    """Return a 3x3 convolution, its normalisation and its activation.

    Args:
        in_channels: channels that come in.
        out_channels: channels that go out.
        norm: one of `NORMS`; ``"group"`` has at most 8 groups (Wu and He 2018) and does not depend
            on the batch; the convolution has a bias only with ``"none"``.
        activation: one of `ACTIVATIONS`.
    """
    conv = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=norm == "none")
    normalise: nn.Module = nn.Identity()
    if norm == "batch":
        normalise = nn.BatchNorm2d(out_channels)
    elif norm == "group":
        normalise = nn.GroupNorm(math.gcd(out_channels, 8), out_channels)
    # saves one copy of the widest tensors; GELU alone has no such form
    in_place = {} if activation == "gelu" else {"inplace": True}
    return nn.Sequential(conv, normalise, ACTIVATIONS[activation](**in_place))


class ScSE(nn.Module):
    """Concurrent spatial and channel squeeze and excitation, the two added.

    Roy, Navab and Wachinger 2018, arXiv:1803.02579, with the channels squeezed by 16.

    Args:
        channels: of the features, which keep their shape N,C,H,W.
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
        """Weigh features N,C,H,W by channel and by place."""
        return x * (self.channel(x) + self.spatial(x))


def attention_block(kind: str, channels: int) -> nn.Module:
    """Return the attention of that kind (one of `ATTENTIONS`) for so many channels."""
    return ScSE(channels) if kind == "scse" else nn.Identity()


def upsampling_block(kind: str, channels: int) -> nn.Module:
    """Return what doubles H and W and keeps the channels; `kind` is one of `UPSAMPLINGS`.

    ``"transpose"`` is the learnt 2x2 up-convolution of Ronneberger et al. 2015.
    """
    if kind == "transpose":
        return nn.ConvTranspose2d(channels, channels, 2, stride=2)
    return nn.Upsample(scale_factor=2, mode=kind)

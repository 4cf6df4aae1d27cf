"""TensorFlow's SAME convolutions with a padding that does not depend on the image's size."""

import torch.nn.functional as F
from timm.layers import Conv2dSame
from torch import Tensor, nn


class FixedSameConv2d(nn.Conv2d):
    """A SAME convolution for H and W that its stride divides: there the padding is a constant.

    It takes the place, the weights and the result of timm's `Conv2dSame`, which works its padding
    out from each input: `torch.export` cannot follow that through a network whose H and W are free.

    Args:
        conv: the convolution to replace; the weights are shared, not copied.
    """

    def __init__(self, conv: Conv2dSame) -> None:
        super().__init__(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,  # type: ignore[arg-type]
            conv.stride,  # type: ignore[arg-type]
            dilation=conv.dilation,  # type: ignore[arg-type]
            groups=conv.groups,
            bias=conv.bias is not None,
            device="meta",
        )
        self.weight, self.bias = conv.weight, conv.bias
        totals = [
            max(d * (k - 1) + 1 - s, 0)
            for k, s, d in zip(conv.kernel_size, conv.stride, conv.dilation, strict=True)
        ]
        # F.pad begins with the last dimension: left, right, top, bottom
        self.same = [side for t in reversed(totals) for side in (t // 2, t - t // 2)]

    def forward(self, x: Tensor) -> Tensor:
        """Convolve N,C,H,W to N,C',H/stride,W/stride."""
        return super().forward(F.pad(x, self.same))


def fix_same_padding(module: nn.Module) -> None:
    """Replace every `Conv2dSame` in a timm model; the names of its weights stay."""
    for name, child in module.named_children():
        if isinstance(child, Conv2dSame):
            setattr(module, name, FixedSameConv2d(child))
        else:
            fix_same_padding(child)

"""Encoders: any timm model with a pyramid of features."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmentation.errors import ModelError, did_you_mean
from segmentation.models.timm_import import timm
from segmentation.models.weights import IMAGENET_MEAN, PACKAGE_MEAN, Weights, resolve
from segmentation.models.weights_files import load_body

Conv2dSame = timm.layers.Conv2dSame

_BUFFERS = ("mean", "std")  # of a UNet: the normalisation that travels with its weights


@dataclass(frozen=True)
class Pyramid:
    """The feature pyramid of a timm model, inspected without allocating its weights.

    Args:
        channels: channels of each feature, shallow to deep.
        reductions: stride of each feature against the image.
        nhwc: whether features are N,H,W,C.
        size: the only H,W that the model takes; None for any.
        options: arguments for `timm.create_model`.
    """

    channels: tuple[int, ...]
    reductions: tuple[int, ...]
    nhwc: bool
    size: tuple[int, int] | None
    options: dict[str, Any]


class Encoder(nn.Module):
    """A timm model as a feature pyramid.

    Args:
        name: a model of `timm.list_models()`, with or without a tag (``resnet34.tv_in1k``).
        in_channels: channels of the image, 1 or more. Pretrained weights for RGB are adapted like
            timm does: summed for one channel, else repeated R,G,B,R,... and scaled.
        weights: ``"auto"``, ``"imagenet"``, ``"none"`` or a path: see `weights.resolve`.

    Attributes:
        channels: channels of each feature, shallow to deep.
        reductions: stride of each feature: powers of two, rising strictly from 1, 2 or 4.
        mean, std: one value for each input channel in 0..255, such that the weights were trained
            on `(image - mean) / std`. For one channel the mean over R, G and B; for other counts
            than 3 repeated R,G,B,R,... like the weights.
        source: origin of the weights, in one line.
        pretrained: False where the weights are random.
        fixed_size: the only (height, width) that the encoder takes; None: any.
        of_bytes: whether mean and std are for values in 0..255; else they come from a model of this
            project, and are for the values of the images that it was trained on.

    Raises:
        ModelError: timm has no such model, it has no suitable pyramid, or the weights are not
            available.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __init__(self, name: str, in_channels: int = 3, weights: str = "auto") -> None:
        super().__init__()
        if not isinstance(in_channels, int) or in_channels < 1:
            raise ModelError(f"in_channels={in_channels!r}: an image has 1 channel or more.")
        pyramid = inspect(name, in_channels)
        chosen = resolve(name, weights)
        self.name, self.in_channels = name, in_channels
        self.channels, self.reductions = pyramid.channels, pyramid.reductions
        self.source, self.pretrained = chosen.source, chosen.pretrained
        self._nhwc, self.fixed_size = pyramid.nhwc, pyramid.size

        self.body = _create(name, pyramid.options, chosen)
        fix_same_padding(self.body)
        mean, std = chosen.mean, chosen.std
        if chosen.state is not None:
            prefix = load_body(self.body, chosen.state, in_channels, chosen.source)
            model = prefix.removesuffix("encoder.body.")
            if model != prefix and f"{model}mean" in chosen.state:  # a file of this project
                mean, std = (tuple(chosen.state[model + k].flatten().tolist()) for k in _BUFFERS)
        self.mean, self.std = spread(mean, in_channels), spread(std, in_channels)
        self.of_bytes = _of_bytes(mean, name)

    def set_value_range(self, low: Sequence[float], high: Sequence[float]) -> None:
        """Normalise images whose values are in another range than 0..255.

        What becomes of `low` and `high` is what the weights know of 0 and 255. A normalisation that
        came with the weights for such values is kept.

        Args:
            low, high: of each input channel.
        """
        if not self.of_bytes:
            return
        scales = [(end - begin) / 255 for begin, end in zip(low, high, strict=True)]
        self.mean = tuple(
            begin + mean * scale for begin, mean, scale in zip(low, self.mean, scales, strict=True)
        )
        self.std = tuple(std * scale for std, scale in zip(self.std, scales, strict=True))
        self.of_bytes = False

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the features, N,C,H,W, shallow to deep, of normalised float images N,C,H,W.

        H and W must be multiples of the deepest reduction; `UNet` pads to that.

        Raises:
            ModelError: the model takes images of one size only, not this one.
        """
        if self.fixed_size is not None and tuple(images.shape[-2:]) != self.fixed_size:
            height, width = self.fixed_size
            raise ModelError(
                f"Encoder {self.name} takes images of {height}x{width} only, not "
                f"{images.shape[-2]}x{images.shape[-1]}. Use data.size=[{height},{width}] and no "
                "data.crop, or another encoder."
            )
        features = self.body(images)
        return [f.permute(0, 3, 1, 2) for f in features] if self._nhwc else features


def _create(name: str, options: dict[str, Any], weights: Weights) -> nn.Module:
    if weights.file is None:
        return timm.create_model(name, **options)
    overlay = {"file": str(weights.file)}
    try:
        return timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **options)
    except Exception as error:  # a damaged file: each format has its own errors
        raise ModelError(
            f"{weights.source}: {weights.file} can't be loaded ({error}). Remove it and try again."
        ) from error


def inspect(name: str, in_channels: int = 3) -> Pyramid:
    """Inspect the feature pyramid of a timm model.

    Raises:
        ModelError: timm has no such model, or its features are not a pyramid for a UNet.
    """
    _check_name(name)
    options: dict[str, Any] = {"features_only": True, "in_chans": in_channels}
    size = None
    try:
        with torch.device("meta"):
            body: Any = timm.create_model(name, **options)
            if body.pretrained_cfg.get("fixed_input_size"):
                body, options = _flexible(name, body, options)
                native = tuple(body.pretrained_cfg["input_size"][1:])
                size = None if _takes_any_size(body, in_channels, native) else native
    except Exception as error:  # timm's many constructors raise errors of their own
        raise ModelError(f"timm has no features of {name}: {error}") from error
    reductions = tuple(body.feature_info.reduction())
    _check_reductions(name, reductions)
    nhwc = getattr(body, "output_fmt", timm.layers.Format.NCHW) == timm.layers.Format.NHWC
    return Pyramid(tuple(body.feature_info.channels()), reductions, nhwc, size, options)


def _check_name(name: str) -> None:
    arch, _, tag = str(name).partition(".")
    if not timm.is_model(arch):  # nor names of a hub or a folder (hf-hub:, local-dir:)
        raise ModelError(
            f"timm has no model {name!r}.{did_you_mean(arch, timm.list_models())} "
            "encoder=timm takes any name of timm.list_models()."
        )
    if tag and name not in (tagged := timm.list_pretrained(f"{arch}.*")):
        known = ", ".join(tagged) or "no tagged weights"
        raise ModelError(f"timm has no weights {name!r} for {arch}: it has {known}.")


def _flexible(name: str, body: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Rebuild a model of fixed input size with a flexible one, if its class supports that."""
    flexible = options | {"strict_img_size": False}
    try:
        return timm.create_model(name, **flexible), flexible
    except TypeError:  # the constructor has no such argument
        return body, options


def _takes_any_size(body: nn.Module, in_channels: int, native: tuple[int, int]) -> bool:
    """Try a size other than the native one, on the meta device."""
    try:
        body.eval()(torch.empty(1, in_channels, native[0] + 64, native[1] + 128))
    except Exception:  # an assertion, or mismatched shapes: each model has its own
        return False
    return True


def _check_reductions(name: str, reductions: tuple[int, ...]) -> None:
    strides = ", ".join(map(str, reductions))
    rising = all(a < b for a, b in pairwise(reductions))
    powers = all(r.bit_count() == 1 for r in reductions)
    if reductions[0] in (1, 2, 4) and rising and powers:
        return
    raise ModelError(
        f"{name} gives features at reductions {strides}: a UNet needs a pyramid whose reductions "
        "are powers of two, rising strictly from 1, 2 or 4, like that of encoder=resnet34 or "
        "encoder=swin_tiny."
    )


def _of_bytes(mean: tuple[float, ...], name: str) -> bool:
    """Tell whether a mean is one of those that ImageNet's weights come with."""
    cfg = timm.get_pretrained_cfg(name)
    own = tuple(255 * value for value in cfg.mean) if cfg else IMAGENET_MEAN
    known = {spread(one, len(mean)) for one in (own, IMAGENET_MEAN, PACKAGE_MEAN)}
    return any(
        all(math.isclose(a, b, rel_tol=1e-4) for a, b in zip(mean, one, strict=True))
        for one in known
    )


def spread(values: tuple[float, ...], in_channels: int) -> tuple[float, ...]:
    """Return a value for each input channel from those of R, G and B."""
    if in_channels == 1 and len(values) == 3:
        return (sum(values) / 3,)
    return tuple(values[i % len(values)] for i in range(in_channels))


class FixedSameConv2d(nn.Conv2d):
    """A SAME convolution with constant padding, for H and W that its stride divides.

    It replaces timm's `Conv2dSame`, with the same weights and results. That one computes its
    padding from each input, which `torch.export` can't trace for dynamic H and W.

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
    """Replace every `Conv2dSame` in a timm model; the names of its weights are kept."""
    for name, child in module.named_children():
        if isinstance(child, Conv2dSame):
            setattr(module, name, FixedSameConv2d(child))
        else:
            fix_same_padding(child)

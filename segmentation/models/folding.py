"""Fold batch norm into the convolutions before it, for inference.

In evaluation mode batch norm is a factor and an offset for each channel, which the weights and the
bias of a convolution can carry (Jacob et al. 2018, arXiv:1712.05877, section 3.2).
"""

import logging
from itertools import pairwise
from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from segmentation.models.encoder import FixedSameConv2d
from segmentation.models.image_model import ImageModel
from segmentation.models.timm_import import timm

log = logging.getLogger(__name__)

CONVOLUTIONS = (nn.Conv2d, FixedSameConv2d)
"""Convolutions that are linear in their weights; some subclasses standardise them first."""
NORMS = (nn.BatchNorm2d, timm.layers.BatchNormAct2d)
TOLERANCE = 1e-3
"""Largest change of an output by folding, as a share of the largest output."""

Pair = tuple[nn.Conv2d, nn.BatchNorm2d]


@torch.inference_mode(False)  # whose tensors have no version counters
@torch.no_grad()
def fold_batch_norm(model: ImageModel) -> int:
    """Fold the batch norms that directly follow a convolution; return how many were folded.

    Which do is seen from a small image that passes through the model, whose outputs are compared
    afterwards. The activation inside timm's `BatchNormAct2d` stays.

    Args:
        model: in evaluation mode, on the CPU; is changed. If its outputs would change by more than
            rounding, a warning is logged and it is left as it was.
    """
    if not any(type(module) in NORMS for module in model.modules()):
        return 0
    image = _random_image(model)
    before, pairs = _watch(model, image)
    pairs |= dict.fromkeys(_adjacent(model))
    paths = [
        (name, module)
        for name, module in model.named_modules(remove_duplicate=False)
        if type(module) in NORMS
    ]
    kept = [(conv, conv.weight, conv.bias) for conv, _ in pairs]
    for conv, norm in pairs:
        assert norm.running_mean is not None
        assert norm.running_var is not None
        statistics = norm.running_mean, norm.running_var, norm.eps
        conv.weight, conv.bias = fuse_conv_bn_weights(
            conv.weight, conv.bias, *statistics, norm.weight, norm.bias
        )
    folded = {norm for _, norm in pairs}
    for name, norm in paths:
        if norm in folded:
            model.set_submodule(name, getattr(norm, "act", nn.Identity()))
    if _equal(before, _outputs(model, image)):
        return len(pairs)

    # Put everything back.
    for conv, weight, bias in kept:
        conv.weight, conv.bias = weight, bias
    for name, norm in paths:
        model.set_submodule(name, norm)
    log.warning(
        "batch norm of encoder %s cannot be folded into its convolutions: predictions take longer",
        model.encoder.name,
    )
    return 0


def _random_image(model: ImageModel) -> Tensor:
    encoder = model.encoder
    side = 2 * encoder.reductions[-1]
    noise = torch.randn(
        1,
        encoder.in_channels,
        *(encoder.fixed_size or (side, side)),
        generator=torch.Generator().manual_seed(0),
    )
    return model.mean + model.std * noise


def _outputs(model: ImageModel, image: Tensor) -> list[Tensor]:
    logits, targets = model.forward_all(image)
    return [part for part in (logits, *(targets or ())) if part is not None and part.numel()]


def _equal(before: list[Tensor], after: list[Tensor]) -> bool:
    return all(
        float((old - new).abs().max()) <= TOLERANCE * float(old.abs().max())
        for old, new in zip(before, after, strict=True)
    )


def _watch(model: ImageModel, image: Tensor) -> tuple[list[Tensor], dict[Pair, None]]:
    """Return the outputs for an image, and each convolution with the norm that got its output."""
    made: dict[int, tuple[nn.Conv2d, Tensor, int]] = {}
    calls: list[nn.Module] = []
    pairs: dict[Pair, None] = {}

    def leave(module: nn.Conv2d, _: object, output: Tensor) -> None:
        calls.append(module)
        made[id(output)] = module, output, output._version  # kept, so that no id comes twice

    def enter(module: nn.BatchNorm2d, inputs: tuple[Tensor, ...]) -> None:
        calls.append(module)
        conv, _, version = made.get(id(inputs[0]), (None, None, -1))
        if conv is not None and inputs[0]._version == version:  # nothing in place between them
            pairs[conv, module] = None

    handles = []
    for module in model.modules():
        if module._forward_hooks or module._forward_pre_hooks:
            continue  # timm takes features there
        if _is_convolution(module):
            handles.append(module.register_forward_hook(leave))
        elif _is_norm(module):
            handles.append(module.register_forward_pre_hook(enter))
    try:
        outputs = _outputs(model, image)
    finally:
        for handle in handles:
            handle.remove()
    once = {module for module in calls if calls.count(module) == 1}
    return outputs, {pair: None for pair in pairs if once.issuperset(pair)}


def _adjacent(model: ImageModel) -> list[Pair]:
    """Return the pairs of the decoder, which may use a convolution's weights without calling it."""
    return [
        (first, second)
        for block in getattr(model, "decoder", nn.Module()).modules()
        if type(block) is nn.Sequential
        for first, second in pairwise(block)
        if _is_convolution(first) and _is_norm(second)
    ]


def _is_convolution(module: nn.Module) -> TypeGuard[nn.Conv2d]:
    return type(module) in CONVOLUTIONS


def _is_norm(module: nn.Module) -> TypeGuard[nn.BatchNorm2d]:
    return type(module) in NORMS and module.running_mean is not None

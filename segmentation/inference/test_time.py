"""Test-time augmentation: average a model's predictions over several views of an image."""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmentation.errors import ConfigError
from segmentation.inference.options import InferenceOptions
from segmentation.inference.sliding_window import logarithm, softmax, windowed_logits
from segmentation.inference.wrapper import WrappedModel, outputs
from segmentation.models import ImageModel, Outputs, TargetModel, TargetOutputs


def averaged(model: nn.Module, options: InferenceOptions) -> nn.Module:
    """Wrap a model so that it averages over views; without views return the model itself.

    Args:
        model: see `AveragedModel`.
        options: the views.

    Raises:
        ConfigError: windows for a model that does not segment: its targets are of whole images.
    """
    if options.window is not None and isinstance(model, TargetModel):
        raise ConfigError(
            "window: this model predicts targets of whole images, not labels of pixels. "
            "Omit it, or pass window=null."
        )
    return model if options.plain else AveragedModel(model, options)


class AveragedModel(WrappedModel):
    """Averages the probabilities over scales, flips and windows (Chen et al. 2017, section 4).

    The logits of a view are flipped and resized back to the image (bilinear, pixel centres
    aligned), and their softmax is averaged. The logarithm of the average is returned: its softmax
    and argmax are those of the average. Views are computed one after the other. Image-level targets
    are averaged over the scales and flips of whole images: categories as probabilities, numbers
    directly.

    Args:
        model: an `ImageModel`, or any module from `uint8` images (N, C, H, W) to logits
            (N, K, H, W).
        options: the views.
    """

    def __init__(self, model: nn.Module, options: InferenceOptions) -> None:
        super().__init__(model)
        self.options = options

    def forward_all(self, images: Tensor) -> Outputs:
        """Return the logarithm of the mean probabilities (N, K, H, W), and the mean targets."""
        size = images.shape[-2:]
        total: Tensor | None = None
        targets: list[TargetOutputs] = []
        views = 0
        for view, flipped in self._views(images):
            views += 1
            seen = self._outputs(view)
            if seen.targets is not None:
                targets.append(seen.targets)
            if seen.logits is not None:
                back = seen.logits.flip(-1) if flipped else seen.logits
                part = softmax(_resized(back, size))
                total = part if total is None else total.add_(part)
        logits = None if total is None else logarithm(total.div_(views))
        return Outputs(logits, _mean(targets) if targets else None)

    def _views(self, images: Tensor) -> Iterator[tuple[Tensor, bool]]:
        """Yield each view, and whether it is mirrored."""
        height, width = images.shape[-2:]
        for scale in self.options.scales:
            size = max(1, round(height * scale)), max(1, round(width * scale))
            scaled = _resized_images(images, size)
            yield scaled, False
            if self.options.flip:
                yield scaled.flip(-1), True

    def _outputs(self, images: Tensor) -> Outputs:
        """Return the outputs for one view; with windows, targets still come from the whole view."""
        if self.options.window is None:
            return outputs(self.model, images)
        logits = windowed_logits(self.model, images, self.options.window, self.options.overlap)
        if not isinstance(self.model, ImageModel) or self.model.target_head is None:
            return Outputs(logits, None)
        deepest = self.model.encoder(self.model.padded(images)[0])[-1]
        return Outputs(logits, self.model.target_head(deepest))


def _resized_images(images: Tensor, size: Sequence[int]) -> Tensor:
    """Resize images; `uint8` stays `uint8`, rounded, like data.size."""
    if images.shape[-2:] == torch.Size(size):
        return images
    resized = _resized(images, size)
    return resized if images.is_floating_point() else resized.round_().to(images.dtype)


def _resized(tensor: Tensor, size: Sequence[int]) -> Tensor:
    """Resize (N, C, H, W), bilinear, pixel centres aligned."""
    if tensor.shape[-2:] == torch.Size(size):
        return tensor
    exact = tensor.to(torch.promote_types(tensor.dtype, torch.float32))
    return F.interpolate(exact, size=tuple(size), mode="bilinear", align_corners=False)


def _mean(targets: Sequence[TargetOutputs]) -> TargetOutputs:
    categories = torch.stack([softmax(target.category) for target in targets])
    values = torch.stack([target.values for target in targets])
    return TargetOutputs(logarithm(categories.mean(dim=0)), values.mean(dim=0))

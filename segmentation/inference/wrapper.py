"""Wrappers around a model that are used like the model itself."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from segmentation.errors import ModelError
from segmentation.models import Outputs, TargetHead


class WrappedModel(nn.Module, ABC):
    """Base of wrappers for inference; the wrapped model is neither changed nor copied.

    Args:
        model: any model that `outputs` takes.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    @property
    def target_head(self) -> TargetHead | None:
        """The wrapped model's head for image-level targets, or None."""
        return getattr(self.model, "target_head", None)

    @abstractmethod
    def forward_all(self, images: Tensor) -> Outputs:
        """Return all outputs for `uint8` images (N, C, H, W)."""

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of images.

        Raises:
            ModelError: the model does not segment.
        """
        logits = self.forward_all(images).logits
        if logits is None:
            raise ModelError("this model predicts image-level targets only: it does not segment.")
        return logits


def outputs(model: nn.Module, images: Tensor) -> Outputs:
    """Return all outputs of a model.

    Args:
        model: an `ImageModel`, a `WrappedModel`, or any module from images to logits (N, K, H, W).
        images: `uint8` (N, C, H, W).
    """
    forward_all = getattr(model, "forward_all", None)
    return Outputs(model(images), None) if forward_all is None else forward_all(images)

"""Build a model from plain values."""

from segmentation.errors import ModelError, did_you_mean
from segmentation.models.encoder import Encoder
from segmentation.models.image_model import TargetModel
from segmentation.models.target_head import DROPOUT
from segmentation.models.unet import UNet
from segmentation.targets import TargetColumns

ENCODER_KEYS = ("name", "in_channels", "weights")


def build_model(
    encoder: dict,
    decoder: dict,
    num_classes: int,
    columns: TargetColumns | None = None,
    target_dropout: float = DROPOUT,
) -> UNet:
    """Build a UNet from plain values, as a configuration holds them.

    Args:
        encoder: `name`, and optionally `in_channels` (3) and `weights` (``"auto"``), see `Encoder`.
        decoder: fields of `DecoderOptions`, each with a default.
        num_classes: channels of the logits, 1 to 254.
        columns, target_dropout: the image-level targets, if any: see `TargetHead`.

    Raises:
        ModelError: an unknown key, an invalid value, or weights that are not available.
    """
    return UNet(_encoder(encoder), num_classes, columns, target_dropout, **decoder)


def build_target_model(
    encoder: dict, columns: TargetColumns, dropout: float = DROPOUT
) -> TargetModel:
    """Build a model of image-level targets alone; see `build_model`."""
    return TargetModel(_encoder(encoder), columns, dropout)


def _encoder(options: dict) -> Encoder:
    for key in options:
        if key not in ENCODER_KEYS:
            near = did_you_mean(str(key), ENCODER_KEYS)
            raise ModelError(f"encoder.{key} does not exist.{near}")
    if "name" not in options:
        raise ModelError("encoder.name is not given: use encoder=resnet34, or encoder.name=<timm>.")
    return Encoder(**options)

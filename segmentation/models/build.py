"""From plain values to a model."""

from segmentation.errors import ModelError, did_you_mean
from segmentation.models.encoder import Encoder
from segmentation.models.unet import UNet

ENCODER_KEYS = ("name", "in_channels", "weights")


def build_model(encoder: dict, decoder: dict, num_classes: int) -> UNet:
    """Build a UNet from plain values, as a configuration holds them.

    Args:
        encoder: `name`, and maybe `in_channels` (3) and `weights` (``"auto"``): see `Encoder`.
        decoder: fields of `DecoderOptions`, each with a default.
        num_classes: channels of the logits, 1 to 254.

    Raises:
        ModelError: a key or a value that does not exist, or weights that cannot be had.
    """
    for key in encoder:
        if key not in ENCODER_KEYS:
            near = did_you_mean(str(key), ENCODER_KEYS)
            raise ModelError(f"encoder.{key} does not exist.{near}")
    if "name" not in encoder:
        raise ModelError("encoder.name is not given: use encoder=resnet34, or encoder.name=<timm>.")
    return UNet(Encoder(**encoder), num_classes, **decoder)

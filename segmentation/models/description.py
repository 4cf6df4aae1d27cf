"""A model's description: plain values that may come from strangers, checked before use."""

import math
from typing import Any

from torch import Tensor

from segmentation.classes import ClassTable
from segmentation.errors import ModelError, SegmentationError
from segmentation.models.decoder import DecoderOptions
from segmentation.models.encoder import Encoder
from segmentation.models.unet import UNet

FORMAT = 1
"""Version of the description; a file with another is refused."""

MAX_IN_CHANNELS = 1024
MAX_SIDE = 65536


def restore(
    description: Any, state: dict[str, Tensor], where: str
) -> tuple[UNet, ClassTable, tuple[int, int] | None]:
    """Build the model that a description names, and give it its tensors.

    Args:
        description: what `describe_model` returned, perhaps after a stranger's hands.
        state: the tensors of the model, under the names of its state dict.
        where: the file, for messages.

    Raises:
        ModelError: the description is not one, or the tensors are not those of the model.
    """
    try:
        encoder, decoder, classes, size = _checked(description)
        model = _build(encoder, decoder, classes)
    except SegmentationError as error:
        raise ModelError(f"{where} does not describe a model of this project: {error}") from error
    expected = model.state_dict()
    wrong = [f"{key} is missing" for key in expected if key not in state]
    wrong += [f"{key} is not the model's" for key in state if key not in expected]
    wrong += [
        f"{key} has shape {list(state[key].shape)}, not {list(expected[key].shape)}"
        for key in expected
        if key in state and state[key].shape != expected[key].shape
    ]
    if wrong:
        raise ModelError(
            f"{where}: {len(wrong)} tensors do not fit the description: {'; '.join(wrong[:3])}"
            + ("; ..." if len(wrong) > 3 else ".")
        )
    model.load_state_dict(state)
    return model, classes, size


def _build(encoder: dict, decoder: dict, classes: ClassTable) -> UNet:
    body = Encoder(encoder["name"], encoder["in_channels"], weights="none")
    body.mean, body.std = tuple(encoder["mean"]), tuple(encoder["std"])
    body.source, body.pretrained = encoder["source"], encoder["pretrained"]
    return UNet(body, len(classes), **decoder)


def _checked(description: Any) -> tuple[dict, dict, ClassTable, tuple[int, int] | None]:
    top = _keys(description, "it", "format encoder decoder classes size extra")
    if top["format"] != FORMAT:
        raise ModelError(f"format {top['format']!r} is not {FORMAT}; use the version that made it.")
    encoder = _keys(top["encoder"], "encoder", "name in_channels mean std source pretrained")
    channels = encoder["in_channels"]
    if type(channels) is not int or not 1 <= channels <= MAX_IN_CHANNELS:
        raise ModelError(f"encoder.in_channels={channels!r}: 1 to {MAX_IN_CHANNELS}.")
    for key in ("name", "source"):
        if not isinstance(encoder[key], str):
            raise ModelError(f"encoder.{key}={encoder[key]!r} is not text.")
    if not isinstance(encoder["pretrained"], bool):
        raise ModelError(f"encoder.pretrained={encoder['pretrained']!r} is not true or false.")
    for key, least in (("mean", -math.inf), ("std", 0.0)):
        values = encoder[key]
        if (
            not isinstance(values, list)
            or len(values) != channels
            or not all(type(v) in (int, float) and math.isfinite(v) and v > least for v in values)
        ):
            raise ModelError(f"encoder.{key} is not one sound number for each input channel.")
    if not isinstance(top["decoder"], dict) or not isinstance(top["extra"], dict):
        raise ModelError("decoder or extra is not a mapping.")
    DecoderOptions.from_dict(top["decoder"])
    return encoder, top["decoder"], _classes(top["classes"]), _size(top["size"])


def _keys(values: Any, name: str, expected: str) -> dict:
    if not isinstance(values, dict) or set(values) != set(expected.split()):
        found = sorted(map(str, values)) if isinstance(values, dict) else type(values).__name__
        raise ModelError(f"{name} must have exactly the keys {expected}; found {found}.")
    return values


def _classes(values: Any) -> ClassTable:
    values = _keys(values, "classes", "names colors void")
    try:
        table = ClassTable.from_dict(values)
    except (TypeError, ValueError) as error:
        raise ModelError(f"classes is not a class table: {error}.") from error
    colours = [part for color in table.colors for part in color]
    if not all(isinstance(name, str) for name in table.names) or not all(
        0 <= part <= 255 for part in colours
    ):
        raise ModelError("classes has a name that is not text or a colour outside 0..255.")
    return table


def _size(values: Any) -> tuple[int, int] | None:
    if values is None:
        return None
    if (
        not isinstance(values, list)
        or len(values) != 2
        or not all(type(v) is int and 1 <= v <= MAX_SIDE for v in values)
    ):
        raise ModelError(f"size={values!r} is not null or [H, W].")
    return values[0], values[1]

"""From a model's description and its tensors to the model."""

import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from segmentation.classes import ClassTable
from segmentation.errors import ModelError, SegmentationError
from segmentation.models.decoder import DecoderOptions
from segmentation.models.encoder import Encoder
from segmentation.models.image_model import TargetModel
from segmentation.models.unet import UNet
from segmentation.targets import TargetColumns

Model = UNet | TargetModel


def restore(
    description: Any, state: dict[str, Tensor], where: str
) -> tuple[Model, ClassTable | None, tuple[int, int] | None]:
    """Build the model that a description names, and give it its tensors.

    Args:
        description: what `describe_model` returned, perhaps after a stranger's hands.
        state: the tensors of the model, under the names of its state dict.
        where: the file, for messages.

    Returns:
        The model, what its logits mean, and H,W to which images are resized for it. A model that
        does not segment has no classes.

    Raises:
        ModelError: the description is not one, or the tensors are not those of the model.
    """
    try:
        sound = checked(description)
        model = _build(sound)
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
    return model, sound.classes, sound.size


def _build(sound: "Description") -> Model:
    encoder = sound.encoder
    body = Encoder(encoder["name"], encoder["in_channels"], weights="none")
    body.mean, body.std = tuple(encoder["mean"]), tuple(encoder["std"])
    body.source, body.pretrained = encoder["source"], encoder["pretrained"]
    columns, dropout = sound.columns, sound.target_dropout
    if sound.decoder is not None and sound.classes is not None:
        return UNet(body, len(sound.classes), columns, dropout, **sound.decoder)
    assert columns is not None
    return TargetModel(body, columns, dropout)


FORMAT = 2
"""Version of the description. Version 1 had no targets and can be read; others are refused."""

MAX_IN_CHANNELS = 1024

MAX_SIDE = 65536


@dataclass(frozen=True)
class Description:
    """What `checked` found to be sound.

    Attributes:
        encoder: name, in_channels, mean, std, source, pretrained.
        decoder: fields of `DecoderOptions`; None for a model of image-level targets alone.
        classes: what the logits mean; None without a decoder.
        size: H,W to which images are resized; None for their own.
        columns: the image-level targets; None for none.
        target_dropout: of their head.
    """

    encoder: dict[str, Any]
    decoder: dict[str, Any] | None
    classes: ClassTable | None
    size: tuple[int, int] | None
    columns: TargetColumns | None
    target_dropout: float


def checked(values: Any) -> Description:
    """Return a description that is one.

    Raises:
        SegmentationError: it is not; the message says where.
    """
    top = _current(values)
    if not isinstance(top["extra"], dict):
        raise ModelError("extra is not a mapping.")
    if top["decoder"] is None and top["targets"] is None:
        raise ModelError("it has neither a decoder nor targets.")
    if (top["decoder"] is None) != (top["classes"] is None):
        raise ModelError("a decoder needs classes, and classes a decoder.")
    columns, dropout = _targets(top["targets"])
    return Description(
        _encoder(top["encoder"]),
        _decoder(top["decoder"]),
        _classes(top["classes"]),
        _size(top["size"]),
        columns,
        dropout,
    )


def _current(values: Any) -> dict[str, Any]:
    """Return the parts under the keys of this version."""
    if isinstance(values, dict) and values.get("format") == 1:
        top = dict(_keys(values, "it", "format encoder decoder classes size extra"))
        classes = _keys(top["classes"], "classes", "names colors void")
        top["classes"] = {key: classes[key] for key in ("names", "colors")}
        return top | {"targets": None}
    top = _keys(values, "it", "format encoder decoder classes size targets extra")
    if top["format"] != FORMAT:
        raise ModelError(f"format {top['format']!r} is not {FORMAT}; use the version that made it.")
    return top


def _keys(values: Any, name: str, expected: str) -> dict:
    if not isinstance(values, dict) or set(values) != set(expected.split()):
        found = sorted(map(str, values)) if isinstance(values, dict) else type(values).__name__
        raise ModelError(f"{name} must have exactly the keys {expected}; found {found}.")
    return values


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e30 and math.isfinite(value)


def _encoder(values: Any) -> dict[str, Any]:
    encoder = _keys(values, "encoder", "name in_channels mean std source pretrained")
    channels = encoder["in_channels"]
    if type(channels) is not int or not 1 <= channels <= MAX_IN_CHANNELS:
        raise ModelError(f"encoder.in_channels={channels!r}: 1 to {MAX_IN_CHANNELS}.")
    for key in ("name", "source"):
        if not isinstance(encoder[key], str):
            raise ModelError(f"encoder.{key}={encoder[key]!r} is not text.")
    if not isinstance(encoder["pretrained"], bool):
        raise ModelError(f"encoder.pretrained={encoder['pretrained']!r} is not true or false.")
    for key, least in (("mean", -math.inf), ("std", 0.0)):
        numbers = encoder[key]
        if (
            not isinstance(numbers, list)
            or len(numbers) != channels
            or not all(_is_number(number) and number > least for number in numbers)
        ):
            raise ModelError(f"encoder.{key} is not one sound number for each input channel.")
    return encoder


def _decoder(values: Any) -> dict[str, Any] | None:
    if values is None:
        return None
    if not isinstance(values, dict):
        raise ModelError("decoder is not a mapping.")
    DecoderOptions.from_dict(values)
    return values


def _classes(values: Any) -> ClassTable | None:
    if values is None:
        return None
    values = _keys(values, "classes", "names colors")
    try:
        table = ClassTable.from_dict(values)
    except (TypeError, ValueError, OverflowError) as error:
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


def _targets(values: Any) -> tuple[TargetColumns | None, float]:
    if values is None:
        return None, 0.0
    values = _keys(values, "targets", "category categories values mean std dropout")
    if not isinstance(values["category"], str | None):
        raise ModelError(f"targets.category={values['category']!r} is not text or null.")
    for key, holds, what in (
        ("categories", lambda one: isinstance(one, str), "texts"),
        ("values", lambda one: isinstance(one, str), "texts"),
        ("mean", _is_number, "sound numbers"),
        ("std", _is_number, "sound numbers"),
    ):
        if not isinstance(values[key], list) or not all(map(holds, values[key])):
            raise ModelError(f"targets.{key} is not a list of {what}.")
    if not _is_number(values["dropout"]) or not 0 <= values["dropout"] < 1:
        raise ModelError(f"targets.dropout={values['dropout']!r}: 0 or more, and below 1.")
    return TargetColumns.from_dict(values), float(values["dropout"])

"""The description of a model: everything but its tensors, as plain data.

It is what `config.json` and checkpoints hold. A description may come from a stranger, so it is
validated before anything is built from it: exact types, no unknown keys, bounded sizes.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from segmentation.classes import MAX_CLASSES, ClassTable
from segmentation.errors import ConfigError, validating
from segmentation.models.decoder import DecoderOptions
from segmentation.models.encoder import Encoder
from segmentation.models.image_model import TargetModel
from segmentation.models.unet import UNet
from segmentation.system.plain_data import MAX_AREA
from segmentation.targets import HUGE, MAX_CATEGORIES, MAX_VALUES, TargetColumns

Model = UNet | TargetModel

FORMAT = 2
"""Version of the description. Version 1 had no targets and can be read; others are refused."""

MAX_IN_CHANNELS = 1024
MAX_SIDE = 65536
LEAST_STD = 1e-30
"""Smaller ones are 0 in float32."""

Text = Annotated[str, Field(max_length=10_000)]
Number = Annotated[float, Field(gt=-HUGE, lt=HUGE)]
Positive = Annotated[float, Field(gt=LEAST_STD, lt=HUGE)]
Byte = Annotated[int, Field(ge=0, le=255)]
Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]


class Part(BaseModel):
    """Base of all parts of a description: no conversions, no unknown keys."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class EncoderPart(Part):
    """The arguments and attributes of an `Encoder`."""

    name: Text
    in_channels: Annotated[int, Field(ge=1, le=MAX_IN_CHANNELS)]
    mean: Annotated[list[Number], Field(max_length=MAX_IN_CHANNELS)]
    std: Annotated[list[Positive], Field(max_length=MAX_IN_CHANNELS)]
    source: Text
    pretrained: bool

    @model_validator(mode="after")
    def _check_lengths(self) -> "EncoderPart":
        if not len(self.mean) == len(self.std) == self.in_channels:
            raise ValueError("mean and std must have one number for each input channel")
        return self

    def build(self) -> Encoder:
        """Build the encoder with random weights."""
        encoder = Encoder(self.name, self.in_channels, weights="none")
        encoder.mean, encoder.std = tuple(self.mean), tuple(self.std)
        encoder.source, encoder.pretrained = self.source, self.pretrained
        return encoder


class ClassesPart(Part):
    """A `ClassTable`."""

    names: Annotated[list[Text], Field(min_length=1, max_length=MAX_CLASSES)]
    colors: Annotated[
        list[Annotated[list[Byte], Field(min_length=3, max_length=3)]],
        Field(max_length=MAX_CLASSES),
    ]


class TargetsPart(Part):
    """`TargetColumns`, and the dropout of their head."""

    category: Text | None
    categories: Annotated[list[Text], Field(max_length=MAX_CATEGORIES)]
    values: Annotated[list[Text], Field(max_length=MAX_VALUES)]
    mean: Annotated[list[Number], Field(max_length=MAX_VALUES)]
    std: Annotated[list[Number], Field(max_length=MAX_VALUES)]
    dropout: Annotated[float, Field(ge=0, lt=1)]


class Description(Part):
    """A model but for its tensors; a UNet has a decoder and classes, others have targets alone."""

    format: Literal[2]
    encoder: EncoderPart
    decoder: DecoderOptions | None
    classes: ClassesPart | None
    size: Annotated[list[Side], Field(min_length=2, max_length=2)] | None
    targets: TargetsPart | None
    extra: dict

    @model_validator(mode="after")
    def _check_parts(self) -> "Description":
        if self.decoder is None and self.targets is None:
            raise ValueError("a model has a decoder, targets or both")
        if self.size is not None and self.size[0] * self.size[1] > MAX_AREA:
            raise ValueError(f"size={self.size} is more than {MAX_AREA:,} pixels")
        if (self.decoder is None) != (self.classes is None):
            raise ValueError("a decoder needs classes, and classes need a decoder")
        return self

    def class_table(self) -> ClassTable | None:
        """Return what the model's logits mean; None for a model that does not segment."""
        return None if self.classes is None else ClassTable.from_dict(self.classes.model_dump())

    def build(self) -> Model:
        """Build the model with random weights.

        Raises:
            SegmentationError: timm has no such encoder, or the decoder does not fit it.
        """
        encoder, columns, dropout = self.encoder.build(), None, 0.0
        if self.targets is not None:
            columns = TargetColumns.from_dict(self.targets.model_dump())
            dropout = self.targets.dropout
        if self.decoder is not None and self.classes is not None:
            options = self.decoder.model_dump()
            return UNet(encoder, len(self.classes.names), columns, dropout, **options)
        assert columns is not None  # `_check_parts`
        return TargetModel(encoder, columns, dropout)


def parse_description(values: Any) -> Description:
    """Validate a description, of this version or of the first.

    Raises:
        ConfigError: not a description, or a newer one; the message names the invalid value.
    """
    if isinstance(values, dict) and values.get("format") == 1:
        values = {"targets": None, **values, "format": FORMAT}
        if isinstance(values.get("classes"), dict):
            values["classes"] = {k: v for k, v in values["classes"].items() if k != "void"}
    version = values.get("format") if isinstance(values, dict) else None
    if type(version) is int and version > FORMAT:
        raise ConfigError(
            f"it has format {version}, and this version reads up to {FORMAT}: it was written by a "
            "newer one. Type pip install --upgrade cityseg"
        )
    with validating():
        return Description.model_validate(values)


def describe_model(
    model: Model,
    classes: ClassTable | None,
    size: tuple[int, int] | None,
    extra: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the description of a model as plain values.

    Args:
        model: a model of this project.
        classes: what its logits mean; None for a model that does not segment.
        size: H,W that images are resized to for it; None for their own size.
        extra: more values to keep with it, of types that JSON has.
    """
    encoder, head = model.encoder, model.target_head
    return {
        "format": FORMAT,
        "encoder": {
            "name": encoder.name,
            "in_channels": encoder.in_channels,
            "mean": list(encoder.mean),
            "std": list(encoder.std),
            "source": encoder.source,
            "pretrained": encoder.pretrained,
        },
        "decoder": model.options.model_dump(mode="json") if isinstance(model, UNet) else None,
        "classes": None if classes is None else classes.to_dict(),
        "size": None if size is None else list(size),
        "targets": head and head.columns.to_dict() | {"dropout": head.dropout.p},
        "extra": extra or {},
    }

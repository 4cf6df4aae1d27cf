"""What an exported file says of itself: JSON under one key of its metadata."""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from segmentation.errors import ModelError, SegmentationError, validating
from segmentation.models.description import Description, parse_description
from segmentation.system.plain_data import check_plain

KEY = "cityseg"
"""The key of the metadata."""
FILE_FORMAT = 1
"""Version of the metadata; files of a newer one are refused."""
MAX_METADATA = 2**20
"""Characters; a class table of 254 classes takes 20 thousand."""

Head = Literal["labels", "logits"]
Precision = Literal["fp32", "fp16", "int8"]
Line = Annotated[str, Field(max_length=1000)]


class ExportInfo(BaseModel):
    """An export, as its file says it.

    Attributes:
        format: `FILE_FORMAT`.
        version: of cityseg, which wrote the file.
        head: ``labels``: the file returns labels `uint8` (N, H, W); ``logits``: `float32`
            (N, K, H, W).
        precision: of its weights and of most of its arithmetic.
        resizes: images are resized inside to what the model learnt; else they have to be before.
        source: the model that was exported, in words.
        weights: hash of that model's weights.
        scores: of that model, by split; empty where unknown.
        model: the model's whole description, see `describe_model`.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    format: Literal[1]
    version: Line
    head: Head
    precision: Precision
    resizes: bool
    source: Line
    weights: Line
    scores: dict[Line, float]
    model: dict[str, Any]

    def description(self) -> Description:
        """Return the validated description of the model.

        Raises:
            ConfigError: it is none.
        """
        return parse_description(self.model)


def to_text(info: ExportInfo) -> str:
    """Return the metadata as JSON."""
    return json.dumps(info.model_dump(mode="json"))


def from_text(text: str | None, where: str) -> ExportInfo:
    """Read metadata, which a stranger may have written.

    Args:
        text: the JSON; None where the file has none.
        where: the file, for messages.

    Raises:
        ModelError: there is none, it is of a newer version, or not valid.
    """
    if not text:
        raise ModelError(
            f"{where} was not written by export: it has no metadata of the name {KEY!r}, which "
            "says what its classes are and how images go in."
        )
    try:
        if len(text) > MAX_METADATA:
            raise ValueError(f"it has more than {MAX_METADATA:,} characters")
        values = json.loads(text)
        check_plain(values)
        version = values.get("format") if isinstance(values, dict) else None
        if type(version) is int and version > FILE_FORMAT:
            raise ValueError(f"its version is {version}, newer than this cityseg: update cityseg")
        with validating():
            info = ExportInfo.model_validate(values)
        info.description()
    except (SegmentationError, ValueError, RecursionError) as error:
        raise ModelError(f"the metadata of {where} cannot be used: {error}") from error
    return info

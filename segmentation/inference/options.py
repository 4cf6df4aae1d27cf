"""Options of inference: test-time augmentation and sliding windows."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from segmentation.errors import ConfigError, validating

OVERLAP = 0.5
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
"""Lightning's names of precisions."""

Scale = Annotated[float, Field(ge=0.5, le=4)]
"""Below half, bilinear resizing skips pixels; data.size averages them instead."""
Pixels = Annotated[int, Field(ge=1)]


def check_precision(precision: str) -> str:
    """Return a precision: auto, or one of `PRECISIONS`.

    Raises:
        ConfigError: it is none of these.
    """
    if precision not in ("auto", *PRECISIONS):
        raise ConfigError(f"precision={precision!r}: use auto, {', '.join(PRECISIONS)}.")
    return precision


class InferenceOptions(BaseModel):
    """Test-time augmentation and sliding windows; by default there are none.

    Attributes:
        flip: each view is also predicted mirrored left to right.
        scales: factors of the size of the model's input, 0.5 to 4, one view for each.
        window: (height, width) in pixels of the windows of each view; None: one forward pass of
            the whole view.
        overlap: share of a window's side that the next window covers too, 0 <= overlap < 1.

    Raises:
        ConfigError: an invalid value.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    flip: bool = False
    scales: Annotated[tuple[Scale, ...], Field(strict=False, min_length=1)] = (1.0,)
    window: Annotated[tuple[Pixels, Pixels], Field(strict=False)] | None = None
    overlap: Annotated[float, Field(ge=0, lt=1)] = OVERLAP

    def __init__(self, **values: Any) -> None:
        with validating(known=type(self).model_fields):
            super().__init__(**values)

    @field_validator("scales")
    @classmethod
    def _check_distinct(cls, scales: tuple[float, ...]) -> tuple[float, ...]:
        if len(set(scales)) < len(scales):
            raise ValueError("a scale is given twice")
        return scales

    @property
    def plain(self) -> bool:
        """Whether each image is predicted once, as a whole."""
        return not self.flip and self.scales == (1.0,) and self.window is None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "InferenceOptions":
        """Pick the options from a configuration's values, or from those of `to_dict`."""
        return cls(**{name: values[name] for name in cls.model_fields})

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as `metrics.json` keeps them under ``inference``."""
        return self.model_dump(mode="json")

    def parts(self) -> list[str]:
        """Return what differs from the defaults, as parts of a file name such as ``flip``."""
        parts = ["flip"] if self.flip else []
        if self.scales != (1.0,):
            parts.append("scales" + "-".join(f"{scale:g}" for scale in self.scales))
        if self.window is not None:
            parts.append(f"window{self.window[0]}x{self.window[1]}")
            if self.overlap != OVERLAP:
                parts.append(f"overlap{self.overlap:g}")
        return parts

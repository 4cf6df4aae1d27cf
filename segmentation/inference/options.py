"""What is done to an image at test time besides showing it to the model once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from segmentation.errors import ConfigError, check_number

SCALES = (0.5, 4.0)
"""Smaller than half, bilinear resizing passes pixels over; data.size does that with care."""
OVERLAP = 0.5


@dataclass(frozen=True)
class InferenceOptions:
    """Test-time augmentation and sliding windows; by default there are none.

    Args:
        flip: each view is seen mirrored left to right too.
        scales: of the image that the model gets, sides of 0.5 to 4 times its own; one view each.
        window: (height, width) in pixels that each view is cut into; None: it is seen whole.
        overlap: the share of a window's side that the next one covers too, 0 or more, below 1.

    Raises:
        ConfigError: values that cannot be.
    """

    flip: bool = False
    scales: tuple[float, ...] = (1.0,)
    window: tuple[int, int] | None = None
    overlap: float = OVERLAP

    def __post_init__(self) -> None:
        if not isinstance(self.flip, bool):
            raise ConfigError(f"flip is {self.flip!r}: it is true or false.")
        if not _is_list(self.scales) or not self.scales:
            raise ConfigError(f"scales is {self.scales!r}: expected a list, as scales=[0.75,1].")
        least, most = SCALES
        rule = f"{least:g} to {most:g}"
        scales = [
            check_number("a scale in scales", scale, rule, lambda value: least <= value <= most)
            for scale in self.scales
        ]
        if len(set(scales)) < len(scales):
            raise ConfigError(f"scales={list(self.scales)} names a scale twice.")
        if self.window is not None and not (
            _is_list(self.window)
            and len(self.window) == 2
            and all(type(side) is int and side > 0 for side in self.window)
        ):
            raise ConfigError(
                f"window is {self.window!r}: expected [height, width] in pixels, or null."
            )
        overlap = check_number(
            "overlap", self.overlap, "0 or more, and below 1", lambda value: 0 <= value < 1
        )
        window = None if self.window is None else (self.window[0], self.window[1])
        for name, value in (("scales", tuple(scales)), ("window", window), ("overlap", overlap)):
            object.__setattr__(self, name, value)  # lists of a configuration become tuples

    @property
    def plain(self) -> bool:
        """Whether the model simply sees each image once."""
        return not self.flip and self.scales == (1.0,) and self.window is None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "InferenceOptions":
        """Return the options among the values of a configuration, or of `to_dict`."""
        return cls(**{field.name: values[field.name] for field in fields(cls)})

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as `metrics.json` keeps them under ``inference``."""
        return {
            "flip": self.flip,
            "scales": list(self.scales),
            "window": None if self.window is None else list(self.window),
            "overlap": self.overlap,
        }

    def parts(self) -> list[str]:
        """Return what differs from a plain view as parts of a file's name, such as ``flip``."""
        parts = ["flip"] if self.flip else []
        if self.scales != (1.0,):
            parts.append("scales" + "-".join(f"{scale:g}" for scale in self.scales))
        if self.window is not None:
            parts.append(f"window{self.window[0]}x{self.window[1]}")
            if self.overlap != OVERLAP:
                parts.append(f"overlap{self.overlap:g}")
        return parts


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)

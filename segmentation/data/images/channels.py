"""The channels of an image: which bands of its files they are, their numbers and their range."""

from dataclasses import dataclass, fields
from typing import Any

DTYPES = ("uint8", "uint16", "float32")
"""The types that files' values are kept in; others become float32."""
MOST = 1024
"""The largest number of channels."""
MIDDLE = (124 / 255, 116 / 255, 104 / 255)
"""ImageNet's mean colour, repeated over the channels: what is missing has it."""


@dataclass(frozen=True)
class Channels:
    """The channels of an image, and where they come from.

    Attributes:
        bands: their band numbers in the file, from 1 as GDAL counts.
        names: of each channel; ``""`` where unknown.
        dtype: one of `DTYPES`.
        photos: files are 8-bit photos of any kind, which become RGB.
        total: number of bands that each file has; None: any with these bands.
        by_name: bands are found by their names in each file, not by their numbers.
        files: endings of the files that each hold a part of the bands, such as
            ``("{stem}_B04.tif", "{stem}_B08.tif")``; empty: one file holds all.
        low, high: the range of each channel's values; empty where unknown, and for RGB, which has
            0..255.
    """

    bands: tuple[int, ...]
    names: tuple[str, ...]
    dtype: str = "uint8"
    photos: bool = False
    total: int | None = None
    by_name: bool = False
    files: tuple[str, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    def __len__(self) -> int:
        return len(self.bands)

    def __str__(self) -> str:
        if self.photos:
            return "3 (RGB)"
        named = (name or f"band {band}" for name, band in zip(self.names, self.bands, strict=True))
        return f"{len(self)} of {self.dtype} ({', '.join(named)})"

    @property
    def is_rgb(self) -> bool:
        """Whether they are treated as RGB: three channels of 8 bits."""
        return len(self) == 3 and self.dtype == "uint8"

    @property
    def shown(self) -> tuple[int, int, int]:
        """The channels, from 0, that pictures show: red, green and blue, else the first three."""
        names = [name.lower() for name in self.names]
        if {"red", "green", "blue"} <= set(names):
            return names.index("red"), names.index("green"), names.index("blue")
        return (0, 1, 2) if len(self) >= 3 else (0, 0, 0)

    @property
    def fill(self) -> tuple[float, ...]:
        """The value of padding and of pixels without data, close to zero once normalised."""
        if self.is_rgb:
            return tuple(round(255 * middle) for middle in MIDDLE)
        if not self.low:
            return (0,) * len(self)
        values = [
            low + MIDDLE[index % 3] * (high - low)
            for index, (low, high) in enumerate(zip(self.low, self.high, strict=True))
        ]
        return tuple(values if self.dtype == "float32" else map(round, values))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as a model's description keeps them."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in values.items()
        }

    @classmethod
    def from_dict(cls, values: Any) -> "Channels | None":
        """Return the channels of plain values, which may be a stranger's; None if they are invalid.

        What it holds is used as numbers and as names of bands and files alone.
        """
        if not isinstance(values, dict) or set(values) != {field.name for field in fields(cls)}:
            return None
        bands, names, total = values["bands"], values["names"], values["total"]
        count = len(bands) if isinstance(bands, list) else 0
        sound = (
            1 <= count <= MOST
            and all(type(band) is int and 1 <= band <= MOST for band in bands)
            and _texts(names)
            and len(names) == count
            and values["dtype"] in DTYPES
            and type(values["photos"]) is bool
            and type(values["by_name"]) is bool
            and (total is None or (type(total) is int and 1 <= total <= MOST))
            and _texts(values["files"])
            and all(_numbers(values[key], count) for key in ("low", "high"))
            and len(values["low"]) == len(values["high"])
        )
        if not sound:
            return None
        plain: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**plain)


def _texts(values: Any) -> bool:
    return (
        isinstance(values, list)
        and len(values) <= MOST
        and all(isinstance(text, str) and len(text) <= 1000 for text in values)
    )


def _numbers(values: Any, count: int) -> bool:
    return (
        isinstance(values, list)
        and len(values) in (0, count)
        and all(type(number) in (int, float) and abs(number) < 1e30 for number in values)
    )


RGB = Channels((1, 2, 3), ("red", "green", "blue"), photos=True)
"""Photos: what every model takes that does not say otherwise."""

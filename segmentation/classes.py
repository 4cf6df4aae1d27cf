"""The class table: names, colours, and which label index is void.

On disk a mask holds the indices of its class table. In memory a pixel that must not be learnt or
scored always holds `VOID`, whatever index the files use for it, so losses, scores and padding need
no setting of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segmentation.errors import ConfigError

VOID = 255
"""The label, in memory, of a pixel that is neither learnt nor scored."""


@dataclass(frozen=True)
class ClassTable:
    """Names and colours of the classes that a model predicts.

    Args:
        names: one name for each class; its position is its index in masks, logits and scores.
        colors: RGB, 0..255, in the order of `names`.
        void: the index that masks on disk use for void; None where every pixel has a class.

    Raises:
        ConfigError: names that repeat, colours that do not match the names, or a void index that
            is also a class.
    """

    names: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]
    void: int | None = None

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            raise ConfigError(f"class names repeat: {list(self.names)}. Give each class its own.")
        if not 1 <= len(self.names) < VOID:
            raise ConfigError(f"a class table has 1 to 254 classes, this one {len(self.names)}.")
        if len(self.colors) != len(self.names):
            raise ConfigError(f"{len(self.names)} class names but {len(self.colors)} colours.")
        if self.void is not None and not len(self.names) <= self.void <= 255:
            raise ConfigError(
                f"void index {self.void} is also a class; it must be {len(self.names)} to 255."
            )

    def __len__(self) -> int:
        return len(self.names)

    def lookup(self) -> np.ndarray:
        """Return the `uint8` table, shape (256,), from an index on disk to a label in memory."""
        table = np.full(256, VOID, dtype=np.uint8)
        table[: len(self)] = np.arange(len(self), dtype=np.uint8)
        return table

    def unknown(self, indices: Sequence[int]) -> list[int]:
        """Return those indices that are neither a class nor void."""
        known = {*range(len(self)), *(() if self.void is None else (self.void,))}
        return sorted(set(map(int, indices)) - known)

    def palette(self) -> np.ndarray:
        """Return the `uint8` RGB colours, shape (256, 3), by label in memory; void is black."""
        palette = np.zeros((256, 3), dtype=np.uint8)
        palette[: len(self)] = self.colors
        return palette

    def to_dict(self) -> dict:
        """Return plain values, as they are kept in a run directory and in a model's JSON."""
        return {
            "names": list(self.names),
            "colors": [list(color) for color in self.colors],
            "void": self.void,
        }

    @classmethod
    def from_dict(cls, values: dict) -> "ClassTable":
        """Rebuild a table from `to_dict`."""
        colors = tuple((int(r), int(g), int(b)) for r, g, b in values["colors"])
        return cls(tuple(values["names"]), colors, values["void"])


CAMVID_NAMES = (
    "Sky", "Building", "Pole", "Road", "Pavement", "Tree",
    "SignSymbol", "Fence", "Car", "Pedestrian", "Bicyclist", "Unlabelled",
)  # fmt: skip
CAMVID_COLORS = (
    (128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222), (128, 128, 0),
    (192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192), (0, 0, 0),
)  # fmt: skip


def camvid(void: str) -> ClassTable:
    """Return CamVid's class table as the SegNet tutorial numbers it.

    Args:
        void: ``"ignore"``: 11 classes, index 11 (Unlabelled) is void, the field's protocol;
            ``"class"``: 12 classes, all of them scored, as the original study did.

    Raises:
        ConfigError: any other value.
    """
    if void == "ignore":
        return ClassTable(CAMVID_NAMES[:-1], CAMVID_COLORS[:-1], void=11)
    if void == "class":
        return ClassTable(CAMVID_NAMES, CAMVID_COLORS)
    raise ConfigError(f"data.void={void!r} is not known: use data.void=ignore or data.void=class.")


TABLES = {"camvid": camvid}
"""Class tables by the name that `data.classes` gives: a function of `data.void`."""

"""Class tables: names, colours, and the meaning of the values in masks.

In memory a pixel that is neither learnt nor scored is `VOID`, whatever its value in the file, so
losses, scores and padding need no option for it.
"""

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from segmentation.errors import ConfigError

Color = tuple[int, int, int]

VOID = 255
"""The label, in memory, of a pixel that is neither learnt nor scored."""
MAX_CLASSES = 254


@dataclass(frozen=True)
class ClassTable:
    """Names and colours of a model's classes.

    Args:
        names: by label, as in memory, logits and scores.
        colors: RGB, 0..255, in the order of `names`.

    Raises:
        ConfigError: repeated names, too many or no classes, or another number of colours.
    """

    names: tuple[str, ...]
    colors: tuple[Color, ...]

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            raise ConfigError(f"class names repeat: {list(self.names)}. Make them unique.")
        if not 1 <= len(self.names) <= MAX_CLASSES:
            raise ConfigError(
                f"a class table has 1 to {MAX_CLASSES} classes, this one {len(self.names)}."
            )
        if len(self.colors) != len(self.names):
            raise ConfigError(f"{len(self.names)} class names but {len(self.colors)} colours.")

    def __len__(self) -> int:
        return len(self.names)

    def palette(self) -> np.ndarray:
        """Return the RGB colours by label, `uint8` (256, 3); void is black."""
        palette = np.zeros((256, 3), dtype=np.uint8)
        palette[: len(self)] = self.colors
        return palette

    def to_dict(self) -> dict:
        """Return plain values for JSON."""
        return {"names": list(self.names), "colors": [list(color) for color in self.colors]}

    @classmethod
    def from_dict(cls, values: dict) -> "ClassTable":
        """Rebuild a table from `to_dict`."""
        colors = tuple((int(r), int(g), int(b)) for r, g, b in values["colors"])
        return cls(tuple(values["names"]), colors)


@dataclass(frozen=True)
class Entry:
    """The meaning of a value or a colour in the masks of a data set.

    Args:
        name: of the class.
        color: RGB, 0..255, in colour masks and in pictures.
        index: value in index masks; None if the masks have colours only.
        void: neither learnt nor scored.
        merge: name of the entry that it counts as, a class or void; None for itself.
        more: further values in index masks.
    """

    name: str
    color: Color
    index: int | None = None
    void: bool = False
    merge: str | None = None
    more: tuple[int, ...] = ()

    @property
    def indices(self) -> tuple[int, ...]:
        """All values that index masks use for it."""
        return () if self.index is None else (self.index, *self.more)

    @property
    def colors(self) -> tuple[Color, ...]:
        """All colours that colour masks use for it.

        Beside its own these are the greys of `more`, if its own is the grey of its index: masks of
        indices that were saved as RGB.
        """
        grey = self.color == (self.index,) * 3
        return self.color, *((index, index, index) for index in self.more if grey)


Table = Sequence[Entry]


def generated_color(index: int) -> Color:
    """Return a colour for an index; those of neighbours differ clearly.

    Steps of the golden ratio spread hues evenly, however many there are.
    """
    parts = colorsys.hsv_to_rgb(index * 0.618034 % 1, 0.65, 0.55 + 0.4 * (index % 2))
    red, green, blue = (int(255 * part) for part in parts)
    return red, green, blue


CAMVID = (
    Entry("Sky", (128, 128, 128), 0),
    Entry("Building", (128, 0, 0), 1),
    Entry("Pole", (192, 192, 128), 2),
    Entry("Road", (128, 64, 128), 3),
    Entry("Pavement", (60, 40, 222), 4),
    Entry("Tree", (128, 128, 0), 5),
    Entry("SignSymbol", (192, 128, 128), 6),
    Entry("Fence", (64, 64, 128), 7),
    Entry("Car", (64, 0, 128), 8),
    Entry("Pedestrian", (64, 64, 0), 9),
    Entry("Bicyclist", (0, 128, 192), 10),
    Entry("Unlabelled", (0, 0, 0), 11, void=True),
)
"""CamVid as the SegNet tutorial numbers it: 11 classes and void."""

# Name, labelId, trainId (255: not one of the 19), colour, and CamVid's class for it. The last
# follows the grouping of CamVid's own 32 labels to 11 (Sturgess et al. 2009), in which Wall, Bridge
# and Tunnel count as Building, ParkingBlock as Pavement, TrafficLight as SignSymbol, VegetationMisc
# as Tree, Truck_Bus and Train as Car, and MotorcycleScooter as Bicyclist.
_CITYSCAPES: tuple[tuple[str, int, int, Color, str | None], ...] = (
    ("unlabeled", 0, 255, (0, 0, 0), None),
    ("ego vehicle", 1, 255, (0, 0, 0), None),  # the camera's own car: Unlabelled in CamVid too
    ("rectification border", 2, 255, (0, 0, 0), None),  # no picture there
    ("out of roi", 3, 255, (0, 0, 0), None),  # no picture there
    ("static", 4, 255, (0, 0, 0), None),  # things of every kind
    ("dynamic", 5, 255, (111, 74, 0), None),  # prams and animals (Pedestrian in CamVid), bins too
    ("ground", 6, 255, (81, 0, 81), None),  # neither road nor pavement for certain
    ("road", 7, 0, (128, 64, 128), "Road"),
    ("sidewalk", 8, 1, (244, 35, 232), "Pavement"),
    ("parking", 9, 255, (250, 170, 160), "Pavement"),  # CamVid: ParkingBlock
    ("rail track", 10, 255, (230, 150, 140), None),  # CamVid has none
    ("building", 11, 2, (70, 70, 70), "Building"),
    ("wall", 12, 3, (102, 102, 156), "Building"),  # CamVid: Wall
    ("fence", 13, 4, (190, 153, 153), "Fence"),
    ("guard rail", 14, 255, (180, 165, 180), "Fence"),  # a barrier one sees through
    ("bridge", 15, 255, (150, 100, 100), "Building"),  # CamVid: Bridge
    ("tunnel", 16, 255, (150, 120, 90), "Building"),  # CamVid: Tunnel
    ("pole", 17, 5, (153, 153, 153), "Pole"),
    ("polegroup", 18, 255, (153, 153, 153), "Pole"),  # several poles, still poles
    ("traffic light", 19, 6, (250, 170, 30), "SignSymbol"),  # CamVid: TrafficLight
    ("traffic sign", 20, 7, (220, 220, 0), "SignSymbol"),
    ("vegetation", 21, 8, (107, 142, 35), "Tree"),
    ("terrain", 22, 9, (152, 251, 152), "Tree"),  # grass; CamVid: VegetationMisc
    ("sky", 23, 10, (70, 130, 180), "Sky"),
    ("person", 24, 11, (220, 20, 60), "Pedestrian"),
    ("rider", 25, 12, (255, 0, 0), "Bicyclist"),  # CamVid labels rider and bicycle as one
    ("car", 26, 13, (0, 0, 142), "Car"),
    ("truck", 27, 14, (0, 0, 70), "Car"),  # CamVid: Truck_Bus
    ("bus", 28, 15, (0, 60, 100), "Car"),  # CamVid: Truck_Bus
    ("caravan", 29, 255, (0, 0, 90), "Car"),
    ("trailer", 30, 255, (0, 0, 110), "Car"),
    ("train", 31, 16, (0, 80, 100), "Car"),  # trams; CamVid: Train
    ("motorcycle", 32, 17, (0, 0, 230), "Bicyclist"),  # CamVid: MotorcycleScooter
    ("bicycle", 33, 18, (119, 11, 32), "Bicyclist"),
)

CITYSCAPES = tuple(
    Entry(name, color, index, void=train == VOID) for name, index, train, color, _ in _CITYSCAPES
)
"""Cityscapes' labelIds: the 19 classes of its protocol, the rest void."""

CITYSCAPES_CAMVID = (
    *(replace(entry, index=None) for entry in CAMVID),
    *(
        Entry(name, color, index, merge=group or "Unlabelled")
        for name, index, _, color, group in _CITYSCAPES
    ),
)
"""Cityscapes' labelIds as CamVid's 11 classes and void."""

_VOC = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip


def voc_color(index: int) -> Color:
    """Return the colour that Pascal VOC's palette gives an index, 0..255.

    Bits 0, 3, 6 of the index are the upper bits of red, 1, 4, 7 those of green, 2, 5 those of blue.
    """
    bits = [index >> bit & 1 for bit in range(9)]
    red, green, blue = (
        sum(bits[channel + 3 * k] << 7 - k for k in range(3)) for channel in range(3)
    )
    return red, green, blue


VOC = (
    *(Entry(name, voc_color(index), index) for index, name in enumerate(_VOC)),
    Entry("void", voc_color(VOID), VOID, void=True),
)
"""Pascal VOC: background, 20 classes, and the void border around objects."""

TABLES: dict[str, Table] = {
    "camvid": CAMVID,
    "cityscapes": CITYSCAPES,
    "camvid12": CITYSCAPES_CAMVID,
    "voc": VOC,
}
"""Class tables by the values of `data.classes`."""


def with_train_ids(table: Table) -> Table:
    """Convert a table of Cityscapes' labelIds to trainIds: 0..18, and 255 for all other labels."""
    train_ids = {index: train for _, index, train, _, _ in _CITYSCAPES}
    entries = [
        entry if entry.index is None else replace(entry, index=train_ids[entry.index])
        for entry in table
        if entry.index is None or train_ids[entry.index] != VOID
    ]
    return (*entries, Entry("not one of the 19", (0, 0, 0), VOID, void=True))

"""The images that an export is compared on and calibrated with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from segmentation.classes import CAMVID, ClassTable
from segmentation.data.masks.labels import Labels
from segmentation.errors import ConfigError
from segmentation.models import LoadedModel
from segmentation.streets import draw_scene

Pair = tuple[np.ndarray, np.ndarray]
"""An image (H, W, C) and its labels, `uint8` (H, W)."""
CALIBRATION = 50
"""Images that int8 is calibrated with, evenly spread over the training split."""
DRAWN = {"compared": 16, "calibration": 32}
"""Numbers of generated scenes."""
SCENE = (240, 320)
"""Height and width of generated scenes for a model whose training images are of unknown size."""
LARGEST = 2**20
"""Most pixels of a generated scene."""


@dataclass(frozen=True, eq=False)
class ExportImages:
    """The images of an export.

    Attributes:
        names, pairs: what it is compared on.
        calibration: what int8 is calibrated with; none of them is compared.
        classes: what the labels of the pairs mean.
        words: what they are.
        generated: they are drawn scenes, not the user's data.
    """

    names: Sequence[str]
    pairs: Sequence[Pair]
    calibration: Sequence[Pair]
    classes: ClassTable
    words: str
    generated: bool

    def calibrating(self) -> Iterator[np.ndarray]:
        """Yield at most `CALIBRATION` images."""
        count = min(CALIBRATION, len(self.calibration))
        for index in np.linspace(0, len(self.calibration) - 1, count).round().astype(int):
            yield self.calibration[int(index)][0]


class Scenes(Sequence[Pair]):
    """Generated street scenes, drawn at each access.

    Args:
        first: index of the first scene.
        count: number of scenes.
        size: height and width.
    """

    labels = Labels(CAMVID)

    def __init__(self, first: int, count: int, size: tuple[int, int]) -> None:
        self._first, self._length, self._size = first, count, size

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Pair:  # type: ignore[override]  # no slices
        if not 0 <= index < self._length:
            raise IndexError(index)
        image, mask = draw_scene(0, self._first + index, self._size)
        return image, self.labels.decode(mask, "a generated scene")


def scenes(loaded: LoadedModel) -> ExportImages:
    """Return generated street scenes, of the size of the model's training images.

    Raises:
        ConfigError: the model takes other images than RGB.
    """
    if not loaded.channels.is_rgb:
        raise ConfigError(
            f"the model takes images of {loaded.channels}, and an export is compared on real ones: "
            "give some with masks, data=folder data.root=<folder>."
        )
    size = loaded.size or loaded.learnt_size or SCENE
    if min(size) < 32 or size[0] * size[1] > LARGEST:
        size = SCENE
    compared = Scenes(0, DRAWN["compared"], size)
    return ExportImages(
        [f"scene{index}" for index in range(len(compared))],
        compared,
        Scenes(len(compared), DRAWN["calibration"], size),
        Scenes.labels.classes,
        f"{len(compared)} generated street scenes",
        generated=True,
    )

"""The prediction for one image, and what follows from it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from segmentation.classes import VOID, ClassTable
from segmentation.config import user_path
from segmentation.data.images.image_reader import Decoded
from segmentation.errors import ConfigError, ModelError
from segmentation.inference.marks import make_mark, mark_of, write_marked
from segmentation.inference.polygons import TOLERANCE, Polygon, polygons
from segmentation.pictures import overlay, viewed
from segmentation.system.files import atomic_file, file_state

if TYPE_CHECKING:
    from segmentation.inference.predictor import Predictor


@dataclass
class Result:
    """The prediction for one image of H x W pixels.

    Attributes:
        image: what was predicted: its `pixels` (H, W, channels), and where they are `valid`.
        path: of its file; None for a picture in memory.
        labels: see `mask`; None for a model that does not segment.
        category_probabilities: of the image's category, by name; empty for a model without.
        values: numbers of the whole image in the units of their columns, by name; empty for a model
            without.
        predictor: made the prediction.
        known_confidence: see `confidence`; None where it was not asked for.
    """

    image: Decoded
    path: Path | None
    labels: np.ndarray | None
    category_probabilities: Mapping[str, float]
    values: Mapping[str, float]
    predictor: "Predictor" = field(repr=False)
    known_confidence: np.ndarray | None = field(default=None, repr=False)

    @property
    def mask(self) -> np.ndarray:
        """The label of each pixel, `uint8` (H, W): an index of `classes.names`.

        `segmentation.classes.VOID`, 255, where the image has no data.

        Raises:
            ModelError: the model does not segment.
        """
        if self.labels is None:
            raise _no_mask()
        return self.labels

    @cached_property
    def probabilities(self) -> np.ndarray:
        """The probability of each class, `float32` (K, H, W); 0 where the image has no data.

        Nobody pays for them who does not ask: the model runs again, and they are kept.

        Raises:
            ModelError: the model does not segment, or is a file that gives labels alone.
        """
        if self.labels is None:
            raise _no_mask()
        return self.predictor.probabilities(self.image)

    @cached_property
    def confidence(self) -> np.ndarray:
        """The largest probability of each pixel, `float32` (H, W); 0 where the image has no data.

        The model runs again for it, unless `Predictor.__call__` got ``confidence=True``.

        Raises:
            ModelError: see `probabilities`.
        """
        if self.labels is None:
            raise _no_mask()
        if self.known_confidence is not None:
            return self.known_confidence
        return self.predictor.confidence(self.image)

    @property
    def shares(self) -> dict[str, float]:
        """The share of each class in the pixels with data, 0 to 1, by its name."""
        counts = np.bincount(self.mask.ravel(), minlength=VOID + 1)[:VOID]
        names, total = self._classes.names, max(int(counts.sum()), 1)
        return {name: int(count) / total for name, count in zip(names, counts, strict=False)}

    @property
    def category(self) -> str | None:
        """The most probable category of the image; None for a model without categories."""
        found = self.category_probabilities
        return max(found, key=lambda name: found[name]) if found else None

    @property
    def picture(self) -> np.ndarray:
        """The image as people look at it, `uint8` RGB (H, W, 3)."""
        return viewed(self.image.pixels, self.predictor.channels.shown)

    def overlay(self, opacity: float = 0.5) -> Image.Image:
        """Return the colours of the classes laid over the image, RGB.

        Args:
            opacity: of the colours, 0 to 1.

        Raises:
            ConfigError: another opacity.
            ModelError: the model does not segment.
        """
        if not 0 <= opacity <= 1:
            raise ConfigError(f"opacity={opacity}: it is 0 (the image alone) to 1 (the colours).")
        return Image.fromarray(overlay(self.picture, self.mask, self._classes, opacity))

    def polygons(self, tolerance: float = TOLERANCE) -> list[Polygon]:
        """Return the regions of the mask as polygons with holes, see `polygons.py`.

        Args:
            tolerance: how far, in pixels, they are simplified; 0: they are the mask exactly.

        Raises:
            ConfigError: a negative tolerance.
            ModelError: the model does not segment.
        """
        if not tolerance >= 0:
            raise ConfigError(f"tolerance={tolerance}: give pixels, 0 or more.")
        return polygons(self.mask, tolerance=tolerance)

    def save(self, path: str | Path) -> None:
        """Write the mask as predict.py does: a PNG of 8-bit indices of the image's size.

        An earlier mask of this project is replaced; no other file is.

        Raises:
            ConfigError: another file is in the way, or the path does not end in .png.
            ModelError: the model does not segment.
        """
        target, mask = user_path(path), self.mask
        if target.suffix.lower() != ".png":
            raise ConfigError(f"{target}: masks are PNG, which keeps labels: end its name in .png.")
        if target.exists() and mark_of(target) is None:
            raise ConfigError(
                f"{target} is not a mask that this project wrote, and would be replaced. Choose "
                "another name, or remove it."
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(target) as partial:
            write_marked(partial, mask, self.mark)

    @property
    def mark(self) -> str:
        """What tells the files of this prediction, see `segmentation.inference.marks`."""
        if self.path is None:
            state = hashlib.sha256(self.image.pixels.tobytes()).hexdigest()
        else:
            state = file_state(self.path)
        return make_mark(self.predictor.facts(), state)

    @property
    def _classes(self) -> ClassTable:
        assert self.predictor.classes is not None  # there is a mask
        return self.predictor.classes


def _no_mask() -> ModelError:
    return ModelError(
        "this model predicts image-level targets only: it does not segment. See category and "
        "values."
    )

"""Write predictions to a folder: masks, overlays and a table of image-level targets.

Masks and overlays carry a mark in their header: a hash of the image's file, the model and its
options. It tells the files that may be replaced, and those that an interrupted run has left.
"""

import csv
import errno
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from segmentation.classes import ClassTable
from segmentation.data.images.image_format import NO_LIMIT, opened
from segmentation.data.targets.table import empty_table
from segmentation.errors import ConfigError, DataError, listed
from segmentation.inference.predictor import Prediction
from segmentation.metrics.targets import TargetPredictions
from segmentation.pictures import overlay
from segmentation.runs.target_predictions import TARGET_PREDICTIONS, write_predictions
from segmentation.system.escaping import csv_text
from segmentation.system.files import atomic_file, file_state
from segmentation.targets import TargetColumns

MARK = "cityseg-prediction"
"""The key of the mark in the header of a PNG."""
GDAL_METADATA = 42112
"""The TIFF tag that holds the mark of a mask written in windows."""


def mark_of(path: Path) -> str | None:
    """Return the mark of a mask or an overlay; None for a file that was not written here."""
    if path.suffix.lower() not in (".png", ".tif"):
        return None
    try:
        with opened(path, NO_LIMIT) as image:
            if image.format == "TIFF":
                text = str(image.tag_v2.get(GDAL_METADATA, ""))  # type: ignore[attr-defined]
                found = re.search(rf'name="{MARK}"[^>]*>(\w+)<', text)
                return found[1] if found else None
            return image.info.get(MARK)
    except Exception:  # a damaged file makes Pillow raise nearly anything
        return None


class PredictionFiles:
    """Writes ``<name>.png`` for each image, and ``target_predictions.csv`` at the end.

    Args:
        folder: of the files.
        classes: of the model; None for one that does not segment.
        columns: its image-level targets; None for none.
        overlays: also write ``<name>_overlay.png``, the mask laid over the image.
        facts: all that a prediction depends on besides its image, as plain values.

    Attributes:
        written: the files so far.
        kept: the files of an earlier run with the same facts.
        predictions: by file name of the image, without the masks, which are on disk.
        in_windows: number of images whose masks were written window by window.
    """

    def __init__(
        self,
        folder: Path,
        classes: ClassTable | None,
        columns: TargetColumns | None,
        overlays: bool,
        facts: Mapping[str, Any],
    ) -> None:
        self.folder = folder
        self.classes = classes
        self.columns = columns
        self.overlays = overlays
        self.written: list[Path] = []
        self.kept: list[Path] = []
        self.predictions: dict[str, Prediction] = {}
        self.in_windows = 0
        self._facts = json.dumps(facts, sort_keys=True)

    def mark(self, image: Path) -> str:
        """Return the mark of the files of an image."""
        return hashlib.sha256((self._facts + file_state(image)).encode()).hexdigest()[:32]

    def check(self, names: Mapping[Path, str], large: Collection[Path], overwrite: bool) -> None:
        """Check that no file is written twice, and none replaced that was not written here.

        Args:
            names: of the masks, without suffix, by image.
            large: the images among them that are predicted in windows.
            overwrite: replace any file but the images themselves.

        Raises:
            DataError: two images would write the same file.
            ConfigError: a file is in the way.
        """
        targets = [self._files(names[path], path in large) for path in names]
        count = Counter(path for files in targets for path in files)
        if twice := [path for path in count if count[path] > 1]:
            raise DataError(
                f"{twice[0]} would be the mask of one image and the overlay of another. Rename the "
                "image, or type overlay=false."
            )
        images = set(map(os.path.realpath, names))
        if clash := [path for path in count if os.path.realpath(path) in images]:
            raise ConfigError(f"output={self.folder} would overwrite input images: {clash[0]}.")
        foreign = [path for path in count if os.path.exists(path) and mark_of(path) is None]
        table = self.folder / TARGET_PREDICTIONS
        if self.columns is not None and table.exists() and not self._is_own_table(table):
            foreign.append(table)
        if foreign and not overwrite:
            shown = [path.relative_to(self.folder).as_posix() for path in foreign]
            raise ConfigError(
                f"output={self.folder} holds {len(foreign)} files that predict did not write and "
                f"would replace: {listed(shown)}. Choose another folder, or type overwrite=true."
            )

    def _files(self, name: str, large: bool) -> list[Path]:
        """Return the mask and the overlay of an image; none of a model that does not segment."""
        if self.classes is None:
            return []
        if large:
            return [self.folder / f"{name}.tif"]
        ends = (".png", "_overlay.png") if self.overlays else (".png",)
        return [self.folder / f"{name}{end}" for end in ends]

    def _is_own_table(self, path: Path) -> bool:
        try:
            with path.open(encoding="utf-8", newline="") as file:
                header = [csv_text(cell) for cell in next(csv.reader(file), [])]
        except (OSError, ValueError, csv.Error):
            return False
        assert self.columns is not None
        known = filter(None, (self.columns.category, *self.columns.values))
        return header[:1] == ["image"] and set(known) <= set(header)

    def keeps(self, image: Path, name: str, large: bool) -> bool:
        """Return whether an earlier run has left the files of an image; they are then kept.

        Image-level targets are in a table of all images, for which each is predicted again.
        """
        files = [] if self.columns is not None else self._files(name, large)
        mark = self.mark(image)
        if not files or any(mark_of(path) != mark for path in files):
            return False
        self.kept += files
        return True

    def write(self, path: Path, name: str, image: np.ndarray, prediction: Prediction) -> None:
        """Write the pictures of an image: an 8-bit index mask of its size, and its overlay.

        Args:
            path: of the image.
            name: of the mask, without suffix.
            image: `uint8` (H, W, 3), RGB.
            prediction: of the image.

        Raises:
            DataError: the name is too long.
        """
        self.predictions[name + path.suffix] = replace(prediction, labels=None)
        if prediction.labels is None or self.classes is None:
            return
        pictures = [prediction.labels]
        if self.overlays:
            pictures.append(overlay(image, prediction.labels, self.classes))
        header = PngInfo()
        header.add_text(MARK, self.mark(path))
        for target, picture in zip(self._files(name, large=False), pictures, strict=True):
            with self.writing(target) as partial:
                Image.fromarray(picture).save(partial, "png", pnginfo=header)

    @contextmanager
    def writing(self, target: Path) -> Iterator[Path]:
        """Yield a path to write to; `target` appears when that is complete.

        Raises:
            DataError: the name is too long.
        """
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with atomic_file(target) as partial:
                yield partial
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            raise DataError(f"{target} cannot be written: the name is too long.") from error
        self.written.append(target)

    def write_targets(self) -> None:
        """Write the image-level targets of all images, a row for each; without any, no file."""
        if self.columns is None or not self.predictions:
            return
        predictions = self.predictions.values()
        truth = empty_table(len(predictions), self.columns)
        table = TargetPredictions(
            self.columns,
            np.stack([prediction.probabilities for prediction in predictions]),
            np.stack([prediction.values for prediction in predictions]),
            truth.category,
            truth.values,
        )
        path = self.folder / TARGET_PREDICTIONS
        write_predictions(path, list(self.predictions), table, truth=False)
        self.written.append(path)

    def describe(self) -> str:
        """Return in words what was written."""
        masks = len(self.predictions) + self.in_windows
        words = [f"{masks} masks"] if self.classes is not None else []
        if self.columns is not None and self.predictions:
            words.append(TARGET_PREDICTIONS)
        return " and ".join(words)

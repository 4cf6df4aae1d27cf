"""Write predictions to a folder: masks, overlays and a table of image-level targets.

Masks and overlays carry a mark, see `segmentation.inference.marks`.
"""

import csv
import errno
import io
import os
import shutil
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segmentation.classes import ClassTable
from segmentation.data.images.geotiff import write_placed
from segmentation.data.targets.table import empty_table
from segmentation.errors import ConfigError, DataError
from segmentation.inference.marks import MARK, make_mark, mark_of, write_marked
from segmentation.inference.result import Result
from segmentation.inference.world_files import differ, world_files
from segmentation.metrics.targets import TargetPredictions
from segmentation.pictures import overlay
from segmentation.runs.target_predictions import TARGET_PREDICTIONS, write_predictions
from segmentation.system.escaping import csv_text
from segmentation.system.files import atomic_file, file_state
from segmentation.targets import TargetColumns

MOST_OF_HEADER = 2**20
"""Characters of a table that are read to see whose it is."""
OVERLAY, CONFIDENCE = "_overlay", "_confidence"
"""What the names of pictures beside a mask end in."""


@dataclass(frozen=True)
class Kinds:
    """The images that are not written as a PNG mask with its pictures.

    Attributes:
        large: predicted in windows, into a TIFF alone.
        placed: TIFFs with coordinates: the mask is one too.
    """

    large: Collection[Path] = ()
    placed: Collection[Path] = ()


class PredictionFiles:
    """Writes ``<name>.png`` for each image, and ``target_predictions.csv`` at the end.

    Args:
        folder: of the files.
        classes: of the model; None for one that does not segment.
        columns: its image-level targets; None for none.
        pictures: what is also written for each image: `OVERLAY`, the mask laid over the image, and
            `CONFIDENCE`, grey from 0 to 255 for a confidence from 0 to 1.
        facts: all that a prediction depends on besides its image, as plain values.
        kinds: which images are written otherwise.

    Attributes:
        written: the files so far.
        kept: the files of an earlier run with the same facts.
        targets: probabilities of categories and values, by file name of the image.
        in_windows: number of images whose masks were written window by window.
    """

    def __init__(
        self,
        folder: Path,
        classes: ClassTable | None,
        columns: TargetColumns | None,
        pictures: Sequence[str],
        facts: Mapping[str, Any],
        kinds: Kinds = Kinds(),
    ) -> None:
        self.folder = folder
        self.classes = classes
        self.columns = columns
        self.pictures = pictures
        self.kinds = kinds
        self.written: list[Path] = []
        self.kept: list[Path] = []
        self.targets: dict[str, tuple[Mapping[str, float], Mapping[str, float]]] = {}
        self.in_windows = 0
        self._facts = facts

    def mark(self, image: Path) -> str:
        """Return the mark of the files of an image."""
        return make_mark(self._facts, file_state(image))

    def foreign(self, names: Mapping[Path, str]) -> list[Path]:
        """Return the files that would be replaced and were not written here.

        Args:
            names: of the masks, without suffix, by image.

        Raises:
            DataError: two images would write the same file.
            ConfigError: an image would be replaced.
        """
        count = Counter(file for path, name in names.items() for file in self.files(path, name))
        if twice := [path for path in count if count[path] > 1]:
            kind = (CONFIDENCE if twice[0].stem.endswith(CONFIDENCE) else OVERLAY)[1:]
            raise DataError(
                f"{twice[0]} would be the mask of one image and the {kind} of another. Rename the "
                f"image, or omit {kind}=true."
            )
        images = set(map(os.path.realpath, names))
        if clash := [path for path in count if os.path.realpath(path) in images]:
            raise ConfigError(f"output={self.folder} would overwrite input images: {clash[0]}.")
        foreign = [path for path in count if os.path.exists(path) and mark_of(path) is None]
        copies = [pair for path, name in names.items() for pair in self._copies(path, name).items()]
        foreign += [target for target, source in copies if differ(target, source)]
        table = self.folder / TARGET_PREDICTIONS
        if self.columns is not None and table.exists() and not self._is_own_table(table):
            foreign.append(table)
        return foreign

    def mask_file(self, image: Path, name: str) -> Path:
        """Return the mask of an image."""
        as_tiff = image in self.kinds.large or image in self.kinds.placed
        return self.folder / f"{name}{'.tif' if as_tiff else '.png'}"

    def files(self, image: Path, name: str) -> list[Path]:
        """Return the mask and the pictures of an image; none of a model that does not segment."""
        if self.classes is None:
            return []
        pictures = () if image in self.kinds.large else self.pictures
        more = [self.folder / f"{name}{end}.png" for end in pictures]
        return [self.mask_file(image, name), *more]

    def _copies(self, image: Path, name: str) -> dict[Path, Path]:
        mask = self.mask_file(image, name)
        return world_files(image, mask) if self.classes and mask.suffix == ".png" else {}

    def _is_own_table(self, path: Path) -> bool:
        try:
            with path.open(encoding="utf-8", newline="") as file:
                start = io.StringIO(file.read(MOST_OF_HEADER), newline="")
            header = [csv_text(cell) for cell in next(csv.reader(start), [])]
        except (OSError, ValueError, csv.Error):
            return False
        assert self.columns is not None
        known = filter(None, (self.columns.category, *self.columns.values))
        return header[:1] == ["image"] and set(known) <= set(header)

    def keeps(self, image: Path, name: str) -> bool:
        """Return whether an earlier run has left the files of an image; they are then kept.

        Image-level targets are in a table of all images, for which each is predicted again.
        """
        files = [] if self.columns is not None else self.files(image, name)
        mark = self.mark(image)
        if not files or any(mark_of(path) != mark for path in files):
            return False
        self.kept += files
        return True

    def write(self, path: Path, name: str, result: Result) -> None:
        """Write the files of an image: an 8-bit index mask of its size, and its pictures.

        Args:
            path: of the image.
            name: of the mask, without suffix.
            result: the prediction for it.

        Raises:
            DataError: the name is too long.
        """
        self.targets[name + path.suffix] = result.category_probabilities, result.values
        if self.classes is None:
            return
        mark = self.mark(path)
        for target, source in self._copies(path, name).items():
            if not target.exists() or differ(target, source):
                with self.writing(target) as partial:
                    shutil.copyfile(source, partial)
        mask, *pictures = self.files(path, name)
        with self.writing(mask) as partial:
            if path in self.kinds.placed:
                write_placed(partial, path, result.mask, self.classes.palette(), {MARK: mark})
            else:
                write_marked(partial, result.mask, mark)
        for target, end in zip(pictures, self.pictures, strict=True):
            with self.writing(target) as partial:
                write_marked(partial, self._picture(end, result), mark)

    def _picture(self, end: str, result: Result) -> np.ndarray:
        if end == CONFIDENCE:
            return np.rint(255 * result.confidence).astype(np.uint8)
        assert self.classes is not None
        return overlay(result.picture, result.mask, self.classes)

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
        if self.columns is None or not self.targets:
            return
        truth = empty_table(len(self.targets), self.columns)
        probabilities, values = (
            np.array([list(part.values()) for part in parts], np.float32)
            for parts in zip(*self.targets.values(), strict=True)
        )
        table = TargetPredictions(self.columns, probabilities, values, truth.category, truth.values)
        path = self.folder / TARGET_PREDICTIONS
        write_predictions(path, list(self.targets), table, truth=False)
        self.written.append(path)

    def describe(self) -> str:
        """Return in words what was written."""
        masks = len(self.targets) + self.in_windows
        words = [f"{masks} masks"] if self.classes is not None else []
        if self.columns is not None and self.targets:
            words.append(TARGET_PREDICTIONS)
        return " and ".join(words)

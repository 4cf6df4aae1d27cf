"""Write predictions to a folder: masks, overlays and a table of image-level targets.

Masks and overlays carry a mark, see `segmentation.inference.marks`.
"""

import csv
import errno
import hashlib
import json
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from segmentation.classes import ClassTable
from segmentation.data.targets.table import empty_table
from segmentation.errors import ConfigError, DataError, listed
from segmentation.inference.marks import mark_of, write_marked
from segmentation.inference.result import Result
from segmentation.metrics.targets import TargetPredictions
from segmentation.pictures import overlay
from segmentation.runs.target_predictions import TARGET_PREDICTIONS, write_predictions
from segmentation.system.escaping import csv_text
from segmentation.system.files import atomic_file, file_state
from segmentation.targets import TargetColumns


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
        targets: probabilities of categories and values, by file name of the image.
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
        self.targets: dict[str, tuple[Mapping[str, float], Mapping[str, float]]] = {}
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

    def write(self, path: Path, name: str, result: Result) -> None:
        """Write the pictures of an image: an 8-bit index mask of its size, and its overlay.

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
        pictures = [result.mask]
        if self.overlays:
            pictures.append(overlay(result.picture, result.mask, self.classes))
        for target, picture in zip(self._files(name, large=False), pictures, strict=True):
            with self.writing(target) as partial:
                write_marked(partial, picture, self.mark(path))

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

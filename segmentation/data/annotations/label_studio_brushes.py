"""Label Studio's PNGs of brushes, several for an image: their names tell the task and the label."""

import re
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from segmentation.data.annotations.folder import Folder
from segmentation.data.annotations.regions import AnnotatedImage, Annotations, Region, count_text
from segmentation.data.annotations.rle import RunLengths, encode
from segmentation.data.annotations.shapes import Bitmap
from segmentation.data.files import read_mask
from segmentation.errors import DataError

BRUSH_FILE = re.compile(r"task-(\d+)-annotation-(\d+)-by-([^-]*)-([^-]+)-(.+)-(\d+)")
"""The name of a brush's PNG, without suffix."""
HALF = 127
"""Brightness above which a pixel of a brush's PNG, 0 or 255, is in the region."""


def read_brushes(folder: Folder, paths: Sequence[Path]) -> Annotations:
    """Read PNGs of brushes as one data set.

    Raises:
        DataError: the images of the tasks cannot be told.
    """
    notes: list[str] = []
    tasks: dict[int, dict[int, list[tuple[str, Path]]]] = {}
    for path in paths:
        if match := BRUSH_FILE.fullmatch(path.stem):
            annotations = tasks.setdefault(int(match[1]), {})
            annotations.setdefault(int(match[2]), []).append((match[5].strip(), path))
    if several := sum(len(annotations) > 1 for annotations in tasks.values()):
        notes.append(f"{count_text(several, 'task')} with several annotations: the last is used.")
    last = {task: annotations[max(annotations)] for task, annotations in sorted(tasks.items())}
    images = _images_of_tasks(folder, list(tasks), notes)
    regions: list[AnnotatedImage] = []
    for task, brushes in last.items():
        if (image := images.get(task)) is None:
            continue
        drawn = [Region(label, Bitmap(_File(path))) for label, path in brushes]
        split = folder.split_of(image)
        regions.append(AnnotatedImage(image, drawn, None, split, brushes[0][1]))
    unlisted = [path for path in folder.images if not BRUSH_FILE.fullmatch(path.stem)]
    if len(unlisted) > len(regions):
        notes.append(
            f"{count_text(len(unlisted) - len(regions), 'image')} without a brush: left out."
        )
    labels = sorted({label for brushes in last.values() for label, _ in brushes})
    number = count_text(len(paths), "brush PNG")
    return Annotations("Label Studio", number, dict.fromkeys(labels), regions, True, notes)


def _images_of_tasks(folder: Folder, tasks: Sequence[int], notes: list[str]) -> dict[int, Path]:
    """Return the image of each task, which the PNGs do not name.

    Raises:
        DataError: it cannot be told for every task.
    """
    photos = [path for path in folder.images if not BRUSH_FILE.fullmatch(path.stem)]
    named = _by_number(photos, r"task[-_]?(\d+)")
    if all(len(named.get(task, ())) == 1 for task in tasks):
        return {task: named[task][0] for task in tasks}

    # Tasks are numbered in the order of the upload: img1, img10, img2 are the tasks 1, 2, 3
    numbered = _by_number(photos, r".*?(\d+)")
    if all(len(numbered.get(task, ())) == 1 for task in tasks) and list(numbered) == sorted(
        numbered
    ):
        notes.append(
            "Label Studio's brush PNGs tell the task and not the image: each task's image is "
            "guessed, as the one whose name ends in its number. Compare the overlays of python "
            "check.py ... output=<folder>; to be sure, name the images task-<number>."
        )
        return {task: numbered[task][0] for task in tasks}
    raise DataError(
        f"{folder.base} holds Label Studio's brush PNGs, whose names tell the task and not the "
        f"image (task {tasks[0]}, ...). Export the project as JSON too and put that file beside "
        "them, or name each image task-<number>."
    )


def _by_number(paths: Sequence[Path], pattern: str) -> dict[int, list[Path]]:
    """Return paths by the number in their names, in the order of the names."""
    found: dict[int, list[Path]] = {}
    for path in sorted(paths, key=lambda path: path.name):
        if match := re.fullmatch(pattern, path.stem):
            found.setdefault(int(match[1]), []).append(path)
    return found


class _File:
    """A brush's PNG."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, size: tuple[int, int]) -> RunLengths:
        with Image.open(self.path, formats=("PNG",)) as image:
            if (image.height, image.width) != size:
                raise ValueError(
                    f"{self.path.name} is {image.width}x{image.height}, its image "
                    f"{size[1]}x{size[0]}"
                )
        try:
            values = read_mask(self.path)
        except DataError as error:
            raise ValueError(str(error)) from error
        return encode((values if values.ndim == 2 else values.max(axis=2)) > HALF)

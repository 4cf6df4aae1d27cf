"""Write a data set in the plain layout: images, index masks, and their class table."""

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from segmentation.classes import VOID, Entry
from segmentation.data.annotations.masks import write_mask
from segmentation.data.discovery.labels import Labels, write_table
from segmentation.data.discovery.layouts import Sample
from segmentation.data.discovery.scanned_dataset import TABLE_FILE, ScannedDataset
from segmentation.errors import DataError
from segmentation.system.files import PARTIAL
from segmentation.system.hardware import available_cores


def write_plain(source: ScannedDataset, folder: Path, root: Path) -> int:
    """Copy the images of a data set into a new folder, with masks of the labels that are learnt.

    That is `images/` and `masks/`, with a folder for each split unless the splits were drawn, and
    `classes.yaml`. Masks are PNG of indices 0 to C-1; void is 255.

    Args:
        source: the usable part of the data set.
        folder: where it is written; it appears when it is complete.
        root: the data set's own folder.

    Returns:
        The number of images.

    Raises:
        DataError: the folder is not empty, is inside of the data set's, or cannot be written.
    """
    folder = folder.absolute()
    if folder.resolve().is_relative_to(root.resolve()):
        raise DataError(
            f"convert={folder} is inside of the data set {root}: it would be found there as "
            "another one. Choose a folder elsewhere."
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(
            f"convert={folder} is there already: nothing is overwritten. Choose a new folder, or "
            "remove that one."
        )
    aside = folder.with_name(f"{folder.name}.{os.getpid()}{PARTIAL}")
    try:
        aside.mkdir(parents=True)
        tasks = list(_tasks(source, aside))
        with ThreadPoolExecutor(available_cores()) as pool:
            for _ in pool.map(partial(_write, source), tasks):
                pass  # an error cancels the tasks that have not begun
        write_table(aside / TABLE_FILE, _table(source.labels))
        aside.replace(folder)
    except OSError as error:
        raise DataError(f"convert={folder} cannot be written: {error}.") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return len(tasks)


def _tasks(source: ScannedDataset, folder: Path) -> Iterator[tuple[Sample, Path, Path]]:
    """Yield each sample with the files that its image and its mask become."""
    for split, rows in source.samples.items():
        below = "" if source.splits.drawn else split
        for sample in rows:
            if sample.mask is None:
                continue
            image = folder / "images" / below / f"{sample.name}{sample.image.suffix}"
            yield sample, image, folder / "masks" / below / f"{sample.name}.png"


def _write(source: ScannedDataset, task: tuple[Sample, Path, Path]) -> None:
    sample, image, mask = task
    image.parent.mkdir(parents=True, exist_ok=True)
    if source.reader.channels.files:  # the bands of an image keep their names (data.bands)
        for path in source.reader.files_of(sample.image):
            shutil.copyfile(path, image.with_name(path.name))
    else:
        shutil.copyfile(sample.image, image)
    if sample.mask is not None:
        write_mask(mask, source.labels.decode(source.labels.read(sample.mask), sample.mask))


def _table(labels: Labels) -> list[Entry]:
    classes = labels.classes
    rows = [
        Entry(name, color, index)
        for index, (name, color) in enumerate(zip(classes.names, classes.colors, strict=True))
    ]
    name = next(word for word in ("void", "ignored", "not labelled") if word not in classes.names)
    return [*rows, Entry(name, (0, 0, 0), VOID, void=True)]

"""Write a data set in the plain layout: images, index masks, and their class table."""

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, count
from pathlib import Path, PurePath

from segmentation.classes import Entry
from segmentation.data.annotations.draw_masks import void_entry, write_mask
from segmentation.data.discovery.class_table import TABLE_FILE
from segmentation.data.discovery.layouts import Sample
from segmentation.data.discovery.scanned_dataset import ScannedDataset
from segmentation.data.masks.labels import Labels, write_table
from segmentation.errors import DataError
from segmentation.system.files import PARTIAL, sync
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
    folder = folder.resolve()
    if folder.is_relative_to(root.resolve()):
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
    except OSError as error:
        raise DataError(f"convert={folder} cannot be written: {error}.") from error
    try:
        tasks = list(_tasks(source, aside))
        with ThreadPoolExecutor(available_cores()) as pool:
            for _ in pool.map(partial(_write, source), tasks):
                pass  # an error cancels the tasks that have not begun
        write_table(aside / TABLE_FILE, _table(source.labels))
        sync(aside)
        aside.replace(folder)
    except OSError as error:
        raise DataError(f"convert={folder} cannot be written: {error}.") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return len(tasks)


@dataclass(frozen=True)
class _Task:
    """A sample, and where its files go."""

    sample: Sample
    copies: dict[Path, Path]
    """The files of its image by their new place."""
    mask: Path


def _tasks(source: ScannedDataset, folder: Path) -> Iterator[_Task]:
    """Yield what is to be written for each sample; no two write the same file."""
    taken: dict[str, Path] = {}
    for split, rows in source.samples.items():
        below = "" if source.splits.drawn else split
        for sample in rows:
            if sample.mask is None:
                continue
            path = Path(below, inner_path(sample.name))
            numbered = (path.parent / str(number) / path.name for number in count(2))
            for name in chain([path], numbered):
                task = _task(source, sample, folder, name)
                sources = {**task.copies, task.mask: sample.mask}
                # Files that differ in case alone are one file on some disks
                if all(taken.get(str(to).lower(), of) == of for to, of in sources.items()):
                    break
            copies = {to: of for to, of in task.copies.items() if str(to).lower() not in taken}
            taken |= {str(to).lower(): of for to, of in sources.items()}
            yield replace(task, copies=copies)


def _task(source: ScannedDataset, sample: Sample, folder: Path, name: Path) -> _Task:
    image = folder / "images" / f"{name}{sample.image.suffix}"
    copies = {image: sample.image}
    if source.reader.channels.files:  # the bands of an image keep their names (data.bands)
        bands = source.reader.files_of(sample.image)
        copies = {image.with_name(path.name): path for path in bands}
    return _Task(sample, copies, folder / "masks" / f"{name}.png")


def inner_path(name: str) -> Path:
    """Return a sample's name as a path that leads out of no folder.

    Names from a table of pairs are paths as they were typed: absolute, or with `..`.
    """
    path = PurePath(name)
    parts = [part for part in path.parts if part not in (path.anchor, "..")]
    return Path(*parts) if parts else Path("image")


def _write(source: ScannedDataset, task: _Task) -> None:
    for target, path in task.copies.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        _copy(path, target)
    if (mask := task.sample.mask) is not None:
        write_mask(task.mask, source.labels.decode(source.labels.read(mask), mask))


def _copy(source: Path, target: Path) -> None:
    """Copy a file to a place where none is yet."""
    with source.open("rb") as read, target.open("xb") as written:
        shutil.copyfileobj(read, written)


def _table(labels: Labels) -> list[Entry]:
    classes = labels.classes
    rows = [
        Entry(name, color, index)
        for index, (name, color) in enumerate(zip(classes.names, classes.colors, strict=True))
    ]
    return [*rows, void_entry(classes.names)]

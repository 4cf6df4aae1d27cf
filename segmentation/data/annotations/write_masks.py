"""Convert annotations to masks and a class table in a folder."""

import os
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.progress import track

from segmentation.classes import VOID
from segmentation.console import PlainConsole
from segmentation.data.annotations.conversion import TABLE, Conversion
from segmentation.data.annotations.draw_masks import (
    Drawn,
    class_indices,
    draw_mask,
    void_entry,
    write_mask,
)
from segmentation.data.annotations.folder import Folder
from segmentation.data.annotations.regions import AnnotatedImage, Annotations, count_text
from segmentation.data.discovery.layouts import Sample
from segmentation.data.masks.labels import write_table
from segmentation.errors import DataError
from segmentation.system.hardware import available_cores


def write_masks(annotations: Annotations, folder: Folder, destination: Path) -> Conversion:
    """Draw the masks of annotated images, and write them with the class table.

    An image that cannot be used is among the failures of the result.

    Raises:
        DataError: too many classes, or images that are annotated twice.
    """
    indices, table = class_indices(annotations)
    samples, failures, totals = _draw(annotations, indices, folder, destination / "masks")

    # The class table: background and void as far as they occur
    void = [entry for entry in table if entry.void]
    if totals.void and not void:
        table.append(void_entry([entry.name for entry in table]))
    if not totals.background and len(table) > 1:
        table = table[1:]
    write_table(destination / TABLE, table)

    # What is said of it
    top = "smaller" if annotations.smaller_on_top else "later"
    remarks = [
        f"where objects overlap the {top} is on top ({totals.share(totals.overlapping)} of the "
        f"pixels)",
        f"background is {totals.share(totals.background)} of the pixels",
        *(f"the class {entry.name} is void" for entry in void),
        *annotations.remarks,
    ]
    if totals.empty:
        remarks.append(f"{count_text(totals.empty, 'image')} without any region: all background")
    notes = list(annotations.notes)
    if totals.invisible:
        notes.append(
            f"{count_text(totals.invisible, 'region')} without a pixel (smaller than one, or "
            "outside of the image): not in any mask."
        )
    description = (
        f"{annotations.format} annotations: {annotations.files}, "
        f"{count_text(len(annotations.classes), 'class', 'classes')}, "
        f"{count_text(totals.images, 'image')}, {count_text(totals.regions, 'region')}"
    )
    return Conversion(description, samples, notes, remarks, failures)


def _draw(
    annotations: Annotations, indices: Mapping[str, int], folder: Folder, masks: Path
) -> tuple[dict[str, list[Sample]], list[str], "_Totals"]:
    """Draw and write all masks; return the samples, why images failed, and sums."""
    splits = _named(folder, annotations.images)
    tasks = [
        (image, name, masks / split / f"{name}.png")
        for split, images in splits.items()
        for name, image in images.items()
    ]

    def draw(task: tuple[AnnotatedImage, str, Path]) -> Drawn | str:
        image, _, path = task
        if image.problem:
            return image.problem
        try:
            drawn = draw_mask(image, indices, annotations.smaller_on_top)
        except DataError as error:
            return str(error)
        write_mask(path, drawn.values)
        return drawn

    samples: dict[str, list[Sample]] = {split: [] for split in splits}
    failures, totals = [], _Totals()
    with ThreadPoolExecutor(available_cores()) as pool:
        results = _progress(pool.map(draw, tasks), len(tasks))
        for (image, name, path), drawn in zip(tasks, results, strict=True):
            if isinstance(drawn, str):
                failures.append(drawn)
                continue
            samples[image.split].append(Sample(name, image.path, path))
            totals.add(drawn)
    return samples, failures, totals


@dataclass
class _Totals:
    """Sums over all masks."""

    images: int = 0
    pixels: int = 0
    background: int = 0
    void: int = 0
    regions: int = 0
    invisible: int = 0
    overlapping: int = 0
    empty: int = 0

    def add(self, drawn: Drawn) -> None:
        self.images += 1
        self.pixels += drawn.values.size
        self.background += int((drawn.values == 0).sum())
        self.void += int((drawn.values == VOID).sum())
        self.regions += drawn.regions
        self.invisible += drawn.invisible
        self.overlapping += drawn.overlapping
        self.empty += drawn.regions == 0

    def share(self, pixels: int) -> str:
        return f"{pixels / max(self.pixels, 1):.1%}"


def _named(
    folder: Folder, images: Iterable[AnnotatedImage]
) -> dict[str, dict[str, AnnotatedImage]]:
    """Return the images by split and by a name that is theirs alone in it.

    Raises:
        DataError: an image is annotated twice, or two have the same path but for the suffix.
    """
    splits: dict[str, list[AnnotatedImage]] = {}
    for image in images:
        splits.setdefault(image.split, []).append(image)
    named: dict[str, dict[str, AnnotatedImage]] = {}
    for split, rows in splits.items():
        # Absolute paths: data.root and data.annotations may be typed in either way
        paths = {row: Path(os.path.abspath(row.path)) for row in rows}
        base = os.path.commonpath([path.parent for path in paths.values()])
        own = named.setdefault(split, {})
        for row in rows:
            name = paths[row].relative_to(base).with_suffix("").as_posix()
            if name in own:
                other = own[name]
                raise DataError(
                    f"{folder.where(row.source)} annotates {folder.where(row.path)} again, after "
                    f"{folder.where(other.source)} with {other.path.name}. Remove one of the two."
                )
            own[name] = row
    return named


def _progress(results: Iterable[Drawn | str], total: int) -> Iterable[Drawn | str]:
    return track(
        results,
        "drawing masks",
        total,
        console=PlainConsole(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )

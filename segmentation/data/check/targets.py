"""Image-level targets: images without a row, empty cells, rare categories, odd numbers."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from segmentation.data.check.finding import Example, Finding, Item, count
from segmentation.data.discovery.layouts import Sample
from segmentation.data.discovery.scanned_dataset import ScannedDataset
from segmentation.data.targets.columns import column_names
from segmentation.data.targets.files import ImageIndex, find_target_files, read_target_file
from segmentation.errors import DataError, listed

FAR = 3.0
"""A number is an outlier so many interquartile ranges beyond the quartiles (Tukey's "far out")."""
LEAST = 8
"""Fewer numbers than this have no outliers."""
SHOWN = 6  # categories that the summary names


@dataclass(frozen=True)
class TargetCellsFound:
    """What the files of targets say, whatever of it is learnt.

    Attributes:
        files: their paths.
        cells: the text of each column, by image; images without a row are absent.
        strangers: what rows name that no split has.
    """

    files: list[Path]
    cells: dict[str, dict[Sample, str]] = field(default_factory=dict)
    strangers: list[str] = field(default_factory=list)


def read_targets(root: Path, source: ScannedDataset, file: Path | None) -> TargetCellsFound | None:
    """Read every column of the files of targets; None where there is no file.

    Raises:
        DataError: a file that cannot be used.
    """
    everything = {**source.splits.unselected, **source.samples}
    if file is None:
        try:
            files = find_target_files(root, [one for rows in everything.values() for one in rows])
        except DataError:
            return None
    else:
        files = [file]
    cells: dict[str, dict[Sample, str]] = defaultdict(dict)
    strangers = []
    for path in files:
        folder = root if file else path.parent
        places = ImageIndex(everything, folder, only_below=folder != root)
        for row in read_target_file(path, column_names(path)):
            sample = places.find(row)
            if sample is None:
                strangers.append(row.image)
                continue
            for column, cell in row.cells.items():
                cells[column][sample] = cell
    return TargetCellsFound(files, dict(cells), strangers)


def describe_targets(found: TargetCellsFound, learnt: Mapping[str, str]) -> str:
    """Return the columns in words, and what to type to learn them.

    Args:
        found: see `read_targets`.
        learnt: the columns that training learns, ``"category"`` or ``"values"`` by name.
    """
    told = [_describe(column, found.cells[column], learnt) for column in found.cells]
    files = listed([str(path) for path in found.files], 3)
    if learnt:
        return f"{files}: {'; '.join(told)}"
    return (
        f"{files}: {'; '.join(told)}. Not learnt: pass task.targets.category=<column> or "
        "task.targets.values=[<column>]"
    )


def _describe(column: str, cells: Mapping[Sample, str], learnt: Mapping[str, str]) -> str:
    filled = [cell for cell in cells.values() if cell]
    numbers = None if learnt.get(column) == "category" else _numbers(filled)
    if not filled:
        what = "empty"
    elif numbers is not None:
        what = f"numbers {min(numbers):.4g} to {max(numbers):.4g}"
    else:
        counts = Counter(filled)
        ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
        told = [f"{name} {times}" for name, times in ranked]
        what = f"categories {listed(told, SHOWN)}"
    rest = f", {len(cells) - len(filled)} empty" if filled and len(filled) < len(cells) else ""
    unused = ", not learnt" if learnt and column not in learnt else ""
    return f"{column} ({what}{rest}{unused})"


def check_targets(
    source: ScannedDataset, found: TargetCellsFound, learnt: Mapping[str, str]
) -> Iterator[Finding]:
    """Find what is missing, rare or odd in the targets.

    Args:
        source: the data set.
        found: see `read_targets`.
        learnt: see `describe_targets`.
    """
    if found.strangers:
        yield Finding(
            "warning", "targets-strangers",
            f"{count(len(found.strangers), 'row')} of targets name images that are in no split: "
            f"{listed(found.strangers)}. They are left out.",
        )  # fmt: skip
    yield from _without_row(source, found, learnt)
    for column, cells in found.cells.items():
        yield from _empty(source, column, cells, column in learnt)
        if learnt.get(column) != "category" and _numbers(list(filter(None, cells.values()))):
            yield from _outliers(source, column, cells)
        elif learnt.get(column) == "category" or column not in learnt:
            yield from _categories(source, column, cells, column in learnt)


def _without_row(
    source: ScannedDataset, found: TargetCellsFound, learnt: Mapping[str, str]
) -> Iterator[Finding]:
    """Find images that no row names."""
    there = set().union(*found.cells.values())
    examples = [
        (split, Example((_item(split, sample),)))
        for split, samples in source.samples.items()
        for sample in samples
        if sample not in there
    ]
    if examples:
        counts = Counter(split for split, _ in examples)
        told = ", ".join(f"{counts[split]} of {len(source.samples[split])} in {split}"
                         for split in counts)  # fmt: skip
        yield Finding(
            "warning" if learnt else "note", "targets-missing",
            f"{count(len(examples), 'image')} without a row of targets ({told}), such as "
            f"{examples[0][1].items[0].name}: no target is learnt or scored there.",
            tuple(example for _, example in examples),
        )  # fmt: skip


def _empty(
    source: ScannedDataset, column: str, cells: Mapping[Sample, str], learnt: bool
) -> Iterator[Finding]:
    """Find splits without any entry in a column."""
    for split, samples in source.samples.items():
        if not any(cells.get(sample) for sample in samples):
            yield Finding(
                "warning" if learnt else "note", "targets-empty",
                f"the column {column} is empty for every image of {split}.",
            )  # fmt: skip


def _categories(
    source: ScannedDataset, column: str, cells: Mapping[Sample, str], learnt: bool
) -> Iterator[Finding]:
    """Find categories that train lacks, or has once."""
    counts = {
        split: Counter(cells[sample] for sample in samples if cells.get(sample))
        for split, samples in source.samples.items()
    }
    train = counts.get("train", Counter())
    if sum(train.values()) and len(train) > sum(train.values()) / 2:
        return  # free text or names
    for split, own in counts.items():
        if unseen := sorted(set(own) - set(train)):
            yield Finding(
                "warning" if learnt else "note", "targets-unseen",
                f"the column {column} has {listed(unseen)} in {split}, and never in train: that "
                "can't be learnt, and training refuses to score it.",
            )  # fmt: skip
    if once := sorted(name for name, times in train.items() if times == 1):
        yield Finding(
            "note", "targets-rare",
            f"the column {column} has one image of train only for {listed(once)}.",
        )  # fmt: skip


def _outliers(
    source: ScannedDataset, column: str, cells: Mapping[Sample, str]
) -> Iterator[Finding]:
    """Find numbers that are far from all others."""
    rows = [
        (split, sample, float(cells[sample]))
        for split, samples in source.samples.items()
        for sample in samples
        if cells.get(sample)
    ]
    if len(rows) < LEAST:
        return
    values = np.array([value for _, _, value in rows])
    low, high = np.percentile(values, [25, 75])
    reach = FAR * (high - low)
    odd = (values < low - reach) | (values > high + reach)
    if reach == 0 or not odd.any():
        return
    rest = values[~odd]
    examples = [
        Example((_item(split, sample),), f"{column} {value:.4g}")
        for (split, sample, value), far in zip(rows, odd, strict=True)
        if far
    ]
    told = [f"{one.note.rpartition(' ')[2]} of {one.items[0].name}" for one in examples]
    yield Finding(
        "warning", "targets-outliers",
        f"{count(len(examples), 'number')} of the column {column} far from the others, which are "
        f"{rest.min():.4g} to {rest.max():.4g}: {listed(told, 3)}. Is the unit the same?",
        tuple(examples),
    )  # fmt: skip


def _numbers(cells: list[str]) -> list[float] | None:
    """Return cells as numbers; None if there are none, or any is not one."""
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError:
        return None
    return numbers if numbers and all(map(math.isfinite, numbers)) else None


def _item(split: str, sample: Sample) -> Item:
    return Item(split, sample.name, sample.image, sample.mask)

"""What the check found: its level, its kind, a sentence, and the files it is about."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from segmentation.data.discovery.scanned_dataset import ScannedDataset

Level = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = ("error", "warning", "note")

TITLES = {
    "looking": "Said while the files were found",
    "first-step": "The first step of training",
    "no-mask": "Images without a mask",
    "no-image": "Masks without an image",
    "unusable": "Pairs that cannot be used",
    "nothing-labelled": "A split without labels",
    "unlabelled": "Masks that are all void",
    "one-class": "Masks of one class only",
    "much-void": "Much void",
    "blank": "Images of one colour",
    "exposure": "Images nearly black or nearly white",
    "mixed-sizes": "Images of several sizes",
    "odd-sizes": "Images of an odd size",
    "in-two-splits": "The same image in two splits",
    "alike": "Images of two splits that look the same",
    "not-compared": "Images that were not compared",
    "group-in-two-splits": "Groups in two splits",
    "camvid-split": "CamVid in another split than the published one",
    "video": "A video in two splits",
    "twice": "The same image twice in a split",
    "two-masks": "The same image with two masks",
    "shared-mask": "The same mask for different images",
    "absent-class": "Classes that a split lacks",
    "rare-class": "Rare classes",
    "shift": "Splits that differ",
    "targets": "Image-level targets that cannot be used",
    "targets-strangers": "Targets of unknown images",
    "targets-missing": "Images without targets",
    "targets-empty": "Splits without a target",
    "targets-unseen": "Categories that train lacks",
    "targets-rare": "Categories of one image",
    "targets-outliers": "Numbers far from the others",
}
"""The kinds of findings and their headings, in the order of the report."""

STOPPING = ("first-step", "no-mask", "unusable", "nothing-labelled", "targets")
"""The kinds whose errors stop a training before it starts; other errors spoil its score."""


@dataclass(frozen=True)
class Item:
    """A file or a pair that a finding is about; `split` is empty where it belongs to none."""

    split: str
    name: str
    image: Path | None = None
    mask: Path | None = None


@dataclass(frozen=True)
class Example:
    """One case of a finding: an item, or several that have to do with each other.

    Attributes:
        items: what to look at.
        note: what is the matter with these.
    """

    items: tuple[Item, ...]
    note: str = ""


@dataclass(frozen=True)
class Finding:
    """Something about a data set that its user should know.

    Attributes:
        level: an error makes a training or its score worthless, a warning may; a note is a fact.
        kind: a key of `TITLES`.
        message: one or two sentences: what, where, and what to do.
        examples: every case, the most telling ones first.
    """

    level: Level
    kind: str
    message: str
    examples: tuple[Example, ...] = ()

    @property
    def title(self) -> str:
        """The heading of its kind."""
        return TITLES[self.kind]


def item(source: ScannedDataset, split: str, row: int) -> Item:
    """Return one pair of a split."""
    sample = source.samples[split][row]
    return Item(split, sample.name, sample.image, sample.mask)


def marked(source: ScannedDataset, marks: dict[str, np.ndarray]) -> tuple[Example, ...]:
    """Return the pairs that are marked: a boolean (n,) by split."""
    return tuple(
        Example((item(source, split, row),))
        for split, found in marks.items()
        for row in np.flatnonzero(found).tolist()
    )


def readable(source: ScannedDataset) -> ScannedDataset:
    """Return the part of a data set whose files can be read; splits without any are left out."""
    good = {split: found.problem == "" for split, found in source.scans.items()}
    return source.select({split: rows for split, rows in good.items() if rows.any()})


def count(number: int, noun: str) -> str:
    """Return ``"1 image"`` or ``"5 images"``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def by_split(examples: Iterable[Example]) -> str:
    """Return how many cases each split has, as in ``"3 in train, 1 in val"``."""
    counts: dict[str, int] = {}
    for example in examples:
        splits = " and ".join(dict.fromkeys(one.split for one in example.items))
        counts[splits] = counts.get(splits, 0) + 1
    return ", ".join(f"{number} in {splits}" for splits, number in counts.items())

"""Read the splits that a data set brings as lists of names, such as VOC's ImageSets/."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath

from segmentation.data.discovery.layouts import IMAGE_SUFFIXES, SPLITS, WORDS, Sample
from segmentation.data.files import read_text
from segmentation.errors import DataError, listed

TRAINVAL = "trainval.txt"
PLACES = ("ImageSets/Segmentation", "ImageSets", "splits", "split", "lists", "")
"""Where lists lie below a data set's root, the likeliest first; case is ignored."""


@dataclass(frozen=True)
class Listed:
    """Samples in the splits of lists.

    Attributes:
        samples: by split.
        lists: the file of each split.
        unlisted: samples that no list names.
        missing: names that no sample has.
    """

    samples: dict[str, list[Sample]]
    lists: dict[str, Path]
    unlisted: list[Sample] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def find_lists(root: Path) -> dict[str, Path]:
    """Return the list of each split below a data set's root, those of one folder.

    Lists are called train.txt, val.txt, test.txt, or by another of a split's names. Without a list
    of train, trainval.txt is one, less what val.txt names.
    """
    for place in PLACES:
        folder = _folder(root, place)
        if folder is None:
            continue
        there = {path.name.lower(): path for path in sorted(folder.glob("*.txt"))}
        lists = {
            split: there[f"{word}.txt"]
            for split in SPLITS
            for word in reversed(WORDS[split])
            if f"{word}.txt" in there
        }
        if "trainval.txt" in there and "train" not in lists:
            lists = {"train": there[TRAINVAL], **lists}
        if "train" in lists:
            return lists
    return {}


def apply_lists(samples: Sequence[Sample], lists: dict[str, Path]) -> Listed:
    """Divide samples among splits as lists say.

    A line names an image by its path, or the end of it, with or without suffix; what follows it
    (a mask, a number) is not used. Of a line with folders an end counts that has the folders of
    the sample's name.

    Raises:
        DataError: a list names no sample at all, or a sample is in two lists.
    """
    by_end: dict[str, list[Sample]] = {}
    for sample in samples:
        for end in _ends(sample.image.with_suffix("")):
            by_end.setdefault(end, []).append(sample)
    result: dict[str, list[Sample]] = {}
    owner: dict[Sample, Path] = {}
    missing: list[str] = []
    val_first = sorted(lists, key=lambda split: lists[split].name == TRAINVAL)
    for split in val_first:
        path = lists[split]
        found: dict[Sample, None] = {}
        for line in filter(None, map(str.strip, read_text(path).splitlines())):
            matches = (_match(_path(word), by_end) for word in _words(line))
            match = next(filter(None, matches), [])
            if not match:
                missing.append(line)
            elif len(match) > 1:
                names = listed([str(sample.image) for sample in match], 2)
                raise DataError(f"{path}: {line!r} may be any of {names}. Write more of its path.")
            else:
                found[match[0]] = None
        if path.name == TRAINVAL:
            found = {sample: None for sample in found if sample not in owner}
        for sample in found:
            if (other := owner.setdefault(sample, path)) != path:
                raise DataError(f"{sample.name} is in {other} and in {path}: remove it from one.")
        if not found:
            raise DataError(
                f"{path} names no image that has a mask, such as {listed(missing[-3:], 3)}. "
                "Correct it, or take it away."
            )
        result[split] = sorted(found, key=lambda sample: sample.name)
    unlisted = [sample for sample in samples if sample not in owner]
    ordered = {split: result[split] for split in lists}
    return Listed(ordered, lists, unlisted, missing)


def _folder(root: Path, place: str) -> Path | None:
    folder = root
    for part in filter(None, place.split("/")):
        there = {path.name.lower(): path for path in folder.iterdir() if path.is_dir()}
        if part.lower() not in there:
            return None
        folder = there[part.lower()]
    return folder


def _match(path: PurePath, by_end: dict[str, list[Sample]]) -> list[Sample]:
    """Return the samples with the longest end of a path."""
    for end in _ends(path):
        found = by_end.get(end, [])
        parts = end.count("/") + 1
        if parts < len(path.parts):  # what the end leaves out must not be a folder of the names'
            found = [sample for sample in found if sample.name.count("/") < parts]
        if found:
            return found
    return []


def _words(line: str) -> list[str]:
    """Return what in a line may be the image's name: all of it, or its first word."""
    return [line, *line.replace(",", " ").replace("\t", " ").split()[:1]]


def _path(word: str) -> PurePosixPath:
    """Return a listed path without the suffix, if it is one that images have."""
    path = PurePosixPath(word.replace("\\", "/").lstrip("/"))
    return path.with_suffix("") if path.suffix.lower() in IMAGE_SUFFIXES else path


def _ends(path: PurePath) -> list[str]:
    """Return the ends of a path, at most four parts, the longest first."""
    parts = path.parts
    return ["/".join(parts[start:]) for start in range(max(0, len(parts) - 4), len(parts))]

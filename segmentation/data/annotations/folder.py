"""The files of a data set: annotation files by suffix, and images found by the names in them."""

import contextlib
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import takewhile
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from segmentation.data.annotations.regions import count_text
from segmentation.data.discovery.layouts import IMAGE_SUFFIXES, SPLITS, WORDS, image_files_below
from segmentation.errors import DataError, listed

SUFFIXES = (
    ".json", ".jsonl", ".ndjson", ".xml", ".txt", ".yaml", ".yml", ".csv", ".names",
    ".labels", ".parquet",
)  # fmt: skip
"""Suffixes of files that annotations may be in."""
SPLIT_WORDS = {word: split for split in SPLITS for word in WORDS[split]}
IMAGE_WORDS = {word.lower() for word in WORDS["images"]}
MASK_WORDS = {word.lower() for word in WORDS["masks"]}
YAML = (".yaml", ".yml")
FEW = 20
PLAIN_WORDS = {
    *IMAGE_WORDS, *MASK_WORDS, "coco", "data", "dataset", "instances", "json", "set", "split",
    "stuff", "yolo",
}  # fmt: skip
"""Words that say nothing beside a split's."""


class Folder:
    """The files below a data set's root.

    Args:
        root: the data set's folder, where the images are.
        chosen: the only annotation file, or the folder of the only ones; None: all below `root`. Of
            YOLO and Supervisely it is the file that describes the others, which lie in its folder.
        few: of each folder only the first files of each suffix, which tell the format.

    Raises:
        DataError: a file name that is not printable text.
    """

    def __init__(self, root: Path, chosen: Path | None = None, few: bool = False) -> None:
        self.root = root
        self.chosen = chosen
        base = chosen or root
        self.base = base if base.is_dir() else base.parent
        """The folder of the annotations."""
        self._others: dict[str, list[Path]] = {}
        describes = base.is_file() and (base.suffix in YAML or base.name == "meta.json")
        for path in _files_below(self.base if describes else base, few):
            self._others.setdefault(path.suffix.lower(), []).append(path)
        if describes and base.suffix in YAML:  # data.yaml, of files that lie below its folder
            self._others |= {suffix: [] for suffix in YAML} | {base.suffix: [base]}

    def files(self, *suffixes: str) -> list[Path]:
        """Return the annotation files with these suffixes, sorted."""
        return sorted(path for suffix in suffixes for path in self._others.get(suffix, ()))

    def all_files(self) -> list[Path]:
        """Return every file that a conversion depends on: annotations and images."""
        return sorted({*self.images, *(path for paths in self._others.values() for path in paths)})

    @cached_property
    def images(self) -> list[Path]:
        """Every image below the root, and below the annotations' own folder."""
        found = dict.fromkeys(image_files_below(self.root))
        if not self.base.resolve().is_relative_to(self.root.resolve()):
            found |= dict.fromkeys(image_files_below(self.base))
        return list(found)

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        return _group(self.images, lambda path: path.name)

    @cached_property
    def _by_lower_name(self) -> dict[str, list[Path]]:
        return _group(self.images, lambda path: path.name.lower())

    @cached_property
    def _by_stem(self) -> dict[str, list[Path]]:
        return _group(self.images, lambda path: path.stem)

    def find_image(self, name: str, source: Path, split: str = "") -> Path | None:
        """Find an image by the name that an annotation file has for it.

        The name may be a path on another computer or an address: of several images with its last
        part, that with the most folders in common is meant.

        Args:
            name: a name or path, with a suffix.
            source: the annotation file; images beside it come first.
            split: images in folders of this split come first.

        Raises:
            DataError: several images fit equally well.
        """
        parts = _parts(name)
        if not parts:
            return None
        candidates = self._by_name.get(parts[-1])
        if candidates is None:  # Label Studio's uploads carry a random prefix
            bare = re.sub(r"^[0-9a-f]{8}-", "", parts[-1])
            candidates = self._by_name.get(bare) or self._by_lower_name.get(parts[-1].lower())
        if candidates is None and Path(parts[-1]).suffix.lower() not in IMAGE_SUFFIXES:
            candidates = self._by_stem.get(parts[-1])
        return self._choose(candidates, parts[:-1], source, split, name)

    def find_images(
        self, names: Sequence[str], source: Path, splits: Sequence[str], notes: list[str]
    ) -> list[Path | None]:
        """Find the images that one annotation file names, each with its split, see `find_image`.

        Where some lie in the folders that they are named with, or in those of their split, one that
        lies elsewhere alone is another image of the same name: it is not found.
        """
        found = [
            self.find_image(name, source, split) for name, split in zip(names, splits, strict=True)
        ]

        # Folders: as many in common as the others have
        folders = [_parts(name)[:-1] for name in names]
        shared = [
            0 if path is None else _count_shared(path, parts)
            for path, parts in zip(found, folders, strict=True)
        ]
        most = max(shared, default=0)
        found = [
            path if count >= min(most, len(parts)) else None
            for path, count, parts in zip(found, shared, folders, strict=True)
        ]

        # Splits
        homes = ["" if path is None else self.split_of(path) for path in found]
        pairs = list(zip(homes, splits, strict=True))
        own = {split for home, split in pairs if split and home == split}
        found = [
            path if not home or split not in own or home == split else None
            for path, (home, split) in zip(found, pairs, strict=True)
        ]
        if strange := {(home, split) for home, split in pairs if home and split not in ("", home)}:
            for home, split in sorted(strange):
                if split not in own:
                    notes.append(
                        f"{self.where(source)}: images of {split} lie in folders of {home} only, "
                        "where they are taken from."
                    )
        return found

    def find_stem(self, stem: str, source: Path, split: str = "") -> Path | None:
        """Find an image by its name without suffix, see `find_image`."""
        return self._choose(self._by_stem.get(stem), (), source, split, stem)

    def _choose(
        self,
        candidates: Sequence[Path] | None,
        folders: Sequence[str],
        source: Path,
        split: str,
        name: str,
    ) -> Path | None:
        if not candidates:
            return None
        if len(candidates) == 1:
            return candidates[0]

        def fits(path: Path) -> tuple[int, bool, bool, int]:
            common = _count_shared(path, folders)
            own_split = bool(split) and self.split_of(path) == split
            near = len(os.path.commonpath([path.parent.absolute(), source.parent.absolute()]))
            return common, not is_mask_folder(path.parent.name), own_split, near

        ranked = sorted(candidates, key=fits, reverse=True)
        if fits(ranked[0]) == fits(ranked[1]):
            raise DataError(
                f"{source} names the image {name}, and there are several: {ranked[0]} and "
                f"{ranked[1]}. Remove one, or give it another name."
            )
        return ranked[0]

    def split_of(self, path: Path) -> str:
        """Return the split that a path's folders below the root name, or an empty string."""
        for base in (self.root, self.base):
            if path.is_relative_to(base):
                return split_in(path.relative_to(base).parts[:-1])
        return ""

    def names(self, images: Iterable[Path]) -> set[str]:
        """Return the names of the folders of images, and of annotation files and their folders."""
        files = [path.with_suffix("") for path in self.files(*SUFFIXES)]
        paths = {*files, *(image.parent for image in images)}
        bases = (self.root, self.base)
        return {
            part
            for path in paths
            for base in bases
            if path.is_relative_to(base)
            for part in path.relative_to(base).parts
        }

    def note_missing(
        self, source: Path, missing: Sequence[str], total: int, notes: list[str]
    ) -> None:
        """Note the images that an annotation file names and that are not there.

        Raises:
            DataError: none of them is there.
        """
        if missing and len(missing) == total:
            alike = [
                path
                for name in missing
                for path in self._by_stem.get(_stem(name), ())
                if path.name != _parts(name)[-1]
            ]
            if alike:
                raise DataError(
                    f"{self.where(source)} names {missing[0]}, and the image is called "
                    f"{self.where(alike[0])}: another suffix. Save the images as they were "
                    "annotated, or rename them in the annotations."
                )
            raise DataError(
                f"none of the {count_text(total, 'image')} that {self.where(source)} names is in "
                f"{self.root} ({listed(list(missing), 3)}). Put the images there: in a folder "
                "images/, or beside the annotations."
            )
        if missing:
            notes.append(
                f"{self.where(source)}: {len(missing):,} of {count_text(total, 'image')} are not "
                f"there and left out: {listed(list(missing))}."
            )

    def where(self, path: Path) -> str:
        """Return a path relative to the root where it lies below it, for messages."""
        below = path != self.root and path.is_relative_to(self.root)
        return path.relative_to(self.root).as_posix() if below else str(path)


def _count_shared(path: Path, folders: Sequence[str]) -> int:
    """Return how many of an image's folders are those of its name, from the last one on."""
    pairs = zip(reversed(path.parts[:-1]), reversed(folders), strict=False)
    return len(list(takewhile(lambda pair: _alike(*pair), pairs)))


def shares_folder(path: Path, name: str) -> bool:
    """Return whether an image lies in a folder of the last name that its own name has."""
    return _count_shared(path, _parts(name)[:-1]) > 0


def _alike(one: str, other: str) -> bool:
    one, other = one.lower(), other.lower()
    return SPLIT_WORDS.get(one, one) == SPLIT_WORDS.get(other, other)


def is_mask_folder(name: str) -> bool:
    """Return whether a folder is called as those of image masks are."""
    word = re.split(r"[_ -]", name.lower())[-1]
    return word in MASK_WORDS or word.startswith("segmentation") or word.endswith("annot")


def split_in(parts: Iterable[str]) -> str:
    """Return the split that the words of file or folder names stand for, the last one first."""
    for part in reversed(list(parts)):
        for word in reversed(re.findall(r"[a-z]+", part.lower())):
            if word in SPLIT_WORDS:
                return SPLIT_WORDS[word]
    return ""


def is_by_chance(split: str, names: Iterable[str]) -> bool:
    """Return whether names of files and folders hold a split's word among others only.

    In ``val2017`` or ``test_annotations`` the word is the name, in ``my_dev_project`` it is not.
    """
    holding = [name for name in names if split_in([name]) == split]
    words = [set(re.findall(r"[a-z]+", name.lower())) - PLAIN_WORDS for name in holding]
    return bool(holding) and not any(len(rest) == 1 for rest in words)


def _parts(name: str) -> tuple[str, ...]:
    """Return the parts of a path of any system, or of an address."""
    if "://" in name:
        with contextlib.suppress(ValueError):  # no valid address: a path
            name = unquote(urlsplit(name).path)
    elif name.startswith("/data/local-files/?d="):  # Label Studio's
        name = parse_qs(urlsplit(name).query).get("d", [""])[0]
    elif name.startswith("/data/upload/"):  # Label Studio's, whose folders are its own
        name = PurePosixPath(name).name
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return tuple(part for part in parts if part not in (".", "..", "/"))


def _stem(name: str) -> str:
    return PurePosixPath(_parts(name)[-1]).stem if _parts(name) else ""


def _group(paths: Iterable[Path], key) -> dict[str, list[Path]]:  # type: ignore[no-untyped-def]
    groups: dict[str, list[Path]] = {}
    for path in paths:
        groups.setdefault(key(path), []).append(path)
    return groups


def _files_below(base: Path, few: bool) -> Iterable[Path]:
    """Yield the files below a folder that may hold annotations, or the one file."""
    if base.is_file():
        yield base
        return
    seen, most = set(), FEW if few else sys.maxsize
    for here, folders, files in os.walk(base, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        counts: Counter[str] = Counter()
        for name in sorted(files):
            suffix = os.path.splitext(name)[1].lower()
            counts[suffix] += 1
            if not name.startswith(".") and suffix in SUFFIXES and counts[suffix] <= most:
                yield Path(here, name)

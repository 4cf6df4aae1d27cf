"""Say why no images with masks were found in a folder, and what to type."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path, PurePosixPath

from segmentation.data.discovery.layouts import (
    IMAGE_ENDINGS,
    IMAGE_SUFFIXES,
    MASK_ENDINGS,
    PREFIXES,
    WORDS,
)
from segmentation.errors import listed

MOST_FILES = 20_000
"""So many files are looked at."""
DEPTH, SHOWN = 3, 20
"""Levels and lines of the tree that is shown."""
JPEG = (".jpg", ".jpeg")
MARKS = sorted(
    {mark.lower().strip("_") for mark in (*IMAGE_ENDINGS, *MASK_ENDINGS, "_rgb", "_m")} - {""},
    key=len,
    reverse=True,
)
"""What names of images and masks may end in, without the underscore, the longest first."""
STARTS = sorted({part.strip("_") for pair in PREFIXES for part in pair} - {""} | {"x", "y"})
COMPARED = 3
"""So many pairs of folders are compared in the message."""
ARCHIVES = (".zip", ".tar", ".gz", ".7z", ".rar")


@dataclass(frozen=True)
class Tree:
    """The files below a folder, by folder.

    Attributes:
        root: the folder.
        files: the names of the files of each folder, by its path below the root.
        whole: whether all were looked at.
    """

    root: Path
    files: dict[PurePosixPath, list[str]]
    whole: bool = True

    @classmethod
    def of(cls, root: Path) -> "Tree":
        """Look at a folder; links to folders are not followed."""
        files: dict[PurePosixPath, list[str]] = {}
        count = 0
        for here, folders, names in os.walk(root):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            names = sorted(name for name in names if not name.startswith("."))
            files[PurePosixPath(Path(here).relative_to(root).as_posix())] = names
            count += len(names)
            if count > MOST_FILES:
                return cls(root, files, whole=False)
        return cls(root, files)

    def lines(self) -> Iterator[str]:
        """Yield a line for each folder: its path, and how many files it holds of each kind."""
        for folder, names in self.files.items():
            if len(folder.parts) > DEPTH or (not names and folder.parts):
                continue
            kinds = Counter(PurePosixPath(name).suffix.lower() or "no suffix" for name in names)
            counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(4))
            yield (
                f"{folder}/  {counts or 'no files'}"
                if folder.parts
                else f"./  {counts or 'no files'}"
            )

    def images(self, folder: PurePosixPath) -> list[str]:
        """Return the names of the images in a folder."""
        names = self.files.get(folder, [])
        return [name for name in names if PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES]

    def only_jpeg(self, folder: PurePosixPath) -> bool:
        """Return whether a folder has images, and all of them are JPEG files."""
        suffixes = {PurePosixPath(name).suffix.lower() for name in self.images(folder)}
        return bool(suffixes) and suffixes <= set(JPEG)


def explain(root: Path) -> str:
    """Return what lies in a folder, what each nearly fitting layout lacks, and what to type."""
    tree = Tree.of(root)
    lines = list(tree.lines())
    shown = lines[:SHOWN]
    if len(lines) > SHOWN:
        shown.append(f"and {len(lines) - SHOWN} more folders")
    if not tree.whole:
        shown.append(f"(the first {MOST_FILES:,} files)")
    reasons = [reason for find in REASONS for reason in find(tree)]
    advice = (
        "Bring them into a known layout (images/ and masks/ with the same names is the simplest; "
        "docs/data.md has the others), or list the pairs in a table: data.pairs=<csv with columns "
        "image, mask, split>."
    )
    return "\n  ".join(
        [f"no images with masks were found in {root}. It holds:", *shown]
        + ([""] if reasons else [])
        + reasons
        + [advice]
    )


def _no_images(tree: Tree) -> Iterator[str]:
    if not any(tree.images(folder) for folder in tree.files):
        archives = [
            name for names in tree.files.values() for name in names if name.endswith(ARCHIVES)
        ]
        if archives:
            yield f"There are no images, but archives: unpack {listed(archives, 3)}."
        else:
            kinds = ", ".join(sorted(suffix[1:] for suffix in IMAGE_SUFFIXES))
            yield f"There are no images ({kinds})."


def _jpeg_masks(tree: Tree) -> Iterator[str]:
    for folder in tree.files:
        if _is_masks(folder) and tree.only_jpeg(folder):
            yield (
                f"{folder}/ holds {len(tree.images(folder))} JPEG files: JPEG changes labels, so "
                "these are no masks. Save them as PNG, from their source."
            )


def _different_names(tree: Tree) -> Iterator[str]:
    """Compare the names in folders of images with those in folders of masks."""
    stems = {
        folder: [PurePosixPath(name).stem for name in tree.images(folder)]
        for folder in tree.files
        if tree.images(folder)
    }
    # JPEG files are no masks, whatever their names: see `_jpeg_masks`.
    masks = [folder for folder in stems if _is_masks(folder) and not tree.only_jpeg(folder)]
    images = [folder for folder in stems if not _is_masks(folder)]
    pairs = sorted(product(images, masks), key=lambda pair: -_alike(*pair))
    for image, mask in pairs[:COMPARED]:
        yield _compare(image, stems[image], mask, stems[mask])


def _alike(images: PurePosixPath, masks: PurePosixPath) -> int:
    """Return how many parts two paths share: train/a and masks/train/a share two."""
    return len(set(images.parts) & set(masks.parts))


def _compare(
    images: PurePosixPath, image_stems: list[str], masks: PurePosixPath, mask_stems: list[str]
) -> str:
    where, same = f"{images}/ and {masks}/", set(image_stems) & set(mask_stems)
    if same and images.name.lower() in {word.lower() for word in WORDS["images"]}:
        return (
            f"{where} have {len(same)} names in common, but do not lie side by side: move both "
            "into one folder."
        )
    if same:
        known = ", ".join(f"{word}/" for word in WORDS["images"][:4])
        return (
            f"{where} have {len(same)} names in common, but {images.name or '.'}/ is no name that "
            f"folders of images have ({known}): rename it."
        )
    folded = {stem.lower(): stem for stem in mask_stems}
    for stem in image_stems:
        if other := folded.get(stem.lower()):
            return f"{where}: names differ in case ({stem} / {other}). Rename one side."
    bare = {_bare(stem): stem for stem in mask_stems}
    for stem in image_stems:
        if other := bare.get(_bare(stem)):
            return (
                f"{where}: names differ in what stands before or after the number or name "
                f"({stem} / {other}). Rename one side, or list the pairs in a table."
            )
    return (
        f"{images}/ ({len(image_stems)} images) and {masks}/ ({len(mask_stems)}) share no name: "
        f"{listed(image_stems, 2)} / {listed(mask_stems, 2)}."
    )


def _bare(stem: str) -> str:
    """Return a name without what marks images and masks, and without leading zeros."""
    word = stem.lower()
    for mark in MARKS:
        word = word.removesuffix(f"_{mark}")
    for start in STARTS:
        rest = word.removeprefix(start)
        if rest != word and (rest[:1] in "_-" or rest.isdigit()):
            word = rest.lstrip("_-")
    return word.lstrip("0") or word


def _only_images(tree: Tree) -> Iterator[str]:
    folders = [folder for folder in tree.files if tree.images(folder)]
    if folders and not any(_is_masks(folder) for folder in folders):
        count = sum(len(tree.images(folder)) for folder in folders)
        names = listed([f"{folder}/" for folder in folders], 3)
        yield (
            f"There are {count} images in {names}, and no folder is called as masks are "
            f"({', '.join(WORDS['masks'][:6])}, ...)."
        )


def _is_masks(folder: PurePosixPath) -> bool:
    """Return whether a folder is called as masks are, in any of its parts."""
    words = {word.lower() for word in WORDS["masks"]}
    return any(
        part.lower() in words or part.lower().split("_")[-1] in words or part.endswith("annot")
        for part in folder.parts
    )


REASONS = (_no_images, _jpeg_masks, _different_names, _only_images)

"""Find the folders of images and masks by a table of known layouts."""

import logging
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from segmentation.errors import DataError

log = logging.getLogger(__name__)

SPLITS = ("train", "val", "test")
IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}
JPEG = (".jpg", ".jpeg")
MASK_SUFFIXES = IMAGE_SUFFIXES | {".gif"}  # Kaggle's Carvana; a GIF among images is a preview

WORDS: dict[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev", "eval"),
    "test": ("test", "testing"),
    "images": ("images", "image", "imgs", "img", "JPEGImages"),
    "masks": (
        "masks", "mask", "labels", "label", "annotations", "annotation", "annots", "annot", "gt",
        "SegmentationClass", "SegmentationClassPNG",
    ),
}  # fmt: skip
"""Usual names of the folders of splits, images and masks; case is ignored."""

IMAGE_ENDINGS = ("", "_leftImg8bit", "_image", "_img", "_sat")
MASK_ENDINGS = (
    "", "_mask", "_masks", "_label", "_labels", "_gt", "_L", "_seg",
    "_gtFine_labelIds", "_gtFine_labelTrainIds",
)  # fmt: skip


PREFIXES = (
    ("image_", "mask_"), ("img_", "mask_"), ("image_", "label_"), ("img_", "label_"),
    ("image", "mask"), ("", "mask_"), ("", "label_"),
)  # fmt: skip
"""What the names of images and of their masks may begin with, in place of an ending."""


def split_of(word: str) -> str | None:
    """Return the split that a word such as "validation" means, or None."""
    return next((split for split in SPLITS if word.strip().lower() in WORDS[split]), None)


@dataclass(frozen=True)
class Sample:
    """An image and its mask.

    Args:
        name: unique within a split; identifies the image in results.
        image, mask: the files; no mask if only image-level targets are learnt.
        group: samples of a group (a video's frames) are never divided among generated splits; empty
            if unknown.
    """

    name: str
    image: Path
    mask: Path | None
    group: str = ""


@dataclass(frozen=True)
class Layout:
    """A pattern of folders below a data set's root.

    Args:
        images, masks: folders; ``{split}``, ``{images}`` and ``{masks}`` stand for any of `WORDS`.
        endings: the endings of mask names; any of `MASK_ENDINGS` by default.
        listed: the lists of the SegNet tutorial, such as ``train.txt``, say what is in a split.
        nested: also looked for in folders below the root; not where it covers them anyway.
    """

    images: str
    masks: str
    endings: tuple[str, ...] = MASK_ENDINGS
    listed: bool = False
    nested: bool = True

    @property
    def has_splits(self) -> bool:
        """Whether each split has its own folders."""
        return "{split}" in self.images


NESTED, MOST_NESTED = 2, 100
"""How many levels below the root a layout is looked for, and in how many folders of each."""
NAMED = MASK_ENDINGS[1:]  # where both lie in one folder a mask needs an ending

LAYOUTS = (
    Layout("{split}", "{split}annot", listed=True),  # the SegNet tutorial's CamVid
    Layout("{split}", "{split}_{masks}"),  # Kaggle's CamVid
    Layout("leftImg8bit/{split}", "gtFine/{split}"),  # Cityscapes
    Layout("{images}/{split}", "{masks}/{split}"),
    Layout("{split}/{images}", "{split}/{masks}"),
    Layout("{split}_{images}/{split}", "{split}_{masks}/{split}"),  # Keras' ImageDataGenerator
    Layout("{split}_{images}", "{split}_{masks}"),
    Layout("{images}", "{masks}"),
    Layout("{split}", "{split}", NAMED),
    Layout("", "", NAMED, nested=False),
)
"""The known layouts, the more specific ones first."""


@dataclass(frozen=True)
class SplitFiles:
    """One split's files in one layout.

    Attributes:
        where: the folders, for messages.
        ending: the ending of the masks' names.
        samples: the pairs.
        images, masks: files without a partner; only masks with that ending.
    """

    where: str
    ending: str
    samples: list[Sample]
    images: list[Path]
    masks: list[Path]


def find_layout(
    root: Path, ending: str | None = None, bands: Sequence[str] = ()
) -> tuple[Layout, dict[str, SplitFiles]] | None:
    """Find the first layout that pairs images with masks below `root`.

    Args:
        root: a data set's folder.
        ending: the ending of mask names; None: any.
        bands: the names of the files that hold the bands of an image, see `Channels.files`; the
            first stands for the image.

    Returns:
        The layout and its files by split (``""`` if it has no splits), or None.
    """
    for layout, found, without in _matching(root, ending, LAYOUTS, bands):
        for images in without:
            log.warning("%s has no folder of masks: it is left out.", images)
        if layout.has_splits:
            _warn_of_unused(root, layout)
        return layout, found
    return None


def _matching(
    root: Path, ending: str | None, layouts: Sequence[Layout], bands: Sequence[str] = ()
) -> Iterator[tuple[Layout, dict[str, SplitFiles], list[Path]]]:
    """Yield the layouts that pair images with masks, their files, and images without masks."""
    for layout in layouts:
        found, without = {}, []
        for split in SPLITS if layout.has_splits else ("",):
            images = _resolve(root, layout.images, split)
            masks = _resolve(root, layout.masks, split)
            if images and masks:
                endings = (ending,) if ending else layout.endings
                found[split] = _pair(root, images, masks, endings, bands)
            elif images:
                without.append(images)
        if any(folders.samples for folders in found.values()):
            yield layout, found, without


def find_nested(root: Path, ending: str | None = None, bands: Sequence[str] = ()) -> list[Path]:
    """Return the folders at most `NESTED` below `root` that have a known layout themselves.

    The layout of masks beside their images is not looked for: it covers folders in folders anyway.
    """
    found, level = [], [root]
    nested = [layout for layout in LAYOUTS if layout.nested]
    for _ in range(NESTED):
        level = [path for folder in level for path in _folders_in(folder)]
        here = [path for path in level if any(_matching(path, ending, nested, bands))]
        found += here
        level = [path for path in level if path not in here][:MOST_NESTED]
    return found


def _folders_in(folder: Path) -> list[Path]:
    try:
        return sorted(
            path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")
        )
    except OSError:
        return []


def find_images(root: Path) -> dict[str, SplitFiles] | None:
    """Find the images of the first layout that has any, without masks.

    Returns:
        The files by split (``""`` if the layout has no splits), or None.
    """
    for layout in LAYOUTS:
        found = {}
        for split in SPLITS if layout.has_splits else ("",):
            folder = _resolve(root, layout.images, split)
            if folder is not None and (files := _by_name(folder)):
                samples = [Sample(name, path, None) for name, path in sorted(files.items())]
                where = f"{folder.relative_to(root).as_posix()}/ without masks"
                found[split] = SplitFiles(where, "", samples, [], [])
        if found:
            return found
    return None


def _resolve(root: Path, pattern: str, split: str) -> Path | None:
    """Return the first folder that matches a pattern, or None."""
    folder = root
    for part in filter(None, pattern.split("/")):
        matches = _matches(folder, part, split)
        if not matches:
            return None
        # A folder without images (VOC's Annotations/, YOLO's labels/) is not the one of masks.
        folder = next(filter(_holds_images, matches), matches[0])
    return folder


def _matches(folder: Path, part: str, split: str) -> list[Path]:
    """Return the folders in a folder that match one part of a pattern, the likeliest first."""
    keys = [split if key == "split" else key for key in re.findall(r"{(\w+)}", part)]
    blanks = re.sub(r"{\w+}", "{}", part)
    names = [blanks.format(*chosen).lower() for chosen in product(*(WORDS[key] for key in keys))]
    try:
        folders = sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}.") from error
    return [path for name in names for path in folders if path.name.lower() == name]


def _holds_images(folder: Path) -> bool:
    return any(image_files_below(folder, MASK_SUFFIXES))


def _warn_of_unused(root: Path, layout: Layout) -> None:
    """Warn of folders that stand for a split beside the one that is used: val/ and validation/."""
    for split in SPLITS:
        folder = root
        for part in layout.images.split("/"):
            matches = _matches(folder, part, split)
            if "{split}" in part:
                for unused in [path for path in matches if _holds_images(path)][1:]:
                    log.warning("%s is left out: the %s split is another folder.", unused, split)
            if not matches:
                break
            folder = next(filter(_holds_images, matches), matches[0])


def _pair(
    root: Path, images: Path, masks: Path, endings: Sequence[str], bands: Sequence[str] = ()
) -> SplitFiles:
    """Pair the files of two folders by name, with the endings that give the most pairs."""
    twins = _twins(images) if images == masks else None
    apart = images != masks or twins is not None
    if twins:
        image_files, mask_files = twins
    elif images == masks:
        try:
            image_files = mask_files = _by_name(images, MASK_SUFFIXES)
        except DataError:  # two of one name: annotation files may tell them apart
            return SplitFiles("", "", [], [], [])
    else:  # JPEGs beside masks are previews: compression changes labels
        image_files = _by_name(images)
        mask_files = _by_name(masks, MASK_SUFFIXES - set(JPEG))
    marks = [(("", one), ("", other)) for one, other in product(IMAGE_ENDINGS, endings)]
    if twins:
        marks = [(("", ""), ("", ""))]
    elif len(endings) > 1:  # no ending was typed
        marks += [((one, ""), (other, "")) for one, other in PREFIXES]
    parts = [_mark(name) for name in bands]
    if parts:
        marks = [(parts[0], ("", one)) for one in endings]
    best: dict[str, tuple[str, str]] = {}
    best_mark = ("", endings[0])
    for image_mark, mask_mark in marks:
        if not apart and image_mark == mask_mark:
            continue
        own, other = _unmarked(image_files, *image_mark), _unmarked(mask_files, *mask_mark)
        pairs = {name: (own[name], other[name]) for name in own if name in other}
        if len(pairs) > len(best):
            best, best_mark = pairs, mask_mark
    used = {key for pair in best.values() for key in pair}
    used |= {key for mark in parts[1:] for key in _unmarked(image_files, *mark).values()}
    alone = sorted(set(image_files) - used)

    def is_mask(key: str) -> bool:
        return bool(_unmarked([key], *best_mark)) and (apart or any(best_mark))

    where = " + ".join(
        dict.fromkeys(f"{folder.relative_to(root).as_posix()}/" for folder in (images, masks))
    )
    return SplitFiles(
        where=where if images != masks else f"{where} (masks beside their images)",
        ending=best_mark[1],
        samples=[
            Sample(name, image_files[image], mask_files[mask])
            for name, (image, mask) in sorted(best.items())
        ],
        images=[
            image_files[key]
            for key in alone
            if image_files[key].suffix.lower() != ".gif" and (apart or not is_mask(key))
        ],
        masks=[mask_files[key] for key in sorted(set(mask_files) - used) if is_mask(key)],
    )


def _mark(name: str) -> tuple[str, str]:
    """Return what comes before and after ``{stem}`` in a file's name, without its suffix."""
    before, _, after = name.partition("{stem}")
    return before, after[: len(after) - len(Path(after).suffix)]


def _unmarked(keys: Iterable[str], prefix: str, ending: str) -> dict[str, str]:
    """Return the keys that begin and end as given, by what is left of their names."""
    names = {}
    for key in keys:
        folder, slash, name = key.rpartition("/")
        if name.startswith(prefix) and name.endswith(ending) and len(name) > len(prefix + ending):
            names[folder + slash + name[len(prefix) : len(name) - len(ending)]] = key
    return names


def _by_name(folder: Path, suffixes: Collection[str] = IMAGE_SUFFIXES) -> dict[str, Path]:
    """Return the image files below a folder by relative path without suffix."""
    files: dict[str, Path] = {}
    for path in image_files_below(folder, suffixes):
        key = path.relative_to(folder).with_suffix("").as_posix()
        if key in files:
            raise DataError(
                f"{folder} has two files of the same name, {files[key].name} and {path.name}. "
                "Rename or remove one."
            )
        files[key] = path
    return files


def _twins(folder: Path) -> tuple[dict[str, Path], dict[str, Path]] | None:
    """Return images and masks that differ in their suffix alone, a.jpg and a.png, if all do."""
    paths = list(image_files_below(folder, MASK_SUFFIXES))
    jpegs = {_key(folder, path): path for path in paths if path.suffix.lower() in JPEG}
    others = {_key(folder, path): path for path in paths if path.suffix.lower() not in JPEG}
    shared = set(jpegs) & set(others)
    return (jpegs, others) if shared and len(jpegs) + len(others) == len(paths) else None


def _key(folder: Path, path: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()


def _raise(error: DataError) -> None:
    raise error


def image_files_below(
    folder: Path,
    suffixes: Collection[str] = IMAGE_SUFFIXES,
    on_problem: Callable[[DataError], None] = _raise,
) -> Iterator[Path]:
    """Yield the image files below a folder, sorted; links that form loops are not followed.

    Args:
        folder: the folder.
        suffixes: of image files, in lower case.
        on_problem: called for a folder that is not readable, and for a name that is not text.
    """

    def unreadable(error: OSError) -> None:
        on_problem(DataError(f"{error.filename} cannot be read: {error.strerror}."))

    seen = set()
    for here, folders, files in os.walk(folder, onerror=unreadable, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.startswith(".") or os.path.splitext(name)[1].lower() not in suffixes:
                continue
            if not name.isprintable():  # names not in UTF-8 arrive as lone surrogates
                on_problem(
                    DataError(
                        f"{folder} has a file whose name is not printable text: {name!a}. Rename "
                        "it."
                    )
                )
                continue
            yield Path(here, name)

"""From a folder on disk to the pairs of image and mask of each split."""

import logging
from dataclasses import dataclass
from pathlib import Path

from segmentation.errors import DataError

log = logging.getLogger(__name__)

SPLITS = ("train", "val", "test")
IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}


@dataclass(frozen=True)
class Sample:
    """An image and its mask; `name` is unique within a split and names the image in results."""

    name: str
    image: Path
    mask: Path


def available_splits(root: Path) -> list[str]:
    """Return the splits of which `root` holds images and masks, in the order train, val, test."""
    splits = []
    for split in SPLITS:
        if (root / split).is_dir() and (root / f"{split}annot").is_dir():
            splits.append(split)
        elif (root / split).is_dir():
            log.warning("%s has no %sannot/: its %s split is left out.", root, split, split)
    return splits


def find_samples(root: Path, split: str) -> list[Sample]:
    """List one split of the SegNet tutorial's layout.

    Images lie in ``<root>/<split>`` and masks in ``<root>/<split>annot``. Where
    ``<root>/<split>.txt`` exists it says which pairs belong to the split (of its paths only the
    last two parts count: the tutorial's start with ``/SegNet/CamVid/``); else every image in the
    folder does, with the mask of the same stem.

    Raises:
        DataError: the folder, the split, an image or a mask is not there.
    """
    if not root.is_dir():
        raise DataError(
            f"no folder {root}. Say where the data are: data.root=<folder with train/, "
            "trainannot/, val/, valannot/>."
        )
    images, masks = root / split, root / f"{split}annot"
    for folder in (images, masks):
        if not folder.is_dir():
            found = ", ".join(available_splits(root)) or "none"
            raise DataError(
                f"no {folder.name}/ in {root} (splits there: {found}). The {split} split needs "
                f"{images.name}/ and {masks.name}/; use another split or another data.root."
            )
    listing = root / f"{split}.txt"
    samples = _listed(root, listing) if listing.is_file() else _paired(images, masks)
    if not samples:
        raise DataError(
            f"no images for the {split} split in {images}. Put images there "
            f"({', '.join(sorted(IMAGE_SUFFIXES))}) or give another data.root."
        )
    return samples


def _paired(images: Path, masks: Path) -> list[Sample]:
    by_stem = {path.stem: path for path in _files(masks)}
    samples, without = [], []
    for image in _files(images):
        if image.stem in by_stem:
            samples.append(Sample(image.stem, image, by_stem[image.stem]))
        else:
            without.append(image.name)
    if without:
        raise DataError(
            f"{len(without)} images in {images} have no mask in {masks}: {_first(without)}. "
            "A mask has the name of its image."
        )
    names = [sample.name for sample in samples]
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise DataError(
            f"images of the same name in {images}: {_first(twice)}. Rename or remove one of each."
        )
    return samples


def _listed(root: Path, listing: Path) -> list[Sample]:
    samples, missing, seen = [], [], set()
    for number, line in enumerate(listing.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        parts = line.split()
        if len(parts) != 2:
            raise DataError(
                f"{listing}, line {number}: expected two paths, image and mask, got {line!r}."
            )
        image, mask = (root.joinpath(*Path(part).parts[-2:]) for part in parts)
        missing += [path for path in (image, mask) if not path.is_file()]
        if image.stem in seen:
            raise DataError(f"{listing}, line {number}: {image.stem} is listed twice.")
        seen.add(image.stem)
        samples.append(Sample(image.stem, image, mask))
    if missing:
        raise DataError(
            f"{listing} names {len(missing)} files that are not in {root}: "
            f"{_first([str(path.relative_to(root)) for path in missing])}. Restore them, or delete "
            f"{listing.name} to use every pair in the folders."
        )
    return samples


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)


def _first(names: list[str], count: int = 5) -> str:
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more

"""Find the samples of each split from a data set's folders, lists or table."""

import csv
import io
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from segmentation.data.discovery.folds import divide, into_folds
from segmentation.data.discovery.groups import group_samples
from segmentation.data.discovery.layouts import (
    SPLITS,
    Sample,
    find_images,
    find_layout,
    find_nested,
    split_of,
)
from segmentation.data.discovery.lists import apply_lists, find_lists
from segmentation.data.discovery.not_found import explain
from segmentation.data.files import read_text
from segmentation.data.options import check_folder
from segmentation.errors import DataError, did_you_mean, listed

log = logging.getLogger(__name__)

SEGMENTED = re.compile(r"\bSegmentationClass", re.IGNORECASE)
SHARE = 0.15
"""The share of the samples that val gets, and test, if the data set has no splits."""


@dataclass(frozen=True)
class Splits:
    """The samples of each split, and how they were found.

    Attributes:
        samples: by split, in the order train, val, test.
        description: for the start-up summary: the folders, and how the splits were made.
        mask_ending: the ending of the masks' names.
        unpaired_images, unpaired_masks: files without a partner.
        unselected: samples of existing splits that were not asked for.
        converted: whether the masks were made from annotation files.
        table: the class table that these brought; else None.
        root: the folder of the layout, where it is below the data set's; else None.
        drawn: whether the data set has no splits, so that they were drawn.
        like_voc: whether the masks lie in VOC's SegmentationClass/.
    """

    samples: dict[str, list[Sample]]
    description: str
    mask_ending: str = ""
    unpaired_images: list[Path] = field(default_factory=list)
    unpaired_masks: list[Path] = field(default_factory=list)
    unselected: dict[str, list[Sample]] = field(default_factory=dict)
    converted: bool = False
    table: Path | None = None
    root: Path | None = None
    drawn: bool = False
    like_voc: bool = False


def find_splits(
    root: Path,
    pairs: Path | None = None,
    group: str | None = None,
    mask_ending: str | None = None,
    masks: bool = True,
    fold: tuple[int, int] | None = None,
    annotations: Callable[[Path], Splits | None] | None = None,
    annotations_first: bool = False,
    bands: Sequence[str] = (),
) -> Splits:
    """Find the samples below `root`, or those that a table lists.

    If there is no val split, a deterministic share of the groups becomes one; see `divide`.

    Args:
        root: the data set's folder.
        pairs: a CSV file with the columns image and mask, and optionally split and group; its
            paths are relative to `root`.
        group: a regular expression whose first group, searched in a sample's name, is the sample's
            group; or a column of `pairs`.
        mask_ending: the ending of the masks' names; None: the one that pairs the most.
        masks: whether masks are required; else images without masks are accepted.
        fold: (i, k) for cross-validation: the samples of train and val, or all samples if there
            are no splits, are divided into k parts, and part i is val; see `into_folds`.
        annotations: returns the samples of annotation files below a folder, or None.
        annotations_first: whether they come before image masks; else only without those.
        bands: the names of the files that hold the bands of an image, see `find_layout`.

    Raises:
        DataError: a missing folder, no pairs in it, or an invalid table or list.
        ConfigError: `group` is an invalid regular expression, or does not match all names.
    """
    check_folder(root)
    if pairs:
        found = _from_table(root, pairs, group, masks)
    elif annotations_first and annotations and (annotated := annotations(root)):
        found = annotated
    else:
        found = _from_folders(root, mask_ending, masks, annotations, bands)
    samples = found.samples
    if group and not pairs:
        samples = {split: group_samples(rows, group) for split, rows in samples.items()}
    grouped = any(sample.group for rows in samples.values() for sample in rows)
    if fold is None:
        samples, note = _complete(samples, grouped)
    else:
        samples, note = _fold(samples, grouped, *fold)
    order = [split for split in SPLITS if samples.get(split)]
    return replace(
        found,
        samples={split: samples[split] for split in order},
        description=found.description + note,
        drawn="" in found.samples and fold is None,
    )


def _fold(
    samples: dict[str, list[Sample]], grouped: bool, fold: int, folds: int
) -> tuple[dict[str, list[Sample]], str]:
    """Divide train and val into folds, and make one of them val."""
    others = {split: rows for split, rows in samples.items() if split not in ("", "train", "val")}
    pool = [sample for split in ("", "train", "val") for sample in samples.get(split, ())]
    parts = into_folds(pool, folds)
    train = [sample for index, rows in enumerate(parts) if index != fold for sample in rows]
    if not grouped:
        _warn_of_neighbours(f"the {folds} folds are")
    note = f"; val is fold {fold} of {folds}, by {'data.group' if grouped else 'name'}"
    return {
        "train": sorted(train, key=lambda sample: sample.name), "val": parts[fold], **others
    }, note  # fmt: skip


def _complete(
    samples: dict[str, list[Sample]], grouped: bool
) -> tuple[dict[str, list[Sample]], str]:
    """Divide off the splits that training needs and the data set lacks."""
    if "" in samples:
        shares, pool = {"val": SHARE, "test": SHARE}, samples[""]
    elif samples.get("train") and not samples.get("val"):
        shares, pool = {"val": SHARE}, samples["train"]
    else:
        return samples, ""
    if len({sample.group or sample.name for sample in pool}) == len(shares):
        shares.pop("test", None)  # too few groups for one
    divided = divide(pool, shares)
    by = "data.group" if grouped else "name"
    note = f"; {' and '.join(shares)} taken from it at random, by {by}"
    if not grouped:
        _warn_of_neighbours(" and ".join(shares) + (" are" if len(shares) > 1 else " is"))
    return {**samples, **divided}, note


def _warn_of_neighbours(subject: str) -> None:
    log.warning(
        "the data set has no splits, so %s drawn at random by name. Similar images (frames of one "
        "video) may be in several splits: pass a pattern that groups them, such as "
        'data.group="^(.*?)_".',
        subject,
    )


def _from_folders(
    root: Path,
    mask_ending: str | None,
    masks_needed: bool,
    annotations: Callable[[Path], Splits | None] | None,
    bands: Sequence[str] = (),
) -> Splits:
    found = find_layout(root, mask_ending, bands)
    if found is None and not masks_needed and (alone := find_images(root)):
        how = ", ".join(one.where for one in alone.values())
        return Splits({split: one.samples for split, one in alone.items()}, how)
    if found is None and (nested := _nested_root(root, mask_ending, bands)):
        below = _from_folders(nested, mask_ending, masks_needed, None, bands)
        return replace(below, root=nested, description=f"{nested}: {below.description}")
    if found is None and annotations and (annotated := annotations(root)):
        return annotated
    if found is None:
        raise DataError(explain(root))
    layout, folders = found
    samples, images, masks = {}, [], []
    for split, one in folders.items():
        listing = root / f"{split}.txt"
        if layout.listed and listing.is_file():
            samples[split] = _listed(root, listing)
            continue
        samples[split] = one.samples
        images += one.images
        masks += one.masks
    how = ", ".join(one.where for one in folders.values() if one.samples)
    ending = next(one.ending for one in folders.values() if one.samples)
    if ending:
        how += f", masks end in {ending}"
    like_voc = SEGMENTED.search(how) is not None
    if images and like_voc:  # VOC has masks for some of its images
        how += f", {len(images)} images without a mask left out"
        images = []
    if list(samples) == [""] and (lists := find_lists(root)):
        samples, note = _by_lists(samples[""], lists)
        how += note
    return Splits(samples, how, ending, images, masks, like_voc=like_voc)


def _by_lists(
    samples: Sequence[Sample], lists: dict[str, Path]
) -> tuple[dict[str, list[Sample]], str]:
    """Divide samples as lists say, and describe it; what does not fit is warned of."""
    found = apply_lists(samples, lists)
    names = ", ".join(str(path) for path in lists.values())
    note = f"; splits from {names}"
    if found.unlisted:
        note += f", {len(found.unlisted)} images in no list left out"
    if found.missing:
        log.warning(
            "%d lines of %s name no image that has a mask, such as %s.",
            len(found.missing), names, listed(found.missing, 3),
        )  # fmt: skip
    return found.samples, note


def _nested_root(root: Path, mask_ending: str | None, bands: Sequence[str]) -> Path | None:
    """Return the one folder below `root` that has a known layout, or None."""
    nested = find_nested(root, mask_ending, bands)
    if len(nested) == 1:
        log.warning(
            "%s itself has no images with masks: %s, the one folder below it that has them, is "
            "used (as with data.root=%s).", root, nested[0], nested[0],
        )  # fmt: skip
        return nested[0]
    if nested:
        log.warning(
            "%s itself has no images with masks, and several folders below it have: %s. Choose "
            "one: data.root=%s.", root, listed([str(path) for path in nested]), nested[0],
        )  # fmt: skip
    return None


def _listed(root: Path, listing: Path) -> list[Sample]:
    """Read the SegNet tutorial's list; only the last two parts of each path are used."""
    samples: dict[str, Sample] = {}
    for number, line in enumerate(read_text(listing).splitlines(), start=1):
        if not line.strip():
            continue
        parts = line.split()
        if len(parts) != 2:
            raise DataError(
                f"{listing}, line {number}: expected two paths, image and mask, got {line!r}."
            )
        image, mask = (root.joinpath(*Path(part).parts[-2:]) for part in parts)
        if image.stem in samples:
            raise DataError(f"{listing}, line {number}: {image.stem} is listed twice.")
        samples[image.stem] = Sample(image.stem, image, mask)
    return list(samples.values())


def _from_table(root: Path, table: Path, group: str | None, masks_needed: bool) -> Splits:
    """Read the pairs that a CSV file lists."""
    columns, rows = _read_table(table)
    _check_columns(table, columns, ("image", "mask") if masks_needed else ("image",))
    group_column = group if group in columns else "group"

    # The samples by split, each named once in its split
    samples: dict[str, dict[str, Sample]] = {}
    for line, row in rows:
        where = f"{table}, line {line}"
        if masks_needed and not row["mask"]:
            raise DataError(f"{where}: {row['image']} has no mask.")
        word = (row.get("split") or "").strip()
        split = split_of(word) if word else ""
        if split is None:
            raise DataError(f"{where}: split {word!r} is not one of {', '.join(SPLITS)}.")
        sample = _row_sample(root, row, group_column, where)
        if sample.name in samples.setdefault(split, {}):
            raise DataError(f"{where}: {row['image']} is listed twice.")
        samples[split][sample.name] = sample

    # All rows name a split, or none does
    if "" in samples and len(samples) > 1:
        raise DataError(f"{table}: some rows name a split and {len(samples[''])} do not.")
    if not samples:
        raise DataError(f"{table} lists no pairs.")

    by_split = {split: list(by_name.values()) for split, by_name in samples.items()}
    if group and group_column != group:
        by_split = {split: group_samples(named, group) for split, named in by_split.items()}
    return Splits(by_split, f"pairs of {table}")


def _read_table(table: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Return the columns of a CSV file, and its rows with their line numbers."""
    reader = csv.DictReader(io.StringIO(read_text(table), newline=""), strict=True)
    try:
        columns = list(reader.fieldnames or ())
        return columns, [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise DataError(f"{table}, line {reader.line_num}: invalid CSV: {error}.") from error


def _check_columns(table: Path, columns: Sequence[str], required: Sequence[str]) -> None:
    for column in required:
        if column not in columns:
            raise DataError(
                f"{table} has no column {column!r} (it has {', '.join(columns) or 'none'}). It "
                "needs image and mask, and optionally split and group, separated by commas."
                f"{did_you_mean(column, columns)}"
            )


def _row_sample(root: Path, row: Mapping[str, str], group_column: str, where: str) -> Sample:
    image = (row["image"] or "").strip()
    if not Path(image).name:
        raise DataError(f"{where}: the row names no image.")
    return Sample(
        name=Path(image).with_suffix("").as_posix(),
        image=root / image,
        mask=root / row["mask"] if row.get("mask") else None,
        group=row.get(group_column) or "",
    )


def check_paired(found: Splits, skip: bool) -> None:
    """Warn about masks without an image, and about images without a mask if they are skipped.

    Raises:
        DataError: images without a mask that aren't skipped.
    """
    if found.unpaired_masks:
        log.warning(
            "%d masks have no image: %s.",
            len(found.unpaired_masks),
            listed([path.name for path in found.unpaired_masks]),
        )
    if not found.unpaired_images:
        return
    names = listed([path.name for path in found.unpaired_images])
    if not skip:
        raise DataError(
            f"no mask for {len(found.unpaired_images)} of the images: {names}. A mask has "
            f"its image's name (here with the ending {found.mask_ending!r}). Add the masks, or "
            "leave these images out with data.on_error=skip."
        )
    log.warning("%d images without a mask are left out: %s.", len(found.unpaired_images), names)

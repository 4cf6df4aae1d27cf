"""From a data set's folder, lists or table to the samples of each split."""

import csv
import io
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from segmentation.data.discovery.files import read_text
from segmentation.data.discovery.folds import divide, into_folds
from segmentation.data.discovery.layouts import LAYOUTS, SPLITS, Sample, find_images, find_layout
from segmentation.errors import ConfigError, DataError, did_you_mean, listed

log = logging.getLogger(__name__)

SHARE = 0.15
"""The part of the groups that val gets, and test, where nobody has said who is in which split."""


@dataclass(frozen=True)
class Splits:
    """The samples of each split that is there, and how they were found.

    Attributes:
        samples: by split, in the order train, val, test.
        description: for the start-up summary: which folders, who made the splits.
        mask_ending: the ending of the masks' names.
        unpaired_images, unpaired_masks: files without a partner.
        unselected: samples of existing splits that were not asked for.
    """

    samples: dict[str, list[Sample]]
    description: str
    mask_ending: str = ""
    unpaired_images: list[Path] = field(default_factory=list)
    unpaired_masks: list[Path] = field(default_factory=list)
    unselected: dict[str, list[Sample]] = field(default_factory=dict)


def find_splits(
    root: Path,
    pairs: Path | None = None,
    group: str | None = None,
    mask_ending: str | None = None,
    masks: bool = True,
    fold: tuple[int, int] | None = None,
) -> Splits:
    """Find the samples below `root`, or those that a table lists.

    Without a val split a deterministic share of the groups becomes one; see `divide`.

    Args:
        root: the data set's folder.
        pairs: a CSV file with the columns image and mask, and maybe split and group; its paths are
            relative to `root`.
        group: a pattern whose first group, found in a sample's name, names the sample's group; or
            the column of `pairs` that does.
        mask_ending: what the names of masks end in; None: whatever pairs the most.
        masks: they are needed; else images without any will do.
        fold: (i, k) for cross-validation: the samples of train and val together, or all where
            there are no splits, are divided into k parts, and part i is val; see `into_folds`.

    Raises:
        DataError: there is no such folder, no pairs are in it, or a table or list names files that
            are not there.
        ConfigError: `group` is no pattern, or does not fit the names.
    """
    if not root.is_dir():
        raise DataError(
            f"no folder {root}. Say where the data are: data.root=<folder with images and masks>."
        )
    if pairs:
        found = _from_table(root, pairs, group, masks)
    else:
        found = _from_folders(root, mask_ending, masks)
    samples = found.samples
    if group and not pairs:
        samples = {split: _grouped(rows, group) for split, rows in samples.items()}
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
    )


def _fold(
    samples: dict[str, list[Sample]], grouped: bool, fold: int, folds: int
) -> tuple[dict[str, list[Sample]], str]:
    """Make train and val anew, as one turn of a cross-validation has them."""
    kept = {split: rows for split, rows in samples.items() if split not in ("", "train", "val")}
    pool = [sample for split in ("", "train", "val") for sample in samples.get(split, ())]
    parts = into_folds(pool, folds)
    train = [sample for index, rows in enumerate(parts) if index != fold for sample in rows]
    if not grouped:
        _warn_of_neighbours(f"the {folds} folds are")
    note = f"; val is fold {fold} of {folds}, by {'data.group' if grouped else 'name'}"
    return {
        "train": sorted(train, key=lambda sample: sample.name), "val": parts[fold], **kept
    }, note  # fmt: skip


def _complete(
    samples: dict[str, list[Sample]], grouped: bool
) -> tuple[dict[str, list[Sample]], str]:
    """Make the splits that training needs and nobody has made."""
    if "" in samples:
        made, source = {"val": SHARE, "test": SHARE}, samples[""]
    elif samples.get("train") and not samples.get("val"):
        made, source = {"val": SHARE}, samples["train"]
    else:
        return samples, ""
    divided = divide(source, made)
    by = "data.group" if grouped else "name"
    note = f"; {' and '.join(made)} taken from it at random, by {by}"
    if not grouped:
        _warn_of_neighbours(" and ".join(made) + (" are" if len(made) > 1 else " is"))
    return {**samples, **divided}, note


def _warn_of_neighbours(what: str) -> None:
    log.warning(
        "nobody says which images are in which split, so %s drawn at random by name. Images that "
        "are alike (frames of one video) may be in several: name what groups them, such as "
        'data.group="^(.*?)_".',
        what,
    )


def _from_folders(root: Path, mask_ending: str | None, masks_needed: bool) -> Splits:
    found = find_layout(root, mask_ending)
    if found is None and not masks_needed and (alone := find_images(root)):
        how = ", ".join(one.where for one in alone.values())
        return Splits({split: one.samples for split, one in alone.items()}, how)
    if found is None:
        there = sorted(path.name + "/" for path in root.iterdir() if path.is_dir())[:8]
        layouts = ", ".join(
            f"{one.images or '.'} + {one.masks or '.'}" for one in LAYOUTS if one.images
        )
        raise DataError(
            f"no images with masks were found in {root} (folders there: "
            f"{', '.join(there) or 'none'}). Known layouts: {layouts}. Or list the pairs in a "
            "table: data.pairs=<csv with columns image, mask, split>."
        )
    layout, folders = found
    samples, images, masks = {}, [], []
    for split, one in folders.items():
        listing = root / f"{split}.txt"
        if layout is LAYOUTS[0] and listing.is_file():
            samples[split] = _listed(root, listing)
            continue
        samples[split] = one.samples
        images += one.images
        masks += one.masks
    how = ", ".join(one.where for one in folders.values() if one.samples)
    ending = next(one.ending for one in folders.values() if one.samples)
    if ending:
        how += f", masks end in {ending}"
    return Splits(samples, how, ending, images, masks)


def _listed(root: Path, listing: Path) -> list[Sample]:
    """Read the SegNet tutorial's list: of each path only the last two parts count."""
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
    reader = csv.DictReader(io.StringIO(read_text(table), newline=""), strict=True)
    try:
        columns = list(reader.fieldnames or ())
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise DataError(f"{table}, line {reader.line_num}, is no CSV: {error}.") from error
    for column in ("image", "mask") if masks_needed else ("image",):
        if column not in columns:
            raise DataError(
                f"{table} has no column {column!r} (it has {', '.join(columns) or 'none'}); it "
                f"needs image and mask, and maybe split and group, with commas between them."
                f"{did_you_mean(column, columns)}"
            )
    column = group if group in columns else "group"
    samples: dict[str, list[Sample]] = {}
    names = set()
    for number, row in rows:
        if masks_needed and not row["mask"]:
            raise DataError(f"{table}, line {number}: {row['image']} has no mask.")
        image = root / (row["image"] or "")
        mask = root / row["mask"] if row.get("mask") else None
        split = (row.get("split") or "").strip().lower()
        if split not in ("", *SPLITS):
            raise DataError(f"{table}, line {number}: split {split!r} is not one of {SPLITS}.")
        name = Path(row["image"] or "").with_suffix("").as_posix()
        if (split, name) in names:
            raise DataError(f"{table}, line {number}: {row['image']} is listed twice.")
        names.add((split, name))
        samples.setdefault(split, []).append(Sample(name, image, mask, row.get(column) or ""))
    if "" in samples and len(samples) > 1:
        raise DataError(f"{table}: some rows name a split and {len(samples[''])} do not.")
    if not samples:
        raise DataError(f"{table} lists no pairs.")
    if group and column != group:
        samples = {split: _grouped(rows, group) for split, rows in samples.items()}
    return Splits(samples, f"pairs of {table}")


def _grouped(samples: Sequence[Sample], pattern: str) -> list[Sample]:
    """Return the samples with the group that a pattern finds in their names."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"data.group={pattern!r} is no regular expression: {error}.") from error
    if compiled.groups < 1:
        raise ConfigError(
            f"data.group={pattern!r} has no parentheses around what names the group, as in "
            'data.group="^(.*?)_".'
        )
    matches = [compiled.search(sample.name) for sample in samples]
    without = [sample.name for sample, match in zip(samples, matches, strict=True) if not match]
    if without:
        raise ConfigError(
            f"data.group={pattern!r} does not fit {len(without)} of {len(samples)} names, such as "
            f"{listed(without, 3)}."
        )
    return [
        replace(sample, group=match[1] or "")
        for sample, match in zip(samples, matches, strict=True)
        if match
    ]


def check_paired(found: Splits, skip: bool) -> None:
    """Look at the files that have no partner.

    Masks without an image are warned of; images without a mask too where they are to be skipped.

    Raises:
        DataError: images have no mask.
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

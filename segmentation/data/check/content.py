"""What images and masks hold: labels that are missing, images that are blank, sizes, exposure."""

from collections.abc import Iterator

import numpy as np

from segmentation.data.check.finding import (
    Example,
    Finding,
    Item,
    Level,
    by_split,
    count,
    item,
    marked,
)
from segmentation.data.check.leaks import FLAT
from segmentation.data.discovery.scanned_dataset import ScannedDataset
from segmentation.errors import listed

EXPOSURE = (10.0, 245.0)
"""Mean brightness (0..255) outside these is nearly black or nearly white."""
ODD_AREA = 4.0
"""An image this many times larger or smaller than the median, in pixels, has an odd size."""
ONE_CLASS = 0.1
"""The share of a split's masks that may hold one class only before it is worth a note."""
MUCH_VOID = 0.5
"""A split with more void than this teaches or scores little."""


def unpaired(source: ScannedDataset, skip: bool) -> Iterator[Finding]:
    """Report files without a partner.

    Args:
        source: the data set.
        skip: the user has said that what cannot be used is to be left out.
    """
    for kind, files, level in (
        ("no-mask", source.splits.unpaired_images, _bad(skip)),
        ("no-image", source.splits.unpaired_masks, "warning"),
    ):
        if not files:
            continue
        is_mask = kind == "no-image"
        noun, lacks = ("mask", "an image") if is_mask else ("image", "a mask")
        yield Finding(
            level,
            kind,
            f"{count(len(files), noun)} without {lacks}: {listed([path.name for path in files])}.",
            tuple(
                Example((Item("", path.name, mask=path) if is_mask else Item("", path.name, path),))
                for path in files
            ),
        )


def unusable(source: ScannedDataset, skip: bool) -> Iterator[Finding]:
    """Report pairs that cannot be read, do not fit each other, or hold labels of no class."""
    examples = tuple(
        Example((item(source, split, row),), str(found.problem[row]))
        for split, found in source.scans.items()
        for row in np.flatnonzero(found.problem != "").tolist()
    )
    if examples:
        left_out = ": they are left out" if skip else ""
        yield Finding(
            _bad(skip), "unusable",
            f"{count(len(examples), 'pair')} that cannot be used ({by_split(examples)}){left_out}. "
            f"The first: {examples[0].note}",
            examples,
        )  # fmt: skip


def _bad(skip: bool) -> Level:
    return "warning" if skip else "error"


def unlabelled(source: ScannedDataset) -> Iterator[Finding]:
    """Find splits and masks that are all void, or nearly."""
    empty = {}
    for split, found in source.scans.items():
        if not found.pixels.any():
            yield Finding(
                "error" if split == "train" else "warning", "nothing-labelled",
                f"every pixel of {split} is void: nothing can be "
                f"{'learnt from' if split == 'train' else 'scored on'} it. Look at the class table "
                "(data.classes, data.void, data.unknown).",
                marked(source, {split: np.ones(len(found), dtype=bool)}),
            )  # fmt: skip
            continue
        empty[split] = found.pixels.sum(axis=1) == 0
        share = found.void.sum() / (found.void.sum() + found.pixels.sum())
        if share > MUCH_VOID:
            yield Finding(
                "warning", "much-void",
                f"{share:.0%} of the pixels of {split} are void: neither learnt nor scored.",
            )  # fmt: skip
    if examples := marked(source, empty):
        yield Finding(
            "warning", "unlabelled",
            f"{count(len(examples), 'mask')} without any label ({by_split(examples)}), such as "
            f"{examples[0].items[0].name}: all void, so nothing is learnt or scored there.",
            examples,
        )  # fmt: skip


def one_class(source: ScannedDataset) -> Iterator[Finding]:
    """Find splits with many masks of a single class."""
    single = {split: (found.pixels > 0).sum(axis=1) == 1 for split, found in source.scans.items()}
    many = {split: found for split, found in single.items() if found.mean() > ONE_CLASS}
    if examples := marked(source, many):
        shares = ", ".join(f"{found.mean():.0%} of {split}" for split, found in many.items())
        yield Finding("note", "one-class", f"masks of a single class: {shares}.", examples)


def blank(source: ScannedDataset) -> Iterator[Finding]:
    """Find images of one colour, and images nearly black or white."""
    flat, extreme = {}, {}
    for split, found in source.scans.items():
        mean, deviation = found.brightness.T
        flat[split] = deviation < FLAT
        extreme[split] = ~flat[split] & ((mean < EXPOSURE[0]) | (mean > EXPOSURE[1]))
    if examples := marked(source, flat):
        yield Finding(
            "warning", "blank",
            f"{count(len(examples), 'image')} of a single colour "
            f"({by_split(examples)}), such as {examples[0].items[0].name}.",
            examples,
        )  # fmt: skip
    if examples := marked(source, extreme):
        yield Finding(
            "note", "exposure",
            f"{count(len(examples), 'image')} nearly black or nearly white "
            f"({by_split(examples)}), such as {examples[0].items[0].name}.",
            examples,
        )  # fmt: skip


def sizes(source: ScannedDataset) -> Iterator[Finding]:
    """Say when images have several sizes, and which are far from the rest."""
    every = np.concatenate([found.sizes for found in source.scans.values()])
    different = np.unique(every, axis=0)
    if len(different) == 1:
        return
    low, high = ("x".join(map(str, side)) for side in (every.min(axis=0), every.max(axis=0)))
    yield Finding(
        "note", "mixed-sizes",
        f"images of {len(different)} sizes, {low} to {high} (height x width): training takes "
        "crops of one size (data.crop) or resizes them (data.size).",
    )  # fmt: skip
    usual = np.median(every.prod(axis=1))
    odd = {
        split: np.maximum(area / usual, usual / area) > ODD_AREA
        for split, found in source.scans.items()
        for area in [found.sizes.prod(axis=1)]
    }
    if examples := marked(source, odd):
        yield Finding(
            "note", "odd-sizes",
            f"{count(len(examples), 'image')} over {ODD_AREA:.0f} times larger or smaller than "
            f"most ({by_split(examples)}), such as {examples[0].items[0].name}.",
            examples,
        )  # fmt: skip

"""How much of each class the splits hold: classes that are absent, rare, or shared unevenly."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from segmentation.data.check.finding import Example, Finding, count, item
from segmentation.data.discovery.scanned_dataset import ScannedDataset
from segmentation.errors import listed

RARE = 0.015
"""A class with a smaller share of train's labelled pixels is rare.

On CamVid the five classes below it, and none above, score an IoU of 0 under plain cross-entropy.
Tables of many classes have smaller shares: there it is a quarter of an even one.
"""
FEW_IMAGES = 0.02
"""A class that fewer of train's images hold than this is rare, however large it is there."""
SHIFT = 2.5
"""Shares of a class in two splits differ strongly from this ratio on ..."""
SHIFT_FROM = 0.01
"""... where the larger of them is at least this."""
SHOWN = 2  # images that show a rare class


def shares(pixels: np.ndarray) -> np.ndarray:
    """Return the share of each class in the labelled pixels (n, C) of a split: (C,), 0..1."""
    total = pixels.sum(axis=0)
    return total / max(total.sum(), 1)


def is_rare(pixels: np.ndarray) -> np.ndarray:
    """Return which classes are there but rare: a boolean (C,)."""
    share, images = shares(pixels), (pixels > 0).mean(axis=0)
    limit = min(RARE, 1 / (4 * pixels.shape[1]))
    return (share > 0) & ((share < limit) | (images < FEW_IMAGES))


def absent(source: ScannedDataset) -> Iterator[Finding]:
    """Find classes that a split lacks."""
    names = source.labels.classes.names
    there = {
        split: found.pixels.sum(axis=0) > 0
        for split, found in source.scans.items()
        if found.pixels.any()
    }
    lacking: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for label, name in enumerate(names):
        if splits := tuple(split for split, found in there.items() if not found[label]):
            lacking[splits].append(name)
    for splits, classes in lacking.items():
        if len(splits) == len(there):
            said = "in no mask: the class table has them, and the model learns to predict none"
        elif "train" in splits:
            said = f"not in {_either(splits)}, so no model can learn them, but they are scored"
        else:
            said = (
                f"not in {_either(splits)}, where their IoU is 0 if predicted at all, and else "
                "left out of mIoU"
            )
        yield Finding("warning", "absent-class", f"{listed(classes, 8)}: {said}.")


def _either(splits: tuple[str, ...]) -> str:
    return " or ".join(splits)


def rare(source: ScannedDataset) -> Iterator[Finding]:
    """Find the classes that train holds little of."""
    found = source.scans.get("train")
    if found is None:
        return
    chosen = np.flatnonzero(is_rare(found.pixels))
    if not len(chosen):
        return
    share, images = shares(found.pixels), (found.pixels > 0).sum(axis=0)
    names = source.labels.classes.names
    told = [
        f"{names[label]} {100 * share[label]:.1f}%"
        + (
            f" (in {count(images[label], 'image')})"
            if images[label] < FEW_IMAGES * len(found)
            else ""
        )
        for label in chosen
    ]
    examples = []
    for rank in range(min(SHOWN, len(found))):  # the image with most of each class, then the next
        for label in chosen:
            row = int(np.argsort(-found.pixels[:, label], kind="stable")[rank])
            if part := found.pixels[row, label]:
                note = f"{names[label]}: {part / found.sizes[row].prod():.1%} of the image"
                examples.append(Example((item(source, "train", row),), note))
    yield Finding(
        "warning", "rare-class",
        f"rare in train: {listed(told, 8)} of its labelled pixels. Cross-entropy without "
        "loss.class_weights hardly learns them; loss=ohem is another way.",
        tuple(examples),
    )  # fmt: skip


def shift(source: ScannedDataset) -> Iterator[Finding]:
    """Find splits whose class shares differ strongly from train's."""
    if "train" not in source.scans:
        return
    names = source.labels.classes.names
    ours = shares(source.scans["train"].pixels)
    for split, found in source.scans.items():
        theirs = shares(found.pixels)
        larger, smaller = np.maximum(ours, theirs), np.minimum(ours, theirs)
        differ = (smaller > 0) & (larger >= SHIFT_FROM) & (larger >= SHIFT * smaller)
        told = [
            f"{names[label]} {100 * ours[label]:.1f}% and {100 * theirs[label]:.1f}%"
            for label in np.flatnonzero(differ)
        ]
        if told:
            yield Finding(
                "note", "shift", f"train and {split} hold different shares of {listed(told, 8)}."
            )

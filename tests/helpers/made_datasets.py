"""Data sets made of arrays alone, for what only looks at a scan."""

from pathlib import Path

import numpy as np
from fakes import LABELS

from segmentation.data.discovery.layouts import Sample
from segmentation.data.discovery.scan import Scan
from segmentation.data.discovery.scanned_dataset import ScannedDataset
from segmentation.data.discovery.splits import Splits

CLASSES = len(LABELS.classes)


def made(labels=LABELS, images=(), masks=(), groups=None, **splits) -> ScannedDataset:
    """Return a data set in which nothing is wrong, except what is asked for.

    Args:
        labels: its class table.
        images, masks: files without a partner.
        groups: the group of each sample, by split.
        splits: for each split a number of images or a list of their names, and maybe a dictionary
            of columns of its scan.
    """
    rng = np.random.default_rng(7)
    samples, scans = {}, {}
    for split, given in splits.items():
        names, columns = given if isinstance(given, tuple) else (given, {})
        if isinstance(names, int):
            names = [f"{split}_{index:03d}" for index in range(names)]
        own = groups[split] if groups else [""] * len(names)
        samples[split] = [
            Sample(name, Path(split, f"{name}.png"), Path(f"{split}annot", f"{name}.png"), group)
            for name, group in zip(names, own, strict=True)
        ]
        count = len(names)
        usual = {
            "pixels": np.full((count, len(labels.classes)), 100),
            "void": np.full(count, 10),
            "unknown": np.zeros(count, np.int64),
            "sizes": np.full((count, 2), (30, 40)),
            "brightness": np.tile(np.float32([100, 30]), (count, 1)),
            "appearance": rng.integers(0, 2**64, count, dtype=np.uint64),
            "image_hash": np.array([f"image {split} {name}" for name in names]),
            "mask_hash": np.array([f"mask {split} {name}" for name in names]),
            "problem": np.array([""] * count),
        }
        scans[split] = Scan(**{key: np.asarray(columns.get(key, usual[key])) for key in usual})
    return ScannedDataset(
        labels, Splits(samples, "made", "", list(images), list(masks)), scans, "made"
    )


def names_of(finding) -> list[tuple[str, ...]]:
    """Return the names of the items of each example."""
    return [tuple(one.name for one in example.items) for example in finding.examples]


def only(found, kind=None):
    """Return the one finding, of a kind if it is given."""
    (one,) = [each for each in found if kind in (None, each.kind)]
    return one

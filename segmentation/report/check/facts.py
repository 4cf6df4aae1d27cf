"""The result of a check as plain values: what `check.json` holds and the page and terminal show."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segmentation.data.check.balance import is_rare, shares
from segmentation.data.check.finding import LEVELS, Finding, Item
from segmentation.data.discovery.scan import Scan
from segmentation.data.discovery.scanned_dataset import ScannedDataset


def facts(
    source: ScannedDataset, found: Sequence[Finding], name: str, root: Path
) -> dict[str, Any]:
    """Return what is known about a data set, ready for JSON.

    Args:
        source: the data set, with its bad files.
        found: see `check_dataset`.
        name: what the data set is called.
        root: its folder; files in it are named by their place below it.
    """
    levels = Counter(one.level for one in found)
    classes = source.labels.classes.names
    return {
        "data": name,
        "root": str(root),
        "found": source.splits.description,
        "table": source.table,
        "counts": {level: levels[level] for level in LEVELS},
        "splits": {
            split: {
                "images": len(scan),
                "fingerprint": scan.fingerprint(source.samples[split]),
                **_content(scan.select(scan.problem == ""), classes),
            }
            for split, scan in source.scans.items()
        },
        "findings": [_finding(one, root) for one in found],
    }


def _content(scan: Scan, classes: Sequence[str]) -> dict[str, Any]:
    """Return what the readable pairs of a split hold."""
    sizes, counts = np.unique(scan.sizes.reshape(-1, 2), axis=0, return_counts=True)
    pixels = scan.pixels.sum(axis=0)
    labelled, void = int(pixels.sum()), int(scan.void.sum())
    images, share = (scan.pixels > 0).sum(axis=0), shares(scan.pixels)
    rare = is_rare(scan.pixels) if len(scan) else np.zeros(len(classes), dtype=bool)
    return {
        "usable": len(scan),
        "sizes": [
            {"height": int(height), "width": int(width), "images": int(number)}
            for (height, width), number in zip(sizes, counts, strict=True)
        ],
        "brightness": _range(scan.brightness[:, 0]),
        "contrast": _range(scan.brightness[:, 1]),
        "void": void / max(void + labelled, 1),
        "classes": {
            name: {
                "share": float(share[label]),
                "pixels": int(pixels[label]),
                "images": int(images[label]),
                "rare": bool(rare[label]),
            }
            for label, name in enumerate(classes)
        },
    }


def _range(values: np.ndarray) -> dict[str, float] | None:
    """Return the extremes and the median of one value for each image; None without images."""
    if not len(values):
        return None
    low, middle, high = np.percentile(values, [0, 50, 100])
    return {"min": round(low, 1), "median": round(middle, 1), "max": round(high, 1)}


def _finding(found: Finding, root: Path) -> dict[str, Any]:
    return {
        "level": found.level,
        "kind": found.kind,
        "message": found.message,
        "examples": [
            {"note": example.note, "items": [_item(one, root) for one in example.items]}
            for example in found.examples
        ],
    }


def _item(one: Item, root: Path) -> dict[str, str | None]:
    return {
        "split": one.split,
        "name": one.name,
        "image": _below(one.image, root),
        "mask": _below(one.mask, root),
    }


def _below(path: Path | None, root: Path) -> str | None:
    if path is None:
        return None
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def size_text(sizes: Sequence[dict[str, int]]) -> str:
    """Return the sizes of a split as HxW, or as the range that they span."""
    if not sizes:
        return "–"
    sides = np.array([[one["height"], one["width"]] for one in sizes])
    low, high = ("x".join(map(str, side)) for side in (sides.min(axis=0), sides.max(axis=0)))
    return low if low == high else f"{low} to {high}"


def counts_text(counts: dict[str, int]) -> str:
    """Return the number of findings in words."""
    told = [f"{counts[level]} {level}{'' if counts[level] == 1 else 's'}" for level in LEVELS]
    return ", ".join(told)

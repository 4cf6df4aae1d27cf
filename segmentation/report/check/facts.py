"""The result of a check as plain values, for `check.json`, the page and the terminal."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segmentation.console import percent
from segmentation.data.check.balance import is_rare, shares
from segmentation.data.check.borders import void_borders
from segmentation.data.check.finding import LEVELS, Finding, Item, readable
from segmentation.data.discovery.scan import Scan
from segmentation.data.discovery.scanned_dataset import ScannedDataset
from segmentation.report.check.summary import class_table, summary
from segmentation.report.table import Cell, Grid, number


def facts(
    source: ScannedDataset,
    findings: Sequence[Finding],
    name: str,
    root: Path,
    training: Mapping[str, Any] | None = None,
    targets: str = "",
) -> dict[str, Any]:
    """Collect the facts about a data set, ready for JSON.

    Args:
        source: the data set, with its bad files.
        findings: see `check_dataset`.
        name: of the data set.
        root: its folder; files in it are given relative to it.
        training: what a training would do: its batches, and `weights` of the classes.
        targets: the image-level targets in words.
    """
    training = training or {}
    borders = void_borders(readable(source))
    levels = Counter(finding.level for finding in findings)
    classes = source.labels.classes.names
    return {
        "data": name,
        "root": str(root),
        "found": source.splits.description,
        "table": source.table,
        "summary": summary(source, findings, training, targets, borders),
        "training": dict(training),
        "class_table": class_table(source, training.get("weights"), borders),
        "counts": {level: levels[level] for level in LEVELS},
        "splits": {
            split: {
                "images": len(scan),
                "fingerprint": scan.fingerprint(source.samples[split]),
                **_content(scan.select(scan.problem == ""), classes),
            }
            for split, scan in source.scans.items()
        },
        "findings": [_finding(finding, root) for finding in findings],
    }


def _content(scan: Scan, classes: Sequence[str]) -> dict[str, Any]:
    """Summarize the readable pairs of a split."""
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
    """Return minimum, median and maximum over images; None without images."""
    if not len(values):
        return None
    low, middle, high = np.percentile(values, [0, 50, 100])
    return {"min": round(low, 1), "median": round(middle, 1), "max": round(high, 1)}


def _finding(finding: Finding, root: Path) -> dict[str, Any]:
    return {
        "level": finding.level,
        "kind": finding.kind,
        "message": finding.message,
        "examples": [
            {"note": example.note, "items": [_item(item, root) for item in example.items]}
            for example in finding.examples
        ],
    }


def _item(item: Item, root: Path) -> dict[str, str | None]:
    return {
        "split": item.split,
        "name": item.name,
        "image": _below(item.image, root),
        "mask": _below(item.mask, root),
    }


def _below(path: Path | None, root: Path) -> str | None:
    if path is None:
        return None
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def summary_grid(splits: dict[str, Any]) -> Grid:
    """Make the table of splits, without their classes, from the splits of `facts`."""
    rows: dict[str, list[Cell | str]] = {
        "images": [number(split["images"], "d") for split in splits.values()],
        "usable images": [number(split["usable"], "d") for split in splits.values()],
        "height x width": [size_text(split["sizes"]) for split in splits.values()],
        "void": [percent(split["void"]) for split in splits.values()],
        "brightness, median": [
            number((split["brightness"] or {}).get("median"), ".1f") for split in splits.values()
        ],
    }
    return Grid("summary", ["", *splits], [[name, *cells] for name, cells in rows.items()])


def size_text(sizes: Sequence[dict[str, int]]) -> str:
    """Format the sizes of a split as HxW, or as their range."""
    if not sizes:
        return "–"
    sides = np.array([[size["height"], size["width"]] for size in sizes])
    low, high = ("x".join(map(str, side)) for side in (sides.min(axis=0), sides.max(axis=0)))
    return low if low == high else f"{low} to {high}"


def counts_text(counts: dict[str, int]) -> str:
    """Format the number of findings of each level."""
    texts = [f"{counts[level]} {level}{'' if counts[level] == 1 else 's'}" for level in LEVELS]
    return ", ".join(texts)

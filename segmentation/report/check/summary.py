"""What a check says of a data set as a whole: where things come from, what training would do."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from segmentation.classes import Entry
from segmentation.console import percent
from segmentation.data.check.borders import VoidBorders
from segmentation.data.check.finding import STOPPING, Finding, count, readable
from segmentation.data.discovery.scanned_dataset import ScannedDataset
from segmentation.errors import listed


def summary(
    source: ScannedDataset,
    findings: Sequence[Finding],
    training: Mapping[str, Any],
    targets: str,
    borders: VoidBorders | None,
) -> dict[str, str]:
    """Return names and values, as in the start-up summary of a training.

    Args:
        source: the data set, with its bad files.
        findings, training, targets: see `facts`.
        borders: of train's masks.
    """
    masks = has_masks(source)
    lines = {
        "found": source.splits.description,
        "classes": f"{len(source.labels.classes)}, {source.table}" if masks else source.table,
        "channels": str(source.reader.channels),
        "groups": _groups(source),
        "left out": _left_out(source),
        "training": _training(source, findings, training),
    }
    if masks:
        lines |= {"void": _void(source, borders), "weights": _weights(training)}
    return lines | ({"targets": targets} if targets else {})


def has_masks(source: ScannedDataset) -> bool:
    """Return whether any image has a mask."""
    return any(sample.mask for rows in source.samples.values() for sample in rows)


def class_table(
    source: ScannedDataset, weights: Sequence[float] | None, borders: VoidBorders | None
) -> list[dict[str, Any]]:
    """Return the class table: each entry's values, what it counts as, its weight, its void.

    Args:
        source: the data set.
        weights: of each class in the loss; None for none.
        borders: of train's masks.
    """
    names = source.labels.classes.names
    rows = []
    for entry in source.labels.table if has_masks(source) else ():
        label = names.index(entry.name) if entry.name in names else None
        share = np.nan if label is None or borders is None else borders.share[label]
        rows.append(
            {
                "name": entry.name,
                "values": _values(entry),
                "counts_as": "void" if entry.void else entry.merge,
                "weight": None if weights is None or label is None else weights[label],
                "border_at_void": None if np.isnan(share) else float(share),
            }
        )
    return sorted(rows, key=lambda row: row["counts_as"] is not None)


def _values(entry: Entry) -> str:
    """Return the values that masks use for an entry: indices, else a colour."""
    return ", ".join(map(str, entry.indices)) or "#{:02x}{:02x}{:02x}".format(*entry.color)


def _groups(source: ScannedDataset) -> str:
    samples = [sample for rows in source.samples.values() for sample in rows]
    groups = Counter(sample.group for sample in samples if sample.group)
    if not groups:
        drawn = "; similar images may be in several splits" if source.splits.drawn else ""
        return f"none: every image counts as unrelated to the others{drawn} (data.group)"
    told = listed([f"{name} {images}" for name, images in groups.most_common(3)], 3)
    rest = len(samples) - groups.total()
    return f"{len(groups)} of {count(groups.total(), 'image')}, the largest {told}" + (
        f"; {count(rest, 'image')} without" if rest else ""
    )


def _left_out(source: ScannedDataset) -> str:
    """Return what is not used; the findings say why."""
    splits = source.splits
    bad = sum(int((scan.problem != "").sum()) for scan in source.scans.values())
    told = [
        f"{count(number, noun)} {why}"
        for number, noun, why in (
            (len(splits.unpaired_images), "image", "without a mask"),
            (len(splits.unpaired_masks), "mask", "without an image"),
            (bad, "pair", "that cannot be used"),
        )
        if number
    ]
    told += [
        f"{split}, which is all void"
        for split, scan in readable(source).scans.items()
        if split != "train" and not scan.pixels.any()
    ]
    return ", ".join(told) or "nothing"


def _void(source: ScannedDataset, borders: VoidBorders | None) -> str:
    scans = readable(source).scans.values()
    void = sum(int(scan.void.sum()) for scan in scans)
    pixels = void + sum(int(scan.pixels.sum()) for scan in scans)
    if not void:
        return "none"
    told = f"{100 * void / pixels:.2g}% of all pixels"
    if borders is None or np.isnan(borders.whole):
        return told
    return (
        f"{told}; it touches {percent(borders.whole)} of the classes' borders "
        f"({count(borders.masks, 'mask')} of train)"
    )


def _training(
    source: ScannedDataset, findings: Sequence[Finding], training: Mapping[str, Any]
) -> str:
    """Return the batches of a training, or why it can't start."""
    if "train" not in readable(source).scans:
        return "can't start without a train split"
    if any(finding.level == "error" and finding.kind in STOPPING for finding in findings):
        return "can't start: see the errors below"
    if not training:
        return "not looked at"
    size = f"{training['height']}x{training['width']}"
    taken = f"crops of {size}" if training["crop"] else f"images of {size}"
    padding, batches = training["padding"], training["batches"]
    return (
        f"{taken}{f', {percent(padding)} of them padding' if padding else ''}; "
        f"{'1 batch' if batches == 1 else f'{batches} batches'} of {training['batch_size']} "
        "an epoch"
    )


def _weights(training: Mapping[str, Any]) -> str:
    kind = training.get("class_weights", "none")
    return "none (loss.class_weights=none)" if kind == "none" else f"loss.class_weights={kind}"

"""Images that lie where they should not: in two splits, twice in one, or with another mask."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations

import numpy as np

from segmentation.data.check.finding import Example, Finding, by_split, count, item
from segmentation.data.discovery.scanned_dataset import ScannedDataset
from segmentation.errors import listed

ALIKE = 6
"""Images whose perceptual hashes differ in at most this many of 64 bits count as the same picture.

Measured on CamVid: a JPEG of quality 10 to 95, a resized or a darker copy differs in 0 to 2 bits, a
crop of 2% in 2 (median) to 8, one of 5% in 4 to 12, frames an eighth of a second apart in 4; 75,000
pairs of frames from different videos, or of one video half a minute apart, in 8 and more (median
28), as do the generated streets (10 and more).
"""
FLAT = 2.0
"""Below this deviation of the brightness (0..255) an image is one colour and its hash is noise."""
MOST_PAIRS = 10**9
"""Two splits with more pairs of images than this are not compared: that takes several seconds."""
CHUNK = 2**22  # pairs compared at once: 16 MB


def duplicates(source: ScannedDataset) -> Iterator[Finding]:
    """Find files with the same content: across splits, and within one."""
    places: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for split, found in source.scans.items():
        for row, content in enumerate(found.image_hash.tolist()):
            places[content].append((split, row))
    groups = [found for found in places.values() if len(found) > 1]
    across = [
        Example(tuple(item(source, split, rows[0]) for split, rows in group.items()))
        for group in map(_by_split, groups)
        if len(group) > 1
    ]
    if across:
        yield Finding(
            "error", "in-two-splits",
            f"{count(len(across), 'image')} in more than one split ({by_split(across)}), such as "
            f"{across[0].items[0].name}: scores there show what was learnt by heart. Keep each in "
            "one split.",
            tuple(across),
        )  # fmt: skip
    within = [
        Example(tuple(item(source, split, row) for row in rows))
        for group in groups
        for split, rows in _by_split(group).items()
        if len(rows) > 1
    ]
    if within:
        yield Finding(
            "warning", "twice",
            f"{count(len(within), 'image')} several times in one split ({by_split(within)}), "
            f"such as {listed([one.name for one in within[0].items])}: they count as often.",
            tuple(within),
        )  # fmt: skip
    masks = {split: found.mask_hash for split, found in source.scans.items()}
    differing = [
        Example(tuple(item(source, *place) for place in group))
        for group in groups
        if len({masks[split][row] for split, row in group}) > 1
    ]
    if differing:
        yield Finding(
            "warning", "two-masks",
            f"{count(len(differing), 'image')} with masks that differ, such as "
            f"{listed([one.name for one in differing[0].items])}: at most one of them is right.",
            tuple(differing),
        )  # fmt: skip


def shared_masks(source: ScannedDataset) -> Iterator[Finding]:
    """Find masks that lie beside different images, other than those of a single class."""
    places: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for split, found in source.scans.items():
        for row in np.flatnonzero((found.pixels > 0).sum(axis=1) > 1):
            places[str(found.mask_hash[row])].append((split, int(row)))
    shared = [
        Example(tuple(item(source, *place) for place in group))
        for group in places.values()
        if _differ(np.array([source.scans[split].appearance[row] for split, row in group]))
    ]
    if shared:
        yield Finding(
            "warning", "shared-mask",
            f"{count(len(shared), 'mask')} beside several images that differ, such as "
            f"{listed([one.name for one in shared[0].items])}: was one copied by mistake?",
            tuple(shared),
        )  # fmt: skip


def groups_in_two_splits(source: ScannedDataset) -> Iterator[Finding]:
    """Find groups (see data.group) that the given splits divide."""
    first: dict[str, dict[str, int]] = defaultdict(dict)
    for split, samples in source.samples.items():
        for row, sample in enumerate(samples):
            if sample.group:
                first[sample.group].setdefault(split, row)
    divided = {group: rows for group, rows in first.items() if len(rows) > 1}
    if divided:
        yield Finding(
            "warning", "group-in-two-splits",
            f"{count(len(divided), 'group')} of images in more than one split: "
            f"{listed(list(divided))}. The splits were given so; keep a group in one of them.",
            tuple(
                Example(tuple(item(source, *place) for place in rows.items()), f"group {group}")
                for group, rows in divided.items()
            ),
        )  # fmt: skip


def look_alikes(source: ScannedDataset) -> Iterator[Finding]:
    """Find images that look the same as one of another split, though their files differ."""
    found: list[tuple[int, Example]] = []
    for one, other in combinations(source.scans, 2):
        theirs, ours = source.scans[one], source.scans[other]
        if len(theirs) * len(ours) > MOST_PAIRS:
            yield Finding(
                "note", "not-compared",
                f"{one} and {other} have {len(theirs) * len(ours):.0e} pairs of images: too many "
                "to look for images that look the same. Identical files were looked for.",
            )  # fmt: skip
            continue
        nearest, distance = nearest_by_hash(ours.appearance, theirs.appearance)
        alike = (distance <= ALIKE) & ~np.isin(ours.image_hash, theirs.image_hash)
        alike &= (ours.brightness[:, 1] >= FLAT) & (theirs.brightness[nearest, 1] >= FLAT)
        for row in np.flatnonzero(alike):
            items = item(source, one, int(nearest[row])), item(source, other, int(row))
            bits = int(distance[row])
            found.append((bits, Example(items, f"{bits} of 64 bits differ")))
    if found:
        found.sort(key=lambda case: case[0])
        examples = tuple(example for _, example in found)
        yield Finding(
            "warning", "alike",
            f"{count(len(examples), 'image')} that look the same as one of another split "
            f"({by_split(examples)}), such as "
            f"{' and '.join(f'{one.split} {one.name}' for one in examples[0].items)}: scores "
            "there show what was learnt by heart.",
            examples,
        )  # fmt: skip


def nearest_by_hash(ours: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each hash the nearest of others, and in how many bits they differ.

    With bits as -1 and 1, the product of two hashes is 64 less twice the bits in which they differ,
    so that the comparison of all pairs is one multiplication of matrices.

    Args:
        ours: `uint64` (n,).
        theirs: `uint64` (m,), at least one.

    Returns:
        Positions in `theirs` and distances 0..64, both (n,).
    """
    a, b = _signs(ours), _signs(theirs).T
    step = max(1, CHUNK // len(theirs))
    nearest, distance = [], []
    for start in range(0, len(ours), step):
        products = a[start : start + step] @ b
        best = products.argmax(axis=1)
        nearest.append(best)
        distance.append((64 - products[np.arange(len(best)), best].astype(int)) // 2)
    return np.concatenate(nearest), np.concatenate(distance)


def bits_between(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Return in how many bits `uint64` hashes (n,) differ from others, (n,) or (1,): (n,)."""
    return (64 - (_signs(ours) * _signs(theirs)).sum(axis=1).astype(int)) // 2


def _differ(looks: np.ndarray) -> bool:
    """Whether any of some images does not look like the first."""
    return bool((bits_between(looks, looks[:1]) > ALIKE).any())


def _signs(hashes: np.ndarray) -> np.ndarray:
    """Return the bits of `uint64` hashes (n,) as -1 and 1: `float32` (n, 64)."""
    octets = np.ascontiguousarray(hashes, dtype=np.uint64).view(np.uint8).reshape(-1, 8)
    return np.unpackbits(octets, axis=1).astype(np.float32) * 2 - 1


def _by_split(places: list[tuple[str, int]]) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = defaultdict(list)
    for split, row in places:
        rows[split].append(row)
    return rows

"""Divide samples among splits and folds, deterministically and by whole groups."""

import hashlib
from collections.abc import Mapping, Sequence

from segmentation.data.discovery.layouts import Sample
from segmentation.errors import DataError


def divide(samples: Sequence[Sample], shares: Mapping[str, float]) -> dict[str, list[Sample]]:
    """Divide samples among splits, deterministically and by whole groups.

    Groups are sorted by a hash of their names and assigned until each split has its share of the
    samples; the rest is train. A sample without a group is a group of its own.

    Args:
        samples: the samples of all splits.
        shares: the share of each split other than train, 0..1. Each gets at least one group.

    Raises:
        DataError: there are fewer groups than splits.
    """
    groups = _groups(samples)
    if len(groups) <= len(shares):
        raise DataError(
            f"{len(groups)} groups of images cannot fill {len(shares) + 1} splits (train, "
            f"{', '.join(shares)}). Add images, choose another data.group, or name the splits "
            "(folders train/, val/; or data.pairs=<csv> with a split column)."
        )
    order = list(groups)
    result: dict[str, list[Sample]] = {}
    for split, share in shares.items():
        rows: list[Sample] = []
        spare = len(shares) - len(result)  # the splits still to come, train among them
        while len(order) > spare and (not rows or len(rows) < round(share * len(samples))):
            rows += groups[order.pop()]
        result[split] = rows
    result["train"] = [sample for name in order for sample in groups[name]]
    return {split: sorted(rows, key=lambda sample: sample.name) for split, rows in result.items()}


def into_folds(samples: Sequence[Sample], folds: int) -> list[list[Sample]]:
    """Divide samples into parts of similar size, deterministically and by whole groups.

    The largest groups are assigned first, each to the part with the fewest samples so far.

    Args:
        samples: the samples of all parts; a sample without a group is a group of its own.
        folds: the number of parts.

    Raises:
        DataError: there are fewer groups than parts.
    """
    groups = _groups(samples)
    if len(groups) < folds:
        raise DataError(
            f"{len(groups)} groups of images cannot be divided into data.folds={folds}. Use fewer, "
            "or another data.group."
        )
    parts: list[list[Sample]] = [[] for _ in range(folds)]
    for rows in sorted(groups.values(), key=len, reverse=True):
        min(parts, key=len).extend(rows)
    return [sorted(rows, key=lambda sample: sample.name) for rows in parts]


def _groups(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    """Group the samples, sorted by a hash of the groups' names."""
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        groups.setdefault(sample.group or sample.name, []).append(sample)
    return dict(sorted(groups.items(), key=lambda item: hashlib.sha256(item[0].encode()).digest()))

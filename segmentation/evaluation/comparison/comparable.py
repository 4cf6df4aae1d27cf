"""Whether runs can be compared: the same images, labels, classes and void pixels."""

from collections.abc import Mapping, Sequence

import numpy as np

from segmentation.console import typed
from segmentation.errors import DataError
from segmentation.runs.scored_images import ScoredImages


def comparable(runs: Mapping[str, ScoredImages]) -> dict[str, ScoredImages]:
    """Return runs with their images in the order of the first one's.

    Labels are compared by what the confusion matrices keep of them: the labelled pixels of each
    class in each image. Images are compared by name, and by content where runs kept a fingerprint.

    Args:
        runs: by the name that messages call them.

    Raises:
        DataError: two runs differ in class table, images, void policy or labels.
    """
    names = list(runs)
    first = runs[names[0]]
    aligned = {names[0]: first}
    for name in names[1:]:
        pair = f"{names[0]} and {name} cannot be compared: "
        other = runs[name]
        _check_classes(pair, first.classes, other.classes)
        _check_images(pair, first, other)
        aligned[name] = other.ordered_like(first.names)
        _check_labels(pair, first, aligned[name])
    return aligned


def _check_classes(pair: str, first: Sequence[str], other: Sequence[str]) -> None:
    if tuple(first) == tuple(other):
        return
    if set(first) == set(other):
        reason = f"the same classes in another order, {list(first)} and {list(other)}"
    else:
        removed, added = sorted(set(first) - set(other)), sorted(set(other) - set(first))
        reason = f"only the first has {removed}, only the second {added}"
    raise DataError(
        f"{pair}their class tables differ ({reason}). Train or score both with the same "
        "data.classes."
    )


def _check_images(pair: str, first: ScoredImages, other: ScoredImages) -> None:
    missing = sorted(set(first.names) - set(other.names))
    added = sorted(set(other.names) - set(first.names))
    if missing or added:
        sides = [(missing, "first"), (added, "second")]
        which = [
            f"{len(names)} only in the {where}, such as {names[0]}"
            for names, where in sides
            if names
        ]
        raise DataError(
            f"{pair}they were scored on different images ({len(first)} and {len(other)}; "
            f"{'; '.join(which)}). {_score_again()}"
        )
    prints = first.data_fingerprint, other.data_fingerprint
    if None not in prints and prints[0] != prints[1]:
        raise DataError(
            f"{pair}they were scored on different images: the names are the same, but the files' "
            f"contents differ (fingerprints {prints[0]} and {prints[1]}). {_score_again()}"
        )


def _check_labels(pair: str, first: ScoredImages, other: ScoredImages) -> None:
    labels, other_labels = first.truth, other.truth
    differing = np.flatnonzero(labels.sum(axis=1) != other_labels.sum(axis=1))
    if differing.size:
        worst = int(differing[0])
        raise DataError(
            f"{pair}their void policies differ: {differing.size} of {len(first)} images have "
            f"another number of labelled pixels, such as {first.names[worst]} "
            f"({labels[worst].sum():,} and {other_labels[worst].sum():,}). Score both with "
            "the same data.void and data.classes, at the labels' own size."
        )
    differing = np.flatnonzero((labels != other_labels).any(axis=1))
    if differing.size:
        worst = int(differing[0])
        index = int(np.flatnonzero(labels[worst] != other_labels[worst])[0])
        raise DataError(
            f"{pair}their labels differ in {differing.size} of {len(first)} images, such as "
            f"{first.names[worst]}: {labels[worst, index]:,} and {other_labels[worst, index]:,} "
            f"pixels of {first.classes[index]}. {_score_again()}"
        )


def _score_again() -> str:
    return f"Score both on the same data: {typed('evaluate')} run=... split=..."

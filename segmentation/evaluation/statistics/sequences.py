"""Find images that are neighbouring frames of a video."""

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

MAX_STEP = 2
"""A larger gap between the numbers of two frames, in median steps, starts a new sequence."""
MAX_DIFFERENCE = 0.5
"""In a video, how much the labels of neighbours differ at most, relative to frames far apart.

The difference is the total variation between the class shares of pixels, and medians are compared.
CamVid has 0.07 (val) to 0.22 (train, with a second between frames), the generated streets, numbered
but unrelated, 0.95.
"""
MIN_NEIGHBOURS = 5
"""With fewer pairs of neighbours images do not count as a video."""


def find_sequences(
    names: Sequence[str], groups: Sequence[str] | None = None
) -> tuple[np.ndarray, ...]:
    """Divide images into sequences by the number at the end of their names.

    Images with the same text before the number are a sequence, in the order of the numbers; a gap
    of more than `MAX_STEP` median steps starts a new one. A name without a number is a sequence of
    its own.

    Args:
        names: of n images.
        groups: the sequence of each image, if known; gaps are ignored then, and images without a
            number stay in the order of `names`.

    Returns:
        For each sequence the positions 0..n-1 of its images in temporal order; every position
        occurs once.
    """
    series: dict[tuple[str, str], list[tuple[int, str, int]]] = defaultdict(list)
    for position, name in enumerate(names):
        match = re.fullmatch(r"(.*?)(\d{1,18})", name, re.DOTALL)
        number = int(match[2]) if match else position
        if groups is not None:
            key = "group", groups[position]
        elif match:
            key = "prefix", match[1]
        else:
            key = "name", name
        series[key].append((number, name, position))
    sequences: list[np.ndarray] = []
    for _, frames in sorted(series.items()):
        frames.sort()
        numbers = np.array([number for number, _, _ in frames], dtype=np.int64)
        positions = np.array([position for _, _, position in frames], dtype=np.int64)
        steps = np.diff(numbers)
        gaps = [] if groups is not None or not len(steps) else steps > MAX_STEP * np.median(steps)
        sequences += np.split(positions, np.flatnonzero(gaps) + 1)
    return tuple(sequences)


def is_video(truth: np.ndarray, sequences: Sequence[np.ndarray]) -> bool:
    """Return whether neighbours by number are neighbours in time, as their labels are alike.

    Unrelated images may be numbered too; drawing them in blocks would only make intervals rougher.

    Args:
        truth: labelled pixels of each class in each image, (n, C).
        sequences: from `find_sequences`.
    """
    pairs = [pair for sequence in sequences for pair in pairwise(sequence.tolist())]
    if len(pairs) < MIN_NEIGHBOURS:
        return False
    shares = truth / np.maximum(truth.sum(axis=1, keepdims=True), 1)
    every = shares[np.concatenate(sequences)]

    def difference(first: np.ndarray, second: np.ndarray) -> float:
        return float(np.median(np.abs(first - second).sum(axis=1)))

    first, second = np.array(pairs).T
    far = difference(every, np.roll(every, len(every) // 2, axis=0))
    return difference(shares[first], shares[second]) <= MAX_DIFFERENCE * far

"""Which images are neighbouring frames of one video."""

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

REACH = 2
"""A step of more than this many times the usual one, between two frames, begins a new sequence."""
CLOSER = 0.5
"""Labels of neighbours in a video differ at most this much of what those of any two images do.

Total variation between the classes' shares of the pixels, median of neighbours against median of
frames far apart. CamVid: 0.07 (val) to 0.22 (the sequences of train, a second from frame to frame).
The generated streets, numbered but unrelated: 0.95.
"""
LEAST = 5
"""Fewer neighbours than this prove nothing."""


def find_sequences(
    names: Sequence[str], groups: Sequence[str] | None = None
) -> tuple[np.ndarray, ...]:
    """Divide images into sequences by the number at the end of their names.

    Images that share what stands before the number are one sequence, in the order of the numbers; a
    gap of more than `REACH` times the usual (median) step begins another. A name without a number
    is a sequence of its own.

    Args:
        names: one for each of n images.
        groups: the sequence of each image, where it is known; then gaps divide nothing, and images
            without a number stand in the order of `names`.

    Returns:
        For each sequence the positions 0..n-1 of its images in order of time; every position occurs
        once.
    """
    found: dict[tuple[str, str], list[tuple[int, str, int]]] = defaultdict(list)
    for position, name in enumerate(names):
        match = re.fullmatch(r"(.*?)(\d{1,18})", name, re.DOTALL)
        number = int(match[2]) if match else position
        if groups is not None:
            found["group", groups[position]].append((number, name, position))
        elif match:
            found["prefix", match[1]].append((number, name, position))
        else:
            found["name", name].append((number, name, position))
    sequences: list[np.ndarray] = []
    for _, frames in sorted(found.items()):
        frames.sort()
        numbers = np.array([number for number, _, _ in frames], dtype=np.int64)
        positions = np.array([position for _, _, position in frames], dtype=np.int64)
        steps = np.diff(numbers)
        gaps = [] if groups is not None or not len(steps) else steps > REACH * np.median(steps)
        sequences += np.split(positions, np.flatnonzero(gaps) + 1)
    return tuple(sequences)


def is_video(truth: np.ndarray, sequences: Sequence[np.ndarray]) -> bool:
    """Whether neighbours in number are neighbours in time: their labels are much alike.

    Images that have nothing to do with each other are numbered too; as blocks they would only make
    an interval rougher.

    Args:
        truth: labelled pixels of each class in each image, (n, C).
        sequences: from `find_sequences`.
    """
    pairs = [pair for sequence in sequences for pair in pairwise(sequence.tolist())]
    if len(pairs) < LEAST:
        return False
    shares = truth / np.maximum(truth.sum(axis=1, keepdims=True), 1)
    every = shares[np.concatenate(sequences)]

    def apart(one: np.ndarray, other: np.ndarray) -> float:
        return float(np.median(np.abs(one - other).sum(axis=1)))

    near, other = np.array(pairs).T
    far = apart(every, np.roll(every, len(every) // 2, axis=0))
    return apart(shares[near], shares[other]) <= CLOSER * far

"""Splits that share a video: names that number on from one split to another.

Nearest frames of CamVid's train and val are a second apart, so their pictures differ as much as any
two; what gives them away is their names. A number alone proves nothing: images that have nothing to
do with each other are numbered too. So the pictures have to say that neighbours in number are
neighbours in time.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np

from segmentation.data.check.finding import Example, Finding, count, item
from segmentation.data.check.leaks import bits_between
from segmentation.data.discovery.scanned_dataset import ScannedDataset
from segmentation.errors import listed

REACH = 2
"""Frames are neighbours up to this many times the usual step between a split's frames."""
CLOSER = 0.75
"""Neighbours of a video differ in at most this part of the bits in which any two images do.

Medians of CamVid: 10 of 64 bits between neighbours, 30 between any two frames. The generated
streets, numbered but unrelated, have 30 and 30.
"""
LEAST = 5
"""Fewer neighbours than this prove nothing."""


@dataclass(frozen=True)
class Frame:
    """An image by the number at the end of its name."""

    number: int
    split: str
    row: int


def shared_videos(source: ScannedDataset) -> Iterator[Finding]:
    """Find val and test images that continue a video of train."""
    for split in source.scans:
        if split != "train" and "train" in source.scans:
            yield from _shared(source, split)


def _shared(source: ScannedDataset, split: str) -> Iterator[Finding]:
    neighbours: list[tuple[Frame, Frame]] = []
    clips: list[Clip] = []
    for frames in _numberings(source, split).values():
        reach = REACH * _usual_step(frames)
        neighbours += [
            (one, other) for one, other in pairwise(frames) if other.number - one.number <= reach
        ]
        clips += _clips(frames, split, reach)
    if not clips or not _is_video(source, split, neighbours):
        return
    shown = sum(len(clip.frames) for clip in clips)
    whole = "all" if shown == len(source.scans[split]) else f"{shown} of"
    yield Finding(
        "warning", "video",
        f"{split} continues the videos of train: {whole} its {len(source.scans[split])} images are "
        f"neighbours of train's ({listed([_told(source, clip) for clip in clips], 2)}). "
        "Expect lower scores on other scenes.",
        tuple(_example(source, *edge) for clip in clips for edge in clip.edges),
    )  # fmt: skip


@dataclass(frozen=True)
class Clip:
    """Frames of a split without train's between them.

    Attributes:
        frames: by number.
        edges: train's frame and the clip's own, wherever the two are neighbours.
    """

    frames: list[Frame]
    edges: list[tuple[Frame, Frame]]


def _numberings(source: ScannedDataset, split: str) -> dict[str, list[Frame]]:
    """Return the frames of train and a split by the name before the number, in order.

    Where a number stands in both splits for different images, each split numbers its own.
    """
    numberings: dict[str, dict[tuple[int, str], Frame]] = defaultdict(dict)
    for which in ("train", split):
        for row, sample in enumerate(source.samples[which]):
            if match := re.fullmatch(r"(.*?)(\d+)", sample.name, re.DOTALL):
                number = int(match[2])
                numberings[match[1]][number, which] = Frame(number, which, row)
    hashes = {which: source.scans[which].image_hash for which in ("train", split)}

    def common(frames: dict[tuple[int, str], Frame]) -> bool:
        both = [(frames.get((number, "train")), frames[number, which])
                for number, which in frames if which == split]  # fmt: skip
        return all(
            one is None or hashes["train"][one.row] == hashes[split][other.row]
            for one, other in both
        )

    return {
        prefix: sorted(frames.values(), key=lambda frame: frame.number)
        for prefix, frames in numberings.items()
        if len({which for _, which in frames}) == 2 and common(frames)
    }


def _usual_step(frames: list[Frame]) -> float:
    """Return the larger of the two splits' median steps; 0 where each has one frame only."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for frame in frames:
        numbers[frame.split].append(frame.number)
    steps = [[b - a for a, b in pairwise(found)] for found in numbers.values()]
    return max((median(found) for found in steps if found), default=0)


def _clips(frames: list[Frame], split: str, reach: float) -> list[Clip]:
    """Return the clips of a split that touch train's frames."""
    clips: list[Clip] = []
    current = Clip([], [])
    before: Frame | None = None
    for frame in frames:
        near = before is not None and frame.number - before.number <= reach
        if frame.split == split:
            if before is None or before.split != split or not near:
                current = Clip([], [(before, frame)] if before and near else [])
                clips.append(current)
            current.frames.append(frame)
        elif before and before.split == split and near:
            current.edges.append((frame, before))
        before = frame
    return [clip for clip in clips if clip.edges]


def _is_video(source: ScannedDataset, split: str, neighbours: list[tuple[Frame, Frame]]) -> bool:
    """Whether neighbours in number look more alike than any two images of these splits."""
    if len(neighbours) < LEAST:
        return False
    looks = {which: source.scans[which].appearance for which in ("train", split)}
    ours, theirs = (
        np.array([looks[frame.split][frame.row] for frame in side])
        for side in zip(*neighbours, strict=True)
    )
    every = np.concatenate(list(looks.values()))
    apart = bits_between(every, np.roll(every, len(every) // 2))
    return bool(np.median(bits_between(ours, theirs)) <= CLOSER * np.median(apart))


def _told(source: ScannedDataset, clip: Clip) -> str:
    first, last = (
        source.samples[one.split][one.row].name for one in (clip.frames[0], clip.frames[-1])
    )
    beside = [source.samples[one.split][one.row].name for one, _ in clip.edges]
    place = f"between {beside[0]} and {beside[1]}" if len(beside) == 2 else f"beside {beside[0]}"
    return f"{first if first == last else f'{first} to {last}'} {place}"


def _example(source: ScannedDataset, train: Frame, other: Frame) -> Example:
    apart = abs(train.number - other.number)
    items = item(source, train.split, train.row), item(source, other.split, other.row)
    return Example(items, f"{count(apart, 'number')} apart")

"""CamVid in other splits than the published one, as it circulates on Kaggle.

There neighbours of test frames are in train: its scores are higher and compare with nothing that is
published on CamVid.
"""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator

from segmentation.console import typed
from segmentation.data.check.finding import Example, Finding, item
from segmentation.data.discovery.scanned_dataset import ScannedDataset
from segmentation.data.fetch.camvid import CAMVID
from segmentation.data.fetch.checksums import read_checksums

PUBLISHED = {"train": 367, "val": 101, "test": 233}
LEAST = 20
"""Fewer of CamVid's frames than this prove nothing."""
MOSTLY = 0.9
"""At least so many of a data set's images have to be frames of CamVid."""
SECOND = 30
"""Numbers between two frames that are a second apart."""
FRAME = re.compile(r"(\w+?)_f?(\d+)")


def other_split(source: ScannedDataset) -> Iterator[Finding]:
    """Find the frames of CamVid divided otherwise than in the SegNet tutorial's split."""
    names = {
        split: [sample.name.rpartition("/")[2] for sample in samples]
        for split, samples in source.samples.items()
    }
    every = [(name, split) for split, own in names.items() for name in own]
    if len(every) < LEAST or not FRAME.match(every[0][0]):
        return
    published = {
        path.partition("/")[2].removesuffix(".png"): path.partition("/")[0]
        for path in read_checksums(CAMVID.checksums)
    }
    known = [(name, split) for name, split in every if name in published]
    moved = [name for name, split in known if published[name].removesuffix("annot") != split]
    if len(known) < max(LEAST, MOSTLY * len(every)) or not moved:
        return
    scored = next((split for split in ("test", "val") if split in names), "")
    near = _neighbours(names.get("train", []), names.get(scored, []))
    counts = "/".join(str(len(own)) for own in names.values())
    beside = (
        f" {len(near)} of the {len(names[scored])} frames of {scored} are within a second of a "
        "frame of train."
        if near
        else ""
    )
    yield Finding(
        "warning", "camvid-split",
        f"frames of CamVid, {len(moved)} of them in another split than the published one "
        f"({'/'.join(PUBLISHED)} {'/'.join(map(str, PUBLISHED.values()))}, here {'/'.join(names)} "
        f"{counts}), as on Kaggle.{beside} Scores compare with nothing published. Get the "
        f"published split with `{typed('fetch')} camvid`.",
        tuple(
            Example((item(source, "train", one), item(source, scored, other)))
            for one, other in near
        ),
    )  # fmt: skip


def _neighbours(train: list[str], others: list[str]) -> list[tuple[int, int]]:
    """Return the rows of train and of another split that are at most a second apart."""
    clips: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for row, name in enumerate(train):
        if match := FRAME.fullmatch(name):
            clips[match[1]].append((int(match[2]), row))
    for frames in clips.values():
        frames.sort()
    near = []
    for row, name in enumerate(others):
        match = FRAME.fullmatch(name)
        if match is None:
            continue
        number, frames = int(match[2]), clips.get(match[1], [])
        place = bisect_left(frames, (number, 0))
        around = frames[max(place - 1, 0) : place + 1]
        best = min(around, key=lambda frame: abs(frame[0] - number), default=None)
        if best is not None and abs(best[0] - number) <= SECOND:
            near.append((best[1], row))
    return near

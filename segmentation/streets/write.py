"""The scenes as files: drawn once, in the layout of the SegNet tutorial's CamVid."""

import csv
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from filelock import FileLock

from segmentation.errors import DataError
from segmentation.streets.scene import check_size, draw_scene, plan_scene
from segmentation.streets.targets import COLUMNS, targets
from segmentation.system.hardware import available_cores

SPLITS = ("train", "val", "test")
COUNTS: Mapping[str, int] = {"train": 320, "val": 60, "test": 100}
"""How many scenes each split has unless one asks for others."""
VERSION = 2
"""Raised whenever the same seed would give other files, so that old ones are drawn again."""
STAMP = "streets.json"

_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 1)  # the noise hardly shrinks, so the fastest level
_WORTH_A_HELPER = 40  # scenes: fewer are drawn sooner than a second process starts
_HELPER = """
import json, pathlib, sys, cv2
from segmentation.streets.write import draw_share
cv2.setNumThreads(1)
folder, stamp, first, step = sys.argv[1:]
draw_share(pathlib.Path(folder), json.loads(stamp), int(first), int(step))
"""
_log = logging.getLogger(__name__)
_README = """Street scenes drawn by cityseg: pictures in train, val and test, masks in trainannot,
valannot and testannot. A mask has its picture's name and size; it is an 8-bit PNG of one channel
whose values are class indices, in CamVid's order:
0 Sky, 1 Building, 2 Pole, 3 Road, 4 Pavement, 5 Tree, 6 SignSymbol, 7 Fence, 8 Car,
9 Pedestrian, 10 Bicyclist, 11 Unlabelled (void).
targets.csv says of each picture as a whole:
scene (sunny, overcast, rain, dusk, night), time_of_day (day, dusk, night),
street (terrace, high street, suburb, avenue, park),
traffic = Car / (Car + Road), the part of the carriageway that vehicles hide,
arousal = tanh(4 traffic + 20 people - trees + A - 0.9), A: night 0.4, rain 0.3, dusk 0.2, else 0,
valence = tanh(3 trees + 2 sky - traffic + V - 0.6), V: sunny 0.6, dusk 0.3, overcast 0, rain and
night -0.75, where people (9 and 10), trees and sky are shares of the picture's pixels.
Put your own pictures and masks into folders like these to train on them. This folder itself is
drawn anew whenever its size, seed or counts change: keep nothing of yours in it.
"""


def write_streets(
    root: Path,
    seed: int = 0,
    size: tuple[int, int] = (240, 320),
    counts: Mapping[str, int] = COUNTS,
) -> None:
    """Draw all splits into `root`, unless they are there already.

    The folder appears complete or not at all. Of several processes that ask for it at once one
    draws and the others wait, by a lock file beside it. A folder drawn earlier with other
    arguments is replaced.

    Args:
        root: the folder to make; it gets ``train/0000.png``, ``trainannot/0000.png`` and so on.
        seed: of the whole set, 0 or more.
        size: height and width in pixels.
        counts: how many scenes each split gets; its keys are ``train``, ``val`` and ``test``, or
            some of them. No scene is in two splits, and a split's scenes stay the same when
            another one grows.

    Raises:
        DataError: arguments that cannot be drawn, a folder that holds something else, or a place
            that cannot be written to.
    """
    _check(seed, size, counts)
    root = Path(os.path.realpath(root))
    stamp = {
        "generator": VERSION,
        "seed": int(seed),
        "size": [int(side) for side in size],
        "counts": {split: int(counts[split]) for split in SPLITS if split in counts},
    }
    try:
        if _stamp_of(root) == stamp:
            return
        root.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(root.parent / f".{root.name}.lock"):
            found = _stamp_of(root)
            if found == stamp:  # another process drew it while this one waited
                return
            if found is None and root.exists() and not (root.is_dir() and _is_empty(root)):
                raise DataError(
                    f"{root} is there already and is no folder of street scenes (it has no "
                    f"readable {STAMP}). It is left as it is: choose another folder with "
                    "data.root=<folder>, or move that one away."
                )
            _replace(root, stamp)
    except OSError as error:
        raise DataError(
            f"the street scenes cannot be written to {root}: {error}. Choose a folder on a disk "
            "with room that you may write to: data.root=<folder>."
        ) from error


def _check(seed: int, size: tuple[int, int], counts: Mapping[str, int]) -> None:
    if seed < 0:
        raise DataError(f"the seed of street scenes is {seed}; use 0 or more.")
    check_size(size)
    wrong = sorted(set(counts) - set(SPLITS))
    if wrong or not counts or min(counts.values()) < 1:
        raise DataError(
            f"the counts of street scenes are {dict(counts)}; give each of {', '.join(SPLITS)} "
            "(or some of them) 1 or more."
        )


def _stamp_of(root: Path) -> dict | None:
    """Return the stamp that this module left in a folder, None where there is none."""
    try:
        return json.loads((root / STAMP).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def _is_empty(folder: Path) -> bool:
    return next(folder.iterdir(), None) is None


def _replace(root: Path, stamp: dict) -> None:
    """Draw into a folder beside `root`, then put it in the place of `root`."""
    fresh, old = (root.with_name(f".{root.name}.{part}") for part in ("partial", "old"))
    for leftover in (fresh, old):  # of a process that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    fresh.mkdir()
    try:
        _draw_all(fresh, stamp)
        _write_targets(fresh, stamp)
        (fresh / "README.txt").write_text(_README, encoding="utf-8")
        (fresh / STAMP).write_text(json.dumps(stamp, indent=2) + "\n", encoding="utf-8")
        if root.exists():
            root.rename(old)
        fresh.rename(root)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _draw_all(folder: Path, stamp: dict) -> None:
    """Draw every scene of every split, on all cores that this process may use.

    The helpers are plain child processes and no multiprocessing pool: a pool imports the caller's
    main module again, which hangs or fails in a script without a main guard.
    """
    for split in stamp["counts"]:
        for kind in (split, f"{split}annot"):
            (folder / kind).mkdir()
    enough = sum(stamp["counts"].values()) >= _WORTH_A_HELPER
    cores = available_cores() if enough else 1
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    helpers = [
        subprocess.Popen(
            [sys.executable, "-c", _HELPER, str(folder), json.dumps(stamp), str(k), str(cores)],
            stderr=subprocess.PIPE, env=environment, text=True,
        )
        for k in range(1, cores)
    ]  # fmt: skip
    try:
        draw_share(folder, stamp, 0, cores)
        for k, helper in enumerate(helpers, start=1):
            _, trace = helper.communicate()
            if helper.returncode:  # drawn here, so that what stopped it is raised here
                _log.warning("a helper that draws streets ended early: %s", trace.strip()[-300:])
                draw_share(folder, stamp, k, cores)
    finally:
        for helper in helpers:
            helper.kill()
            helper.wait()


def draw_share(folder: Path, stamp: dict, first: int, step: int) -> None:
    """Draw and write every `step`-th scene of a set, from the scene number `first` on."""
    jobs = [(split, k) for split, count in stamp["counts"].items() for k in range(count)]
    for split, number in jobs[first::step]:
        _write_scene(folder, stamp["seed"], tuple(stamp["size"]), split, number)


def _write_scene(folder: Path, seed: int, size: tuple[int, int], split: str, number: int) -> None:
    """Draw and write one scene."""
    image, mask = draw_scene(seed, _index(split, number), size)
    name = f"{number:04d}.png"
    _write_png(folder / split / name, image[..., ::-1])
    _write_png(folder / f"{split}annot" / name, mask)


def _index(split: str, number: int) -> int:
    """Return a scene's index: every third belongs to the same split."""
    return len(SPLITS) * number + SPLITS.index(split)


def _write_targets(folder: Path, stamp: dict) -> None:
    """Write `targets.csv`; the masks come from their files, as helpers have drawn some of them."""
    with (folder / "targets.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.DictWriter(file, ("image", *COLUMNS), lineterminator="\n")
        rows.writeheader()
        for split, count in stamp["counts"].items():
            for number in range(count):
                name = f"{number:04d}.png"
                content = (folder / f"{split}annot" / name).read_bytes()
                mask = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
                assert mask is not None  # written a moment ago
                plan = plan_scene(stamp["seed"], _index(split, number))
                rows.writerow({"image": f"{split}/{name}", **targets(*plan, mask)})


def _write_png(path: Path, pixels: np.ndarray) -> None:
    # imencode and a plain write: cv2.imwrite does not say when the disk is full
    _, encoded = cv2.imencode(".png", pixels, _PNG)
    path.write_bytes(encoded.tobytes())

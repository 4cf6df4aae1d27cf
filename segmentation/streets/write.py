"""Write the scenes to files once, in the layout of the SegNet tutorial's CamVid."""

import csv
import json
import logging
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from filelock import FileLock

from segmentation.console import argument, quoted
from segmentation.errors import DataError
from segmentation.streets.scene import check_size, draw_scene, plan_scene
from segmentation.streets.targets import COLUMNS, targets
from segmentation.system.files import MAX_FILE_BYTES, file_sizes, read_json, sync, write_json
from segmentation.system.hardware import available_cores

SPLITS = ("train", "val", "test")
COUNTS: Mapping[str, int] = {"train": 320, "val": 60, "test": 100}
"""Default number of scenes in each split."""
VERSION = 2
"""Raised whenever the same seed gives other files, so that old ones are redrawn."""
STAMP = "streets.json"
README = "README.txt"

_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 1)  # fastest level, as noise hardly compresses
_WORTH_A_HELPER = 40  # scenes; fewer are drawn before a second process has started
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
drawn again where a file of it is damaged or missing: keep nothing of yours in it.
"""


def write_streets(
    root: Path,
    seed: int = 0,
    size: tuple[int, int] = (240, 320),
    counts: Mapping[str, int] = COUNTS,
) -> None:
    """Draw all splits into `root`, unless they already exist.

    The folder appears complete or not at all, and replaces one that is damaged or of an earlier
    `VERSION`. Of several concurrent processes one draws, and the others wait at a lock file beside
    the folder.

    Args:
        root: the folder to create, with ``train/0000.png``, ``trainannot/0000.png`` and so on.
        seed: of the whole set, 0 or more.
        size: height and width in pixels.
        counts: number of scenes by split: ``train``, ``val``, ``test`` or some of them. No scene is
            in two splits, and a split's scenes do not depend on the other counts.

    Raises:
        DataError: invalid arguments, a folder with other content or with scenes drawn with other
            arguments, or no permission to write.
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
        if _is_whole(root, stamp):
            return
        root.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(root.parent / f".{root.name}.lock"):
            if _is_whole(root, stamp):  # drawn by another process in the meantime
                return
            empty = root.is_dir() and not any(root.iterdir())
            if root.exists() and not empty and not _is_own(root):
                raise DataError(
                    f"{root} exists and is not a folder of street scenes (it has no {STAMP} and "
                    f"{README} of one). It is left unchanged: pass another data.root=<folder>, or "
                    "move this one away."
                )
            _check_settings(root, stamp)
            _replace(root, stamp)
    except OSError as error:
        raise DataError(
            f"the street scenes cannot be written to {root}: {error}. Pass another "
            "data.root=<folder>, writable and with enough free space."
        ) from error


def _check(seed: int, size: tuple[int, int], counts: Mapping[str, int]) -> None:
    if seed < 0:
        raise DataError(f"the seed of street scenes is {seed}; pass 0 or more.")
    check_size(size)
    wrong = sorted(set(counts) - set(SPLITS))
    if wrong or not counts or min(counts.values()) < 1:
        raise DataError(
            f"the counts of street scenes are {dict(counts)}; pass 1 or more for each of "
            f"{', '.join(SPLITS)}, or for some of them."
        )


def _is_whole(root: Path, stamp: dict) -> bool:
    """Return whether a folder holds the scenes of a stamp, and is not damaged."""
    return _whole_stamp(root) == stamp


def _whole_stamp(root: Path) -> dict | None:
    """Return the stamp of the scenes in a folder; None unless each file has the size it had."""
    try:
        present = read_json(root / STAMP, most=MAX_FILE_BYTES) or {}
        files = present.pop("files", {})
        sizes = {name: (root / name).stat().st_size for name in files}
    except (DataError, FileNotFoundError, NotADirectoryError, AttributeError, TypeError):
        return None
    return present if files and sizes == files else None


def _check_settings(root: Path, stamp: dict) -> None:
    """Check that a folder holds no intact scenes of other settings, which would be lost.

    Raises:
        DataError: it does.
    """
    present = _whole_stamp(root) or {}
    kept = {key: present.get(key) for key in ("counts", "size", "seed")}
    other = {
        key: value
        for key, value in kept.items()
        if value != stamp[key] and isinstance(value, type(stamp[key]))  # else it is damaged
    }
    if not other:
        return
    held = " and ".join(f"{key} {quoted(value)}" for key, value in other.items())
    words = [argument(f"data.draw.{key}", other[key]) for key in other if key != "counts"]
    counts = other.get("counts", {})
    for split in SPLITS if counts else ():
        key = f"data.draw.counts.{split}"
        if split in counts and counts[split] != stamp["counts"].get(split):
            words.append(argument(key, counts[split]))
        elif split not in counts and split in stamp["counts"]:
            words.append(shlex.quote(f"~{key}"))
    raise DataError(
        f"{root} holds street scenes drawn with {held}. To use them, type {' '.join(words)}; to "
        "draw others, type another data.root=<folder>."
    )


def _is_own(root: Path) -> bool:
    """Return whether a folder was drawn here, damaged or not, and may be replaced."""
    try:
        readme = (root / README).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return (root / STAMP).is_file() and readme.startswith(_README[:40].encode())


def _replace(root: Path, stamp: dict) -> None:
    """Draw into a temporary folder beside `root`, then replace `root` with it."""
    fresh, old = (root.with_name(f".{root.name}.{part}") for part in ("partial", "old"))
    for leftover in (fresh, old):  # of a process that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    fresh.mkdir()
    try:
        _draw_all(fresh, stamp)
        _write_targets(fresh, stamp)
        (fresh / README).write_text(_README, encoding="utf-8")
        sync(fresh)
        write_json(fresh / STAMP, {**stamp, "files": file_sizes(fresh)})
        if root.exists():
            root.rename(old)
        fresh.rename(root)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _draw_all(folder: Path, stamp: dict) -> None:
    """Draw all scenes, on all available cores.

    Not with a multiprocessing pool: it imports the main module again, which fails in a script
    without a main guard.
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
            if helper.returncode:  # draw its share here, so that its error is raised here
                _log.warning("a process that draws streets failed: %s", trace.strip()[-300:])
                draw_share(folder, stamp, k, cores)
    finally:
        for helper in helpers:
            helper.kill()
            helper.wait()


def draw_share(folder: Path, stamp: dict, first: int, step: int) -> None:
    """Draw and write every `step`-th scene of a set, starting at scene `first`."""
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
    """Return a scene's index; every third belongs to the same split."""
    return len(SPLITS) * number + SPLITS.index(split)


def _write_targets(folder: Path, stamp: dict) -> None:
    """Write `targets.csv` from the masks' files, as helpers drew some of them."""
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
    # Not cv2.imwrite, which does not report a full disk.
    _, encoded = cv2.imencode(".png", pixels, _PNG)
    path.write_bytes(encoded.tobytes())

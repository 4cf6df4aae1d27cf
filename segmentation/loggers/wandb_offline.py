"""Repair the offline logs `run-<id>.wandb` that a killed process has left.

`wandb sync` stops at a log that ends within a record, and then uploads no later part of the run
either. A resumed run therefore first truncates such a log after its last complete record.

The file is a LevelDB log (https://github.com/google/leveldb/blob/main/doc/log_format.md) after a
header of 7 bytes: blocks of 32 KiB, in which each fragment of a record has a checksum (4 bytes), a
length (2, little endian) and a type (1).
"""

import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from segmentation.loggers.run_id import read_run_id
from segmentation.system.files import read_json, write_json

if TYPE_CHECKING:
    from wandb import Run

HEADER = FRAGMENT = 7
BLOCK = 32768
WHOLE, LAST = 1, 4
"""Types of a fragment that completes a record; the others begin or continue one."""

SUMMARY_FILE = "last_values.json"

log = logging.getLogger(__name__)


def parts_of_run(directory: Path, kind: str = "*run") -> set[Path]:
    """Return the folders that W&B has written for a run, in its directory and below `WANDB_DIR`.

    Args:
        directory: of the run.
        kind: ``"run"`` for online parts, ``"offline-run"``, or both.
    """
    parts = set((directory / "wandb").glob(f"{kind}-*"))
    shared, run_id = os.environ.get("WANDB_DIR"), read_run_id(directory / "wandb")
    if shared and run_id:  # among those of other runs; `.wandb` if there is one
        parts.update(Path(shared).absolute().glob(f"*wandb/{kind}-*-{run_id}"))
    return parts


def repair_logs(directory: Path) -> None:
    """Truncate the offline logs of a run after their last complete record.

    No other process may be writing to them.
    """
    parts = parts_of_run(directory, "offline-run")
    for path in (path for part in parts for path in part.glob("run-*.wandb")):
        whole = whole_bytes(path.read_bytes())
        if whole <= HEADER:
            path.unlink()  # killed before the first record
        elif whole < path.stat().st_size:
            os.truncate(path, whole)
            log.info("W&B: dropped the truncated last record of %s", path.name)


def whole_bytes(content: bytes) -> int:
    """Return the offset at which the last complete record of a log ends; 0 without a header."""
    if len(content) < HEADER:
        return 0
    place = whole = HEADER
    while True:
        left = BLOCK - place % BLOCK
        if left < FRAGMENT:  # too short for a fragment: padding
            place += left
        end = place + FRAGMENT + int.from_bytes(content[place + 4 : place + 6], "little")
        if place + FRAGMENT > len(content) or end > len(content):
            return whole
        if content[place + 6] in (WHOLE, LAST):
            whole = end
        place = end


def save_summary(run: "Run", folder: Path) -> None:
    """Keep the summary of an offline run, about to be closed, for the next part of it."""
    if run.offline and not run.disabled:
        values = json.loads(json.dumps(dict(run.summary), default=dict))
        write_json(folder / SUMMARY_FILE, {key: values[key] for key in values if key[0] != "_"})


def restore_summary(run: "Run", folder: Path) -> None:
    """Start another part of an offline run with the summary of the earlier parts."""
    if run.offline and (values := read_json(folder / SUMMARY_FILE)):
        run.summary.update(values)

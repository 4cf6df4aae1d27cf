"""W&B's log of a run, `run-<id>.wandb`, as a killed process leaves it.

`wandb sync` stops at a log that breaks off within a record, and then uploads no later part of the
run either. So a run that goes on first cuts such a log off after its last whole record.

The file is a LevelDB log (https://github.com/google/leveldb/blob/main/doc/log_format.md) after a
header of 7 bytes: blocks of 32 KiB, in which each fragment of a record has a checksum (4 bytes), a
length (2, little endian) and a type (1).
"""

import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from segmentation.system.files import read_json, write_json

if TYPE_CHECKING:
    from wandb import Run

HEADER = FRAGMENT = 7

BLOCK = 32768

WHOLE, LAST = 1, 4
"""Types of a fragment that ends a record; others begin or continue one."""

log = logging.getLogger(__name__)


def mend_parts(folder: Path) -> None:
    """Mend the logs that earlier starts of a run have left.

    Args:
        folder: W&B's folder in the run directory; no process may be writing there.
    """
    for path in folder.glob("offline-run-*/run-*.wandb"):
        whole = whole_bytes(path.read_bytes())
        if whole <= HEADER:
            path.unlink()  # nothing was written before the end came
        elif whole < path.stat().st_size:
            os.truncate(path, whole)
            log.info("W&B: the last record of %s was cut off, it is left out", path.name)


def whole_bytes(content: bytes) -> int:
    """Return where the last whole record of a log ends; 0 where there is not even a header."""
    if len(content) < HEADER:
        return 0
    place = whole = HEADER
    while True:
        left = BLOCK - place % BLOCK
        if left < FRAGMENT:  # too little for a fragment: zeros
            place += left
        end = place + FRAGMENT + int.from_bytes(content[place + 4 : place + 6], "little")
        if place + FRAGMENT > len(content) or end > len(content):
            return whole
        if content[place + 6] in (WHOLE, LAST):
            whole = end
        place = end


FILE = "last_values.json"


def keep_summary(run: "Run", folder: Path) -> None:
    """Keep the last values of an offline run, for the part that goes on with it.

    Args:
        run: it is about to end.
        folder: W&B's in the run directory.
    """
    if run.offline and not run.disabled:
        values = json.loads(json.dumps(dict(run.summary), default=dict))
        write_json(folder / FILE, {key: values[key] for key in values if key[0] != "_"})


def restate_summary(run: "Run", folder: Path) -> None:
    """Begin a part of an offline run with the last values of the parts before it."""
    if run.offline and (values := read_json(folder / FILE)):
        run.summary.update(values)

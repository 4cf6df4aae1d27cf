"""The last values of an offline W&B run, handed on from each of its parts to the next.

`wandb sync` uploads part after part, and each replaces the summary: W&B's table of runs, and its
charts of tables, would forget what only an earlier part has logged. Of an online run the server
knows the summary.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from segmentation.whole_files import read_json, write_json

if TYPE_CHECKING:
    from wandb import Run

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

"""The id of a run at a tracking service, kept so that a resumed run continues the same one."""

import re
from contextlib import suppress
from pathlib import Path

from segmentation.system.files import write_atomic


def read_run_id(folder: Path) -> str | None:
    """Return the id kept in a service's folder of the run directory; None for a new run."""
    with suppress(OSError, UnicodeError):
        run_id = (folder / "run_id").read_text(encoding="utf-8").strip()
        return run_id if re.fullmatch(r"[\w-]{1,64}", run_id) else None
    return None


def write_run_id(folder: Path, run_id: str) -> None:
    """Keep the id of a run for later starts that resume it."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "run_id", run_id + "\n")

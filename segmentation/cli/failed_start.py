"""Remove the run directory of a training that failed before it wrote anything."""

import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from segmentation.runs.directory import RUN_LOCK, working
from segmentation.system.ranks import rank


class FailedStart(Callback):
    """Removes a run directory that this command made, if only empty files of its own are in it."""

    def __init__(self) -> None:
        self._made: Path | None = None

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Remember the run directory if it is not there yet; Hydra makes it next."""
        with suppress(Exception):  # Hydra meets an invalid value next, and raises it
            directory = Path(config.hydra.run.dir).absolute()
            self._made = directory if rank() == 0 and not directory.exists() else None

    def on_run_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Remove the directory if nothing was written into it."""
        if self._made is None or not self._made.is_dir():
            return
        own = {RUN_LOCK, f"{config.hydra.job.name}.log"}
        files = list(self._made.iterdir())
        if any(path.name not in own or path.stat().st_size for path in files):
            return
        if working(self._made):  # another process, to which the same directory was given
            return
        for handler in logging.getLogger().handlers[:]:  # it would open its file again
            if isinstance(handler, logging.FileHandler) and own & {Path(handler.baseFilename).name}:
                logging.getLogger().removeHandler(handler)
                handler.close()
        with suppress(OSError):  # it holds something by now
            for path in files:
                path.unlink(missing_ok=True)
            self._made.rmdir()

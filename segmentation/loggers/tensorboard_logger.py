"""TensorBoard logger that writes into the run directory; a resumed run continues its curves."""

import os
from contextlib import suppress
from pathlib import Path

from pytorch_lightning.loggers import Logger, TensorBoardLogger

from segmentation.loggers.fault_tolerant import FaultTolerant
from segmentation.system.packages import require_extra

DIRECTORY = "TENSORBOARD_LOGGING_DIR"
"""Environment variable, which Hugging Face's trainer reads too: where event files go."""


class TensorboardLogger(FaultTolerant, TensorBoardLogger):
    """Log to event files, as Lightning does."""

    service = "TensorBoard"
    buffers = True

    def resume_from(self, step: int) -> None:
        """Let TensorBoard hide what earlier files hold from `step` on."""
        self._close()
        self._kwargs["purge_step"] = step

    def reopen(self, error: Exception) -> None:
        """Start a new file, because the thread that wrote the old one has ended."""
        self._close()

    def _close(self) -> None:
        with suppress(Exception):
            if self._experiment is not None:
                self._experiment.close()
        self._experiment = None


def tensorboard(save_dir: str | os.PathLike, directory: str | None = None) -> Logger:
    """Return a TensorBoard logger that writes into the folder `tensorboard` of a run directory.

    Args:
        save_dir: the run directory.
        directory: gets a folder with the run's name instead; None: `TENSORBOARD_LOGGING_DIR`.

    Raises:
        ConfigError: the package is not installed.
    """
    require_extra("tensorboard", "logger=tensorboard")
    if directory := directory or os.environ.get(DIRECTORY):
        return TensorboardLogger(directory, name=Path(save_dir).absolute().name, version="")
    return TensorboardLogger(os.fspath(save_dir), name="tensorboard", version="")

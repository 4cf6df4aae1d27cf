"""TensorBoard logger that writes into the run directory; a resumed run continues its curves."""

import os
from contextlib import suppress

from pytorch_lightning.loggers import Logger, TensorBoardLogger

from segmentation.loggers.fault_tolerant import FaultTolerant
from segmentation.system.packages import require_extra


class TensorboardLogger(FaultTolerant, TensorBoardLogger):
    """Log to the folder `tensorboard` of a run directory."""

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


def tensorboard(save_dir: str | os.PathLike) -> Logger:
    """Return a TensorBoard logger that writes into the folder `tensorboard` of a run directory.

    Raises:
        ConfigError: the package is not installed.
    """
    require_extra("tensorboard", "logger=tensorboard")
    return TensorboardLogger(os.fspath(save_dir), name="tensorboard", version="")

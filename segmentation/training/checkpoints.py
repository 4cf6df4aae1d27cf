"""Write checkpoints atomically, and find the one to resume from.

best.ckpt      the best score on val
last.ckpt      the newest state, at the end of an epoch or within one
previous.ckpt  the last.ckpt before it
"""

import errno
import logging
import os
import time
import zipfile
from pathlib import Path, PureWindowsPath
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning.callbacks import Checkpoint, ModelCheckpoint

from segmentation.errors import TrainingError, check_number
from segmentation.system.files import PARTIAL, atomic_file
from segmentation.training.monitor import MIOU
from segmentation.training.resuming import agreed, between_steps

LAST, PREVIOUS = "last.ckpt", "previous.ckpt"
MINUTES = 10.0
TRANSIENT = {
    errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN, errno.EHOSTDOWN, errno.EAGAIN
}  # fmt: skip
"""Errors of a network file system that may be back by the next checkpoint."""
ZIP_DIRECTORY = 0x10
"""Attribute bit of a directory in a ZIP archive; PyTorch would read nothing from such a member."""

log = logging.getLogger(__name__)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write a checkpoint to a temporary file, read it back, then rename it.

    Lightning's own swallows a failed write and can leave half a file (full disk, killed process).
    The `last.ckpt` that is replaced becomes `previous.ckpt`, unless it is damaged.

    Raises:
        TrainingError: the checkpoint cannot be written. A transient error of the file system is
            logged as a warning instead, and the previous file stays.
    """

    def __init__(self) -> None:
        self._written: set[Path] = set()

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike, storage_options: Any = None
    ) -> None:
        """Save `checkpoint` at `path`, replacing what is there."""
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_file(path) as partial:
                with partial.open("wb") as file:
                    torch.save(checkpoint, file)
                    file.flush()
                    os.fsync(file.fileno())
                read_back(partial)
                if path.name == LAST and path.exists() and self._is_whole(path):
                    path.replace(path.with_name(PREVIOUS))
        except (OSError, RuntimeError, zipfile.BadZipFile) as error:
            if isinstance(error, OSError) and error.errno in TRANSIENT:
                log.warning("checkpoint %s not written: %s; retrying at the next one", path, error)
                return
            raise TrainingError(
                f"the checkpoint {path} could not be written: {_reason(error)}. Earlier "
                "checkpoints are kept. Free some space, or choose another hydra.run.dir=."
            ) from error
        self._written.add(path)

    def _is_whole(self, path: Path) -> bool:
        """Return whether a file is whole; one that another process wrote is read back."""
        return path in self._written or damage(path) is None


class BestCheckpoint(ModelCheckpoint):
    """`best.ckpt`, the weights with the highest `monitor`, in a run directory that may be moved.

    Lightning's own writes absolute paths into every checkpoint, and forgets the best score when
    resumed in another directory.
    """

    def state_dict(self) -> dict[str, Any]:
        """Return the state with file names in place of absolute paths."""
        return self._in_directory(super().state_dict(), "")

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state, with the paths in this directory."""
        super().load_state_dict(self._in_directory(state_dict, str(self.dirpath)))
        self.current_score = state_dict["current_score"]

    @staticmethod
    def _in_directory(state: dict[str, Any], directory: str) -> dict[str, Any]:
        def moved(path: str) -> str:
            return os.path.join(directory, PureWindowsPath(path).name) if path else path

        paths = ("best_model_path", "kth_best_model_path", "last_model_path")
        return {
            **state,
            **{key: moved(state[key]) for key in paths},
            "best_k_models": {moved(path): score for path, score in state["best_k_models"].items()},
            "dirpath": directory,
        }


class LastCheckpoint(Checkpoint):
    """`last.ckpt`: the state after every epoch, and within one every `minutes`.

    Lightning's ModelCheckpoint takes epochs or minutes but not both, and saves within an epoch
    before the step's metrics are written, so that a resumed run would miss them.

    Args:
        directory: where the checkpoint is written.
        minutes: since the last save, above 0.
    """

    def __init__(self, directory: Path, minutes: float) -> None:
        self.directory = directory
        self.seconds = 60 * check_number(
            "checkpoint_minutes", minutes, "above 0", lambda value: value > 0
        )
        self._since = time.monotonic()
        self._due = False

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start the clock, and remove partial files of a killed process."""
        self._since, self._due = time.monotonic(), False
        if trainer.is_global_zero:
            for partial in self.directory.glob(f"*.ckpt*{PARTIAL}"):
                partial.unlink()

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Save between two steps if it is time on any rank."""
        overdue = time.monotonic() - self._since >= self.seconds
        self._due = self._due or bool(agreed(trainer, int(overdue)))
        if self._due and between_steps(trainer, batch_idx):
            self._save(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Save at the end of an epoch, after validation and after the best checkpoint."""
        self._save(trainer)

    def _save(self, trainer: pl.Trainer) -> None:
        save_last(trainer, self.directory)
        self._since, self._due = time.monotonic(), False


def checkpoint_callbacks(
    directory: Path, monitor: str = MIOU.key, minutes: float = MINUTES
) -> list[Checkpoint]:
    """Return the callbacks that write `best.ckpt` (first) and `last.ckpt`.

    Args:
        directory: where both are written.
        monitor: the logged metric that `best.ckpt` maximises.
        minutes: between two `last.ckpt` within an epoch.

    Raises:
        ConfigError: `minutes` is not a number above 0.
    """
    best = BestCheckpoint(
        directory,
        filename="best",
        monitor=monitor,
        mode="max",
        save_top_k=1,
        enable_version_counter=False,
    )
    return [best, LastCheckpoint(directory, minutes)]


def save_last(trainer: pl.Trainer, directory: Path) -> None:
    """Write `last.ckpt`, on all ranks, after flushing the loggers."""
    for logger in trainer.loggers:
        logger.save()
    trainer.save_checkpoint(directory / LAST)


def newest_checkpoint(directory: Path) -> Path | None:
    """Return the newest intact checkpoint to resume from, or None.

    A damaged one is logged as a warning and skipped.
    """
    for path in (directory / LAST, directory / PREVIOUS):
        if not path.exists():
            continue
        reason = damage(path)
        if reason is None:
            return path
        fallback = f"using {PREVIOUS} if it exists" if path.name == LAST else "starting afresh"
        log.warning("the checkpoint %s is damaged (%s): %s", path, reason, fallback)
    return None


def damage(path: Path) -> str | None:
    """Describe what is wrong with a checkpoint file; None if it is whole."""
    try:
        read_back(path)
    except Exception as error:  # which one is raised depends on which byte is wrong
        return _reason(error) or type(error).__name__
    return None


def read_back(path: Path) -> None:
    """Read every byte of a checkpoint, and check that it loads without running code.

    PyTorch's format is an uncompressed ZIP archive with a checksum for each tensor, which
    `torch.load` itself ignores.

    Raises:
        Exception: of any type; it depends on which byte is wrong.
    """
    with zipfile.ZipFile(path) as archive:
        corrupt = archive.testzip()
        if corrupt is not None:
            raise zipfile.BadZipFile(f"bytes of {corrupt} have changed")
        for member in archive.infolist():  # fields that PyTorch relies on and testzip ignores
            if member.compress_size != member.file_size or member.external_attr & ZIP_DIRECTORY:
                raise zipfile.BadZipFile(f"the size or kind of {member.filename} has changed")
    torch.load(path, weights_only=True, map_location="meta", mmap=True)


def _reason(error: BaseException) -> str:
    """Return the operating system's reason where one is in the chain, else the first line."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno:
            full = cause.errno in (errno.ENOSPC, errno.EDQUOT)
            return "the disk is full" if full else (cause.strerror or str(cause))
        cause = cause.__cause__ or cause.__context__
    return (str(error).strip().splitlines() or [""])[0]
